// The readers of a scenario's sections, one file each; load.cc calls them in this order. Mistakes go to the sections'
// Reading; a reader may leave its part half filled then.
#pragma once

#include <string>
#include <vector>

#include "sim/workload/scenario/scenario.h"
#include "sim/workload/scenario/section.h"

namespace rocelab::sim {

/// The text of a file that a scenario names, relative to the scenario's folder.
base::TextResult<std::string> read_named_file(const Reading& reading, const std::string& name);
/// The name itself as messages and open() want it.
std::string resolve_name(const Reading& reading, const std::string& name);

void read_topology(Section section, const Reading& reading, Topology& out);
void read_switch(Section section, Scenario& out);
void read_routing(Section section, Scenario& out);
void read_host(Section section, Scenario& out);
void read_transport(Section section, Scenario& out);
/// The part of [transport] that is congestion control's.
void read_congestion(Section& transport, Scenario& out);
void read_workloads(std::vector<Section> sections, const Reading& reading, Scenario& out);
void read_faults(std::vector<Section> sections, Scenario& out);
void read_routes(std::vector<Section> sections, Scenario& out);

/// A workload of messages between ranks: collectives, training steps, traces (read_ranks.cc).
struct WorkloadContext {
  const Reading& reading;
  Scenario& scenario;
  const NodeNames& names;
  std::uint16_t index;
  std::uint64_t start_ps;
  std::uint8_t priority;
};
void read_collective(Section& section, const WorkloadContext& context);
void read_training(Section& section, const WorkloadContext& context);
void read_trace(Section& section, const WorkloadContext& context);

/// "host0", "3", "host4..host7": the hosts of a list; all of them when the key is absent.
std::vector<std::uint32_t> read_hosts(Section& section, std::string_view key, const NodeNames& names,
                                      std::uint32_t host_count);

}  // namespace rocelab::sim
