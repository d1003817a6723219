// A topology made into nodes of a simulation: switches with their ports and buffers, links with their latencies and
// effects, forwarding tables for the whole fault script, and the script itself as events. Hosts are somebody else's
// nodes; their ports are attached here. Owned by the experiment, and outlives the run.
//
//   auto fabric = Fabric::make(std::move(topology), options, pools);
//   for (host of hosts) simulation.add(host);            // node ids 0..H-1
//   (*fabric)->build(simulation, ports_of_hosts);        // switches H..H+S-1
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/fabric/faults.h"
#include "sim/fabric/packet_pool.h"
#include "sim/fabric/routing/plan.h"
#include "sim/fabric/routing/routing.h"
#include "sim/fabric/switch/switch.h"
#include "sim/fabric/topology/topology.h"
#include "sim/kernel/simulation.h"

namespace rocelab::sim {

/// Scripted loss of packets that leave `from` over a link.
struct LinkLoss {
  std::uint32_t link = 0;
  std::uint32_t from = 0;  ///< node index of one of its ends
  ScriptedLoss loss;
};

struct FabricOptions {
  SwitchOptions switches;
  /// What a port of a switch has of its own; empty: nothing. Asked for each port before the run.
  std::function<SwitchPortOptions(const TopologyLink&)> port_options;
  RoutingOptions routing;
  base::Duration convergence = base::Duration::ms(1);  ///< from a change of a link to tables that know of it
  std::vector<ExplicitRoute> routes;
  std::vector<Fault> faults;
  std::vector<LinkLoss> losses;
  std::uint64_t seed = 0;  ///< of switches, links and routing
};

/// What is wrong with the options: `key` as the member is called, and for faults which one.
struct FabricError {
  std::string key;
  std::string what;
  std::optional<std::size_t> fault;
};

class Fabric {
 public:
  /// The topology must have passed validate(). `pools` outlives the fabric. Everything that can be wrong is found here,
  /// buffers that are too small excepted.
  static tl::expected<std::unique_ptr<Fabric>, FabricError> make(Topology topology, FabricOptions options,
                                                                 PacketPools& pools);
  Fabric(const Fabric&) = delete;
  Fabric& operator=(const Fabric&) = delete;

  /// Adds the switches, which must become nodes H..H+S-1, attaches every port, tells the simulation who is connected,
  /// and schedules the faults. `hosts`: the port of each host, in order.
  tl::expected<void, FabricError> build(Simulation& simulation, std::span<Port* const> hosts);

  const Topology& topology() const { return topology_; }
  const RoutingMap& map() const { return map_; }
  const Routing& routing() const { return *routing_; }
  const FaultPlan& faults() const { return faults_; }
  /// Before the run: unreachable hosts, routes that can deadlock; with the time from which on.
  const std::vector<RoutingFinding>& routing_findings() const { return findings_; }
  std::span<const std::unique_ptr<Switch>> switches() const { return switches_; }
  const Switch& switch_at(std::uint32_t index) const { return *switches_[index]; }

 private:
  Fabric(Topology topology, FabricOptions options, PacketPools& pools);

  tl::expected<void, FabricError> prepare();
  void attach(Simulation& simulation, std::span<Port* const> hosts);
  void attach_end(const TopologyLink& link, bool from_a, std::span<Port* const> hosts);
  void set_effects(std::uint32_t link, bool from_a, std::span<Port* const> hosts);
  void schedule_faults(Simulation& simulation);

  Topology topology_;
  FabricOptions options_;
  PacketPools& pools_;
  RoutingMap map_;
  FaultPlan faults_;
  std::unique_ptr<Routing> routing_;
  std::vector<RoutingFinding> findings_;
  SwitchProfile profile_;
  std::vector<std::unique_ptr<Switch>> switches_;
};

}  // namespace rocelab::sim
