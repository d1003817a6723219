// Collective operations as the messages that their algorithms send. Ranks are hosts (a host may hold several ranks of
// different groups, but not two of one). Called by the collective workload, training steps and traces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/workload/plan/plan.h"

namespace rocelab::sim {

enum class Collective : std::uint8_t { kAllReduce, kAllGather, kReduceScatter, kAllToAll, kBroadcast, kBarrier };

enum class CollectiveAlgorithm : std::uint8_t {
  kDefault,          ///< ring; all-to-all: direct; broadcast: tree; barrier: dissemination
  kRing,             ///< all-reduce, all-gather, reduce-scatter; broadcast as a chain, piece by piece
  kTree,             ///< all-reduce (reduce up a binary tree, broadcast down), broadcast
  kHalvingDoubling,  ///< all-reduce, all-gather (doubling), reduce-scatter (halving)
  kDirect,           ///< all-to-all: everybody to everybody at once
  kPairwise,         ///< all-to-all: one partner after the other
  kDissemination,    ///< barrier
};

std::string_view name_of(Collective operation);
std::string_view name_of(CollectiveAlgorithm algorithm);
/// Whether the algorithm exists for the operation.
bool possible(Collective operation, CollectiveAlgorithm algorithm);

struct CollectiveRequest {
  Collective operation = Collective::kAllReduce;
  CollectiveAlgorithm algorithm = CollectiveAlgorithm::kDefault;
  std::vector<std::uint32_t> ranks;  ///< hosts in the order of ranks
  /// All-reduce: of the vector each rank holds. All-gather: of the result. Reduce-scatter: of the vector each rank
  /// begins with. All-to-all: that each rank sends, its own part included. Broadcast: of the message.
  std::uint64_t bytes = 0;
  std::uint32_t pieces = 1;      ///< tree and chain: the message goes in so many pieces, one behind the other
  std::uint64_t compute_ps = 0;  ///< before a received piece that was to be reduced is passed on
  std::vector<TaskId> entries;   ///< per rank, what must be done before; empty: nothing
  std::uint16_t workload = 0;
  std::uint8_t priority = 0;
  std::string label;                 ///< of the spans: "iteration 2"
  std::vector<std::uint32_t> lanes;  ///< of the spans, per rank; empty: the rank's number
};

/// Adds the operation; returns per rank a task that is done when the rank has finished with it.
std::vector<TaskId> add_collective(Plan& plan, const CollectiveRequest& request);

}  // namespace rocelab::sim
