// Priority flow control: losslessness and its headroom, the frames' timing, classes apart from each other.
#include "qos/pfc_headroom.h"
#include "tests/sim/fabric/rig.h"
#include "tests/support/catch.h"

namespace rocelab::sim::test {
namespace {

constexpr std::uint64_t kWire = 1086;
constexpr std::uint64_t kFrame = kWire - kEthernetGapBytes;
constexpr std::uint64_t kPacketPs = kWire * 80;
constexpr std::uint64_t kDelayPs = 500'000;

SwitchOptions lossless() {
  SwitchOptions options;
  options.classes[3].kind = ClassKind::kLossless;
  options.buffer_bytes = 400'000;
  options.frame_bytes_max = kWire;
  options.pfc_alpha = qos::kAlphaOne / 4;
  return options;
}

/// Two to one in class 3, and traffic that keeps the switch's ports towards the senders busy, so that pause frames have
/// to wait for a frame.
void congest(Rig& rig) {
  rig.send(1, {.destination = 0}, 3000);
  rig.send(2, {.destination = 0}, 3000);
  rig.send(3, {.destination = 1, .priority = 1}, 4000);
  rig.send(4, {.destination = 2, .priority = 1}, 4000, TimePoint::from_ps(31'000));
}

std::uint64_t headroom_drops(Rig& rig) {
  return rig.switch_at(0).totals().rare.drops[static_cast<unsigned>(DropReason::kHeadroom)];
}

std::uint64_t headroom_used(Rig& rig) {
  std::uint64_t used = 0;
  for (unsigned port = 1; port <= 2; ++port) {
    used = std::max(used, rig.switch_at(0).class_counters(port, 3, rig.now()).headroom_watermark_bytes);
  }
  return used;
}

TEST_CASE("pfc: nothing is lost at the computed headroom", "[sim][fabric][pfc]") {
  RigOptions options;
  options.switches = lossless();
  Rig rig(star(5), options);
  congest(rig);
  rig.run();
  CHECK(headroom_drops(rig) == 0);
  CHECK(rig.host(0).received.size() == 6000);
  CHECK(rig.switch_at(0).totals().xoffs > 10);
  CHECK(rig.audit() == "");
  // The computation is tight: all of it but a frame (and the gaps, which no buffer holds) has been used.
  const std::uint64_t computed = qos::pfc_headroom_bytes({k100G, kDelayPs, kWire, kPauseFrameBytes});
  CHECK(headroom_used(rig) <= computed);
  CHECK(headroom_used(rig) + 2 * kFrame > computed * kFrame / kWire);
}

TEST_CASE("pfc: just below the headroom that is needed packets are lost, and it is a finding", "[sim][fabric][pfc]") {
  RigOptions options;
  options.switches = lossless();
  std::uint64_t needed = 0;
  {
    Rig rig(star(5), options);
    congest(rig);
    rig.run();
    needed = headroom_used(rig);
  }
  // The pool is kept as it was, so that the same happens until the first drop.
  const std::uint64_t computed = qos::pfc_headroom_bytes({k100G, kDelayPs, kWire, kPauseFrameBytes});
  options.switches.headroom_bytes = static_cast<std::uint32_t>(needed - 1);
  options.switches.buffer_bytes -= 5 * (computed - (needed - 1));
  Rig rig(star(5), options);
  congest(rig);
  rig.run();
  CHECK(headroom_drops(rig) > 0);
  CHECK(rig.audit() != "");
  REQUIRE_FALSE(rig.switch_at(0).findings().empty());
  CHECK(rig.switch_at(0).findings()[0].kind == FindingKind::kLosslessDrop);
}

TEST_CASE("pfc: without it a lossless class keeps its thresholds and loses", "[sim][fabric][pfc]") {
  RigOptions options;
  options.switches = lossless();
  options.switches.pfc = false;
  Rig rig(star(5), options);
  congest(rig);
  rig.run();
  CHECK(headroom_drops(rig) > 0);
  CHECK(rig.switch_at(0).totals().xoffs == 0);
}

TEST_CASE("pfc: a pause begins when the frame has arrived and ends after its quanta", "[sim][fabric][pfc]") {
  RigOptions options;
  options.switches = lossless();
  Rig rig(star(2), options);
  rig.send(1, {.destination = 0}, 100);
  const std::uint64_t sent_ps = 5'000'000;
  rig.pause(0, 1u << 3, 100, TimePoint::from_ps(sent_ps));
  rig.run();
  const auto& received = rig.host(0).received;
  REQUIRE(received.size() == 100);
  const std::uint64_t begins_ps = sent_ps + kPauseFrameBytes * 80 + kDelayPs;
  const std::uint64_t ends_ps = begins_ps + 100 * 512 * 10;
  unsigned in_between = 0;
  std::uint64_t first_after_ps = 0;
  for (const Received& packet : received) {
    const std::uint64_t left_ps = packet.time_ps - kDelayPs - kPacketPs;  // when it began to leave
    if (left_ps > begins_ps && left_ps < ends_ps) ++in_between;
    if (first_after_ps == 0 && left_ps >= ends_ps) first_after_ps = left_ps;
  }
  CHECK(in_between == 0);
  CHECK(first_after_ps == ends_ps);
  CHECK(rig.switch_at(0).class_counters(0, 3, rig.now()).paused_ps == 100 * 512 * 10);
  CHECK(rig.switch_at(0).class_counters(0, 3, rig.now()).pause_frames_rx == 1);
}

TEST_CASE("pfc: a pause is renewed, and a frame with zero quanta ends it at once", "[sim][fabric][pfc]") {
  RigOptions options;
  options.switches = lossless();
  Rig rig(star(2), options);
  rig.send(1, {.destination = 0}, 100);
  rig.pause(0, 1u << 3, 100, TimePoint::from_ps(5'000'000));
  rig.pause(0, 1u << 3, 100, TimePoint::from_ps(5'400'000));  // renewed before it runs out at 5,512,000 + ...
  rig.pause(0, 1u << 3, 0, TimePoint::from_ps(5'800'000));
  rig.run();
  const ClassCounters counters = rig.switch_at(0).class_counters(0, 3, rig.now());
  CHECK(counters.paused_ps == 800'000);
  CHECK(counters.pause_frames_rx == 2);
  CHECK(rig.host(0).received.size() == 100);
}

TEST_CASE("pfc: other classes go on while one is paused", "[sim][fabric][pfc]") {
  RigOptions options;
  options.switches = lossless();
  Rig rig(star(3), options);
  rig.pause(0, 1u << 3, 0xffff, TimePoint());  // 335 us
  rig.send(1, {.destination = 0, .priority = 3}, 20);
  rig.send(2, {.destination = 0, .priority = 5}, 20);
  rig.run();
  REQUIRE(rig.host(0).received.size() == 40);
  for (std::size_t i = 0; i < 20; ++i) CHECK(rig.host(0).received[i].priority == 5);
  CHECK(rig.host(0).received[19].time_ps < 10'000'000);
  CHECK(rig.host(0).received[20].time_ps > 335'000'000);
}

TEST_CASE("pfc: pauses that a switch sends are renewed until the congestion is over", "[sim][fabric][pfc]") {
  // The receiver pauses the switch for long; the switch keeps the sender paused for as long, with quanta much shorter.
  RigOptions options;
  options.switches = lossless();
  options.switches.pause_quanta = 200;  // 1.024 us
  Rig rig(star(2), options);
  rig.send(1, {.destination = 0}, 500);
  rig.pause(0, 1u << 3, 0xffff, TimePoint());
  rig.run();
  CHECK(rig.host(0).received.size() == 500);
  CHECK(headroom_drops(rig) == 0);
  CHECK(rig.switch_at(0).port(1).counters().pause_tx > 300);
  CHECK(rig.audit() == "");
}

TEST_CASE("pfc: congestion spreads to the switch before, which loses nothing either", "[sim][fabric][pfc]") {
  // Hosts 0 and 1 at the left switch send to 3 at the right one; so does its neighbour 2. (Dumbbell, equal rates.)
  Topology line;
  line.host_count = 4;
  line.nodes.resize(6);
  std::vector<std::uint16_t> next_port(6);
  for (std::uint32_t host = 0; host < 4; ++host) {
    add_link(line, next_port, {host, host < 2 ? 4u : 5u, 0, 0, k100G, Duration::ns(500), 0, 0});
  }
  add_link(line, next_port, {4, 5, 0, 0, k100G, Duration::ns(500), 0, 0});
  RigOptions options;
  options.switches = lossless();
  Rig rig(line, options);
  for (const NodeId from : {0u, 1u, 2u}) rig.send(from, {.destination = 3}, 2000);
  rig.run();
  CHECK(rig.host(3).received.size() == 6000);
  CHECK(rig.switch_at(1).class_counters(2, 3, rig.now()).xoffs > 0);  // towards the left switch
  CHECK(rig.switch_at(0).class_counters(0, 3, rig.now()).xoffs > 0);  // towards the hosts
  CHECK(rig.switch_at(0).port(2).counters().pause_rx > 0);
  CHECK(rig.audit() == "");
}

}  // namespace
}  // namespace rocelab::sim::test
