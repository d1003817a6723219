// The simulated cluster of a scenario: hosts and the fabric between them as nodes of a Simulation, faults of hosts as
// events. Owned by the experiment; nothing here knows of workloads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "sim/fabric/fabric.h"
#include "sim/fabric/packet_pool.h"
#include "sim/host/host.h"
#include "sim/kernel/simulation.h"
#include "sim/workload/scenario/scenario.h"

namespace rocelab::sim {

class Network {
 public:
  /// The scenario outlives the network. The message names the scenario's file and key. `samples`: also if the scenario
  /// does not ask for them.
  static base::TextResult<std::unique_ptr<Network>> make(const Scenario& scenario, unsigned partitions,
                                                         bool samples = false);

  Simulation& simulation() { return simulation_; }
  const PacketPools& pools() const { return pools_; }
  std::span<const std::unique_ptr<Host>> hosts() const { return hosts_; }
  std::span<const std::unique_ptr<Switch>> switches() const { return fabric_->switches(); }
  const Fabric& fabric() const { return *fabric_; }

 private:
  Network(const Scenario& scenario, unsigned partitions);
  base::TextResult<void> build(bool samples);
  void schedule_host_faults();

  const Scenario& scenario_;
  Simulation simulation_;
  PacketPools pools_;
  std::unique_ptr<Fabric> fabric_;
  std::vector<std::unique_ptr<Host>> hosts_;
};

}  // namespace rocelab::sim
