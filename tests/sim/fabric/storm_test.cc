// Pauses that last: storms, the watchdog's actions, deadlocks.
#include "tests/sim/fabric/rig.h"
#include "tests/support/catch.h"

namespace rocelab::sim::test {
namespace {

SwitchOptions lossless() {
  SwitchOptions options;
  options.classes[3].kind = ClassKind::kLossless;
  options.buffer_bytes = 400'000;
  options.frame_bytes_max = 1086;
  return options;
}

std::vector<Finding> all_of(const Switch& node, FindingKind kind) {
  std::vector<Finding> found;
  for (const Finding& finding : node.findings()) {
    if (finding.kind == kind) found.push_back(finding);
  }
  return found;
}

std::string called(NodeId node) { return "node" + std::to_string(node); }

/// Host 0 pauses class 3 from 0 to about `until_us`, renewing its pause every 100 us.
void storm(Rig& rig, unsigned until_us) {
  for (unsigned at_us = 0; at_us < until_us; at_us += 100) {
    rig.pause(0, 1u << 3, 0xffff, TimePoint::from_ps(at_us * 1'000'000ull));
  }
  rig.pause(0, 1u << 3, 0, TimePoint::from_ps(until_us * 1'000'000ull));
}

TEST_CASE("storm: a port that is paused without a break is a finding, once", "[sim][fabric][storm]") {
  RigOptions options;
  options.switches = lossless();
  options.switches.storm_after = Duration::us(500);
  Rig rig(star(2), options);
  storm(rig, 2000);
  rig.send(1, {.destination = 0}, 10);
  rig.run();
  const std::vector<Finding> found = all_of(rig.switch_at(0), FindingKind::kPauseStorm);
  REQUIRE(found.size() == 1);
  CHECK(found[0].where == PortRef{2, 0});
  CHECK(found[0].peer == 0);
  CHECK(found[0].priority == 3);
  CHECK(found[0].lasted.count_us() == 500);
  CHECK(to_string(found[0], called) == "node2 port 0 priority 3 has been paused by node0 for 500 us without a break.");
  CHECK(rig.host(0).received.size() == 10);
  CHECK(rig.audit() == "");
}

TEST_CASE("storm: a pause that ends in time, or holds up nothing, is none", "[sim][fabric][storm]") {
  RigOptions options;
  options.switches = lossless();
  options.switches.storm_after = Duration::us(500);
  Rig held(star(2), options);
  storm(held, 400);
  held.send(1, {.destination = 0}, 10);
  held.run();
  CHECK(held.switch_at(0).findings().empty());
  Rig idle(star(2), options);
  storm(idle, 2000);
  idle.run();
  CHECK(idle.switch_at(0).findings().empty());
}

TEST_CASE("watchdog: drops what waits and arrives, until the storm is over", "[sim][fabric][storm]") {
  RigOptions options;
  options.switches = lossless();
  options.switches.watchdog = {true, 300'000'000, 200'000'000, qos::WatchdogAction::kDrop};
  Rig rig(star(2), options);
  storm(rig, 1000);
  rig.send(1, {.destination = 0}, 10);                                    // waits, then is dropped
  rig.send(1, {.destination = 0}, 5, TimePoint::from_ps(600'000'000));    // dropped on arrival
  rig.send(1, {.destination = 0}, 7, TimePoint::from_ps(1'300'000'000));  // after restoration
  rig.run();
  CHECK(rig.host(0).received.size() == 7);
  const RareCounters rare = rig.switch_at(0).class_counters(0, 3, rig.now()).rare;
  CHECK(rare.drops[static_cast<unsigned>(DropReason::kWatchdog)] == 15);
  const auto storms = all_of(rig.switch_at(0), FindingKind::kWatchdogStorm);
  const auto restored = all_of(rig.switch_at(0), FindingKind::kWatchdogRestored);
  REQUIRE(storms.size() == 1);
  REQUIRE(restored.size() == 1);
  CHECK(storms[0].at.count_ps() >= 300'000'000);
  CHECK(storms[0].at.count_ps() < 610'000'000);
  // 200 us after the last pausing frame, which was sent at 900 us.
  CHECK(restored[0].at.count_ps() > 1'100'000'000);
  CHECK(restored[0].at.count_ps() < 1'110'000'000);
  CHECK(rig.audit() == "");
}

TEST_CASE("watchdog: forwards although paused", "[sim][fabric][storm]") {
  RigOptions options;
  options.switches = lossless();
  options.switches.watchdog = {true, 300'000'000, 200'000'000, qos::WatchdogAction::kForward};
  Rig rig(star(2), options);
  storm(rig, 1000);
  rig.send(1, {.destination = 0}, 10);
  rig.run();
  REQUIRE(rig.host(0).received.size() == 10);
  CHECK(rig.host(0).received[9].time_ps < 620'000'000);
  CHECK(all_of(rig.switch_at(0), FindingKind::kWatchdogStorm).size() == 1);
  CHECK(rig.audit() == "");
}

TEST_CASE("watchdog: only tells, when that is its action", "[sim][fabric][storm]") {
  RigOptions options;
  options.switches = lossless();
  options.switches.watchdog = {true, 300'000'000, 200'000'000, qos::WatchdogAction::kAlert};
  Rig rig(star(2), options);
  storm(rig, 1000);
  rig.send(1, {.destination = 0}, 10);
  rig.run();
  REQUIRE(rig.host(0).received.size() == 10);
  CHECK(rig.host(0).received[0].time_ps > 1'000'000'000);
  CHECK(all_of(rig.switch_at(0), FindingKind::kWatchdogStorm).size() == 1);
}

/// Switches in a ring, a host each: host i is node i, its switch node n + i; port 0 to the host, port 1 clockwise.
Topology ring(std::uint32_t n) {
  Topology topology;
  topology.host_count = n;
  topology.nodes.resize(2 * n);
  std::vector<std::uint16_t> next_port(2 * n);
  for (std::uint32_t i = 0; i < n; ++i) add_link(topology, next_port, {i, n + i, 0, 0, k100G, Duration::ns(500), 0, 0});
  for (std::uint32_t i = 0; i < n; ++i) {
    topology.links.push_back({n + i, n + (i + 1) % n, 1, 2, k100G, Duration::ns(500), 0, 0});
  }
  return topology;
}

/// Every host sends to the one two places on; all go clockwise.
void send_round(Rig& rig, unsigned count) {
  const auto n = static_cast<NodeId>(rig.host_count());
  for (NodeId i = 0; i < n; ++i) rig.send(i, {.destination = (i + 2) % n}, count);
}

RigOptions clockwise(std::uint32_t n) {
  RigOptions options;
  options.switches = lossless();
  for (std::uint32_t at = 0; at < n; ++at) {
    for (std::uint32_t to = 0; to < n; ++to) {
      options.routes.push_back({at, to, {static_cast<std::uint16_t>(at == to ? 0 : 1)}});
    }
  }
  return options;
}

TEST_CASE("deadlock: a ring of paused ports is found, once, by its lowest switch", "[sim][fabric][storm]") {
  const std::uint32_t n = GENERATE(3u, 4u, 7u);
  Rig rig(ring(n), clockwise(n));
  send_round(rig, 3000);
  const RunOutcome outcome = rig.run(TimePoint::from_ps(20'000'000'000));
  CHECK(outcome.end == RunEnd::kUntil);  // pauses are renewed for ever
  std::size_t arrived = 0;
  for (std::uint32_t i = 0; i < n; ++i) arrived += rig.host(i).received.size();
  REQUIRE(arrived < n * 3000);

  std::vector<Finding> found;
  for (std::uint32_t i = 0; i < n; ++i) {
    const auto here = all_of(rig.switch_at(i), FindingKind::kDeadlock);
    found.insert(found.end(), here.begin(), here.end());
  }
  REQUIRE(found.size() == 1);
  CHECK(found[0].where == PortRef{n, 1});
  REQUIRE(found[0].cycle.size() == n);
  for (std::uint32_t i = 0; i < n; ++i) CHECK(found[0].cycle[i] == PortRef{n + i, 1});
  CHECK(found[0].lasted >= Duration::ms(1));
  if (n == 3) {
    CHECK(to_string(found[0], called) ==
          "Deadlock of priority 3: each of these ports is paused by the next: "
          "node3 port 1, node4 port 1, node5 port 1, node3.");
  }
  CHECK(rig.audit(false) == "");
}

TEST_CASE("deadlock: the watchdog breaks it", "[sim][fabric][storm]") {
  RigOptions options = clockwise(3);
  options.switches.watchdog = {true, 2'000'000'000, 1'000'000'000, qos::WatchdogAction::kDrop};
  Rig rig(ring(3), options);
  send_round(rig, 3000);
  const RunOutcome outcome = rig.run(TimePoint::from_ps(200'000'000'000));
  CHECK(outcome.end == RunEnd::kDrained);
  std::uint64_t dropped = 0;
  for (unsigned i = 0; i < 3; ++i) dropped += rig.switch_at(i).totals().dropped();
  CHECK(dropped > 0);
  std::size_t arrived = 0;
  for (unsigned i = 0; i < 3; ++i) arrived += rig.host(i).received.size();
  CHECK(arrived + dropped == 9000);
}

TEST_CASE("deadlock: long pauses without a cycle are none", "[sim][fabric][storm]") {
  RigOptions options = clockwise(3);
  options.switches.deadlock_after = Duration::us(100);
  Rig rig(ring(3), options);
  // A chain that waits for host 2, which pauses its switch.
  rig.pause(2, 1u << 3, 0xffff, TimePoint());
  rig.send(0, {.destination = 2}, 2000);
  rig.send(1, {.destination = 2}, 2000);
  const RunOutcome outcome = rig.run();
  CHECK(outcome.end == RunEnd::kDrained);
  CHECK(rig.host(2).received.size() == 4000);
  for (unsigned i = 0; i < 3; ++i) CHECK(all_of(rig.switch_at(i), FindingKind::kDeadlock).empty());
  CHECK(rig.audit() == "");
}

}  // namespace
}  // namespace rocelab::sim::test
