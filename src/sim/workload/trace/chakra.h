// MLCommons Chakra execution traces as a workload: one file a rank, each a sequence of length-delimited protobuf
// messages (metadata, then nodes). Computation takes the recorded time, sends and receives are matched by ranks and
// tag, collectives become the messages of an algorithm of our own. protobuf stays in the .cc files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sim/workload/plan/collective.h"
#include "sim/workload/plan/plan.h"

namespace rocelab::sim {

enum class TraceNodeKind : std::uint8_t { kOther, kCompute, kSend, kReceive, kCollective };

/// A node of a trace, with what a simulation needs of it.
struct TraceNode {
  std::uint64_t id = 0;
  std::string name;
  TraceNodeKind kind = TraceNodeKind::kOther;
  std::vector<std::uint64_t> dependencies;
  std::uint64_t duration_ps = 0;  ///< of computation and memory nodes
  std::uint64_t bytes = 0;
  std::uint32_t peer = 0;  ///< of sends and receives: the other rank
  std::uint64_t tag = 0;
  Collective collective = Collective::kAllReduce;
  std::string group;  ///< process group of a collective; empty: all ranks
};

/// Reads one rank's trace; "FILE: node ID: what" on a mistake.
base::TextResult<std::vector<TraceNode>> parse_chakra(std::string_view bytes, const std::string& file);

/// The process groups of a run: {"name": [rank, ...], ...} as JSON.
base::TextResult<std::map<std::string, std::vector<std::uint32_t>>> parse_process_groups(std::string_view text,
                                                                                         const std::string& file);

struct TraceWorkload {
  std::vector<std::vector<TraceNode>> ranks;
  std::map<std::string, std::vector<std::uint32_t>> groups;
  std::vector<std::uint32_t> hosts;                               ///< of the ranks
  CollectiveAlgorithm algorithm = CollectiveAlgorithm::kDefault;  ///< where the operation has it
  std::uint64_t start_ps = 0;
  std::uint16_t workload = 0;
  std::uint8_t priority = 0;
};

/// Fails with a sentence when sends and receives do not match, dependencies are missing or go round in a circle.
base::TextResult<void> add_trace(Plan& plan, const TraceWorkload& trace);

}  // namespace rocelab::sim
