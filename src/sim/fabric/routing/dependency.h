// What routes do on the whole: whether every choice arrives, and whether buffers can wait for each other in a circle.
// Under PFC a packet that waits for a port holds memory at its ingress, so the channels that packets pass one after the
// other depend on each other; a cycle of dependencies is what a deadlock needs (Dally and Seitz, IEEE ToC 1987).
// Up-down routes never have one; rings do. Run before a simulation, not in it.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/fabric/routing/tables.h"

namespace rocelab::sim {

/// An egress port of a switch, named by its index.
struct Channel {
  std::uint32_t switch_index = 0;
  std::uint16_t port = 0;
};

/// A cycle of channels, each of which some packet leaves for the next; empty when there is none.
std::vector<Channel> find_dependency_cycle(const RoutingMap& map, const RoutingTables& tables);

/// A pair of hosts between which some choice of ports leads in a circle or nowhere, although there is a route.
struct BrokenRoute {
  bool found = false;
  std::uint32_t from = 0;
  std::uint32_t to = 0;
};
BrokenRoute find_broken_route(const RoutingMap& map, const RoutingTables& tables);

}  // namespace rocelab::sim
