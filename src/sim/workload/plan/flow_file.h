// Lists of flows from files: our own CSV and the flow files of the HPCC ns-3 simulator. Readers of text, not of files;
// hosts are looked up in the topology. A mistake is "FILE:LINE: what".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sim/fabric/topology/topology.h"
#include "sim/workload/plan/plan.h"

namespace rocelab::sim {

struct ListedFlow {
  std::uint32_t source = 0;
  std::uint32_t destination = 0;
  std::uint64_t bytes = 0;
  std::uint64_t start_ps = 0;
  int priority = -1;  ///< -1: the workload's
};

/// A header line that names the columns `source`, `destination`, `bytes`, `start` and perhaps `priority`, in any order;
/// then a flow a line: "host3,host7,1MB,10us". '#' begins a comment.
base::TextResult<std::vector<ListedFlow>> parse_flow_csv(std::string_view text, const std::string& file,
                                                         const NodeNames& names, std::uint32_t host_count);

/// The number of flows, then a flow a line: source, destination, priority group, port, bytes, start in seconds. The
/// priority group is kept when `keep_priority` (the simulator's queue number).
base::TextResult<std::vector<ListedFlow>> parse_hpcc_flows(std::string_view text, const std::string& file,
                                                           const NodeNames& names, std::uint32_t host_count,
                                                           bool keep_priority);

/// Adds them; `shift_ps` is added to each start (negative: earlier, and never below zero).
void add_flows(Plan& plan, std::span<const ListedFlow> flows, std::uint16_t workload, std::uint8_t priority,
               std::int64_t shift_ps);

}  // namespace rocelab::sim
