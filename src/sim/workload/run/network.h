// The simulated cluster of a scenario: hosts, switches, links and faults as nodes and events of a Simulation. Owned by
// the experiment; nothing here knows of workloads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "sim/fabric/packet_pool.h"
#include "sim/fabric/routing/routing.h"
#include "sim/fabric/switch/switch.h"
#include "sim/host/host.h"
#include "sim/kernel/simulation.h"
#include "sim/workload/scenario/scenario.h"

namespace rocelab::sim {

class Network {
 public:
  /// The scenario outlives the network.
  static base::TextResult<std::unique_ptr<Network>> make(const Scenario& scenario, unsigned partitions);

  Simulation& simulation() { return simulation_; }
  const PacketPools& pools() const { return pools_; }
  std::span<const std::unique_ptr<Host>> hosts() const { return hosts_; }
  std::span<const std::unique_ptr<Switch>> switches() const { return switches_; }
  const Topology& topology() const { return scenario_.topology; }

 private:
  Network(const Scenario& scenario, unsigned partitions);
  base::TextResult<void> build();
  PortOptions port(std::uint32_t node, std::uint16_t number, const TopologyPort& to) const;

  const Scenario& scenario_;
  Simulation simulation_;
  PacketPools pools_;
  RoutingMap map_;
  std::unique_ptr<Routing> routing_;
  std::optional<SwitchProfile> profile_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::unique_ptr<Switch>> switches_;
};

}  // namespace rocelab::sim
