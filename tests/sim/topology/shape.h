// What the tests of topologies ask about a shape: degrees, paths by the routing tables, the capacity of a cut.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/fabric/routing/tables.h"
#include "sim/fabric/topology/topology.h"

namespace rocelab::sim {

/// The topology, or a failed test that says why there is none.
Topology good(TopologyResult<Topology> result);

/// Ports of each switch of this tier when all have the same number, ~0u otherwise.
std::uint32_t degree_of_tier(const Topology& topology, std::uint8_t tier);
std::uint32_t switches_of_tier(const Topology& topology, std::uint8_t tier);

struct PathLengths {
  std::uint32_t least = 0;  ///< links from host to host
  std::uint32_t most = 0;   ///< over all choices of all switches
  std::uint64_t paths = 0;  ///< how many there are
  bool complete = false;    ///< every choice leads to the destination, without a loop
};
PathLengths paths_between(const RoutingMap& map, const RoutingTables& tables, std::uint32_t from, std::uint32_t to);

/// Tables of the whole topology, nothing down.
RoutingTables tables_of(const RoutingMap& map, RoutingPaths paths = RoutingPaths::kAuto);

/// All pairs connected, each path of at most `most` links, and `most` reached; text says what is wrong.
std::string check_all_pairs(const RoutingMap& map, const RoutingTables& tables, std::uint32_t most);

/// How many bits per second the first half of the hosts can send the second half at once: the maximum flow.
std::uint64_t bisection_bps(const Topology& topology);

}  // namespace rocelab::sim
