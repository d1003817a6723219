// Which nodes go together when a run is divided among threads. Leaves (hosts) stay with the node they hang on; links
// that are shorter than others are not cut as long as the parts come out even, because the shortest link that is cut
// says how far the parts may run ahead of each other; among such divisions few links are cut. Deterministic; called by
// Simulation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/kernel/event.h"

namespace rocelab::sim {

struct DivisionEdge {
  NodeId a = kNoNode;
  NodeId b = kNoNode;
  std::uint64_t latency_ps = 0;
  bool seldom = false;  ///< of no weight: counts for the lookahead alone
};

struct Division {
  std::vector<std::uint16_t> partition_of;  ///< by node
  unsigned partitions = 1;                  ///< as many as asked for, or fewer; none is empty
  std::uint64_t lookahead_ps = 0;           ///< shortest latency cut; kNever: nothing is cut
  std::uint64_t cut = 0;                    ///< connections cut, those seldom used not counted
};

/// `nodes` > 0. Nodes without latency between them stay together.
Division divide(std::size_t nodes, std::span<const DivisionEdge> connections, unsigned partitions);

}  // namespace rocelab::sim
