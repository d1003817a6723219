// Switches and stub hosts of a topology, wired into a simulation: what the tests of the fabric's nodes run on.
#pragma once

#include <memory>
#include <vector>

#include "sim/fabric/routing/routing.h"
#include "sim/fabric/switch/switch.h"
#include "sim/fabric/topology/topology.h"
#include "sim/kernel/simulation.h"
#include "tests/sim/fabric/stub_host.h"

namespace rocelab::sim::test {

struct RigOptions {
  SwitchOptions switches;
  SwitchPortOptions ports;
  std::vector<ExplicitRoute> routes;
  RoutingPaths paths = RoutingPaths::kAuto;
  std::uint64_t seed = 1;
};

class Rig {
 public:
  Rig(const Topology& topology, const RigOptions& options);

  StubHost& host(std::size_t index) { return *hosts_[index]; }
  Switch& switch_at(std::size_t index) { return *switches_[index]; }
  std::size_t host_count() const { return hosts_.size(); }
  std::size_t switch_count() const { return switches_.size(); }
  PacketPools& pools() { return pools_; }
  Simulation& simulation() { return simulation_; }

  /// `count` packets as `request`, queued at the host at that time. `user` counts them from 1.
  void send(NodeId from, SendRequest request, unsigned count, TimePoint at = TimePoint());
  /// The host pauses its switch for these classes.
  void pause(NodeId host, std::uint8_t classes, std::uint16_t quanta, TimePoint at);
  /// Both ends of a link of the topology.
  void link_state(std::size_t link, bool up, TimePoint at);
  RunOutcome run(TimePoint until = TimePoint::from_ps(1'000'000'000'000), unsigned partitions = 1);
  TimePoint now() const { return now_; }
  /// Every invariant of every switch, and, if all is over, that no packet is left over. Empty, or what is wrong.
  std::string audit(bool over = true) const;

 private:
  Topology topology_;
  RoutingMap map_;
  SwitchProfile profile_;
  PacketPools pools_;
  Routing routing_;
  Simulation simulation_;
  std::vector<std::unique_ptr<StubHost>> hosts_;
  std::vector<std::unique_ptr<Switch>> switches_;
  TimePoint now_;
};

/// n hosts on one switch, host i at port i.
Topology star(unsigned hosts, std::uint64_t rate_bps = 100'000'000'000, Duration delay = Duration::ns(500));

inline constexpr std::uint64_t k100G = 100'000'000'000;

}  // namespace rocelab::sim::test
