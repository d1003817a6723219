// What queues do to packets: marks, shares, drops, trimmed payloads, telemetry, samples.
#include "base/rng.h"
#include "tests/sim/fabric/rig.h"
#include "tests/support/catch.h"

namespace rocelab::sim::test {
namespace {

constexpr std::uint64_t kWire = 1086;
constexpr std::uint32_t kFrame = kWire - kEthernetGapBytes;
constexpr std::uint64_t kPacketPs = kWire * 80;
constexpr std::uint64_t kDelayPs = 500'000;

/// A star whose host 1 hangs on a link of 25 Gb/s.
Topology slow_receiver() {
  Topology topology = star(2);
  topology.links[1].rate_bps = 25'000'000'000;
  return topology;
}

EcnOptions step(std::uint32_t bytes) { return {k100G, {bytes, bytes, 1'000'000}}; }

TEST_CASE("ecn: packets that leave more than the threshold behind are marked", "[sim][fabric][ecn]") {
  RigOptions options;
  options.switches.ecn = {{25'000'000'000, {10 * kFrame, 10 * kFrame, 1'000'000}}};
  Rig rig(slow_receiver(), options);
  rig.send(0, {.destination = 1}, 40);
  rig.run();
  // Four arrive while one leaves. The k-th to leave (from 0) leaves behind what has arrived by then, less k + 1.
  const auto& received = rig.host(1).received;
  REQUIRE(received.size() == 40);
  for (std::uint64_t k = 0; k < 40; ++k) {
    const std::uint64_t arrived = std::min<std::uint64_t>(40, 4 * k + 1);
    // An arrival and a departure at the same time: the arrival was scheduled by another node, so either may be first.
    const std::uint64_t behind = arrived - (k + 1);
    if (behind == 10 || behind == 11) continue;
    CHECK((received[k].ecn == Ecn::kMarked) == (behind > 10));
  }
  CHECK(rig.switch_at(0).class_counters(1, 3, rig.now()).ecn_marked > 20);
}

TEST_CASE("ecn: when it marks as packets queue, the length before them counts", "[sim][fabric][ecn]") {
  RigOptions options;
  options.switches.ecn = {{25'000'000'000, {5 * kFrame, 5 * kFrame, 1'000'000}}};
  options.switches.ecn_at_dequeue = false;
  Rig rig(slow_receiver(), options);
  rig.send(0, {.destination = 1}, 12);
  rig.run();
  std::vector<bool> marked;
  for (const Received& packet : rig.host(1).received) marked.push_back(packet.ecn == Ecn::kMarked);
  // By the time the eighth queues (it makes a sixth, or fifth after a departure at that moment) one or two have left.
  CHECK_FALSE(marked[5]);
  CHECK(marked[8]);
  CHECK(marked[11]);
}

TEST_CASE("ecn: packets that are not ECN-capable, and classes without ECN, are never marked", "[sim][fabric][ecn]") {
  RigOptions options;
  options.switches.ecn = {step(0)};
  options.switches.classes[4].ecn = false;
  Rig rig(slow_receiver(), options);
  rig.send(0, {.destination = 1, .priority = 3, .ecn = Ecn::kNotCapable}, 20);
  rig.send(0, {.destination = 1, .priority = 4}, 20);
  rig.run();
  for (const Received& packet : rig.host(1).received) CHECK(packet.ecn != Ecn::kMarked);
  CHECK(rig.switch_at(0).totals().ecn_marked == 0);
}

TEST_CASE("ecn: thresholds follow the rate where no entry names it", "[sim][fabric][ecn]") {
  SwitchOptions options;
  options.ecn = {{k100G, {100'000, 400'000, 200'000}}, {40'000'000'000, {1'000, 2'000, 500'000}}};
  const SwitchProfile profile = SwitchProfile::make(options).value();
  CHECK(profile.marker(k100G).kmin_bytes() == 100'000);
  CHECK(profile.marker(40'000'000'000).kmax_bytes() == 2'000);
  CHECK(profile.marker(25'000'000'000).kmin_bytes() == 25'000);
  CHECK(profile.marker(4 * k100G).kmax_bytes() == 1'600'000);
}

TEST_CASE("shares: classes share a link by weight, and the strict one takes what it wants", "[sim][fabric][ets]") {
  RigOptions options;
  options.switches.buffer_bytes = 100u << 20;
  options.switches.classes[1].weight = 3;
  options.switches.classes[2].weight = 1;
  options.switches.classes[6].strict = true;
  Rig rig(star(4), options);
  rig.send(1, {.destination = 0, .payload_bytes = 3000, .priority = 1}, 2000);
  rig.send(2, {.destination = 0, .payload_bytes = 500, .priority = 2}, 8000);
  rig.send(3, {.destination = 0, .priority = 6}, 1000, TimePoint::from_ps(50'000'000));
  rig.run(TimePoint::from_ps(300'000'000));
  std::uint64_t bytes[kPriorities] = {};
  for (const Received& packet : rig.host(0).received) bytes[packet.priority] += packet.wire_bytes - kEthernetGapBytes;
  CHECK(bytes[6] == 1000ull * kFrame);
  const std::uint64_t due = 3 * bytes[2];
  CHECK(bytes[1] > due - due / 50);
  CHECK(bytes[1] < due + due / 50);
}

TEST_CASE("drops: a lossy queue may have alpha times what is free", "[sim][fabric][drops]") {
  RigOptions options;
  options.switches.buffer_bytes = 300'000;
  Rig rig(star(3), options);
  rig.send(1, {.destination = 0}, 1000);
  rig.send(2, {.destination = 0}, 1000);
  rig.run();
  const ClassCounters counters = rig.switch_at(0).class_counters(0, 3, rig.now());
  const std::uint64_t dropped = counters.rare.drops[static_cast<unsigned>(DropReason::kBuffer)];
  CHECK(dropped > 0);
  CHECK(rig.host(0).received.size() + dropped == 2000);
  // As much as is left over: half, give or take the packet that decides.
  CHECK(counters.queue_watermark_bytes <= 150'000 + kFrame);
  CHECK(counters.queue_watermark_bytes + kFrame > 150'000);
  CHECK(rig.audit() == "");
}

TEST_CASE("drops: a fixed limit per queue, nothing shared", "[sim][fabric][drops]") {
  RigOptions options;
  options.switches.buffer_model = BufferModel::kEgressLimit;
  options.switches.egress_limit_bytes = 10 * kFrame;
  Rig rig(star(3), options);
  rig.send(1, {.destination = 0}, 100);
  rig.send(2, {.destination = 0}, 100);
  rig.run();
  const ClassCounters counters = rig.switch_at(0).class_counters(0, 3, rig.now());
  CHECK(counters.queue_watermark_bytes == 10 * kFrame);
  CHECK(rig.host(0).received.size() + counters.rare.drops[static_cast<unsigned>(DropReason::kBuffer)] == 200);
  CHECK(rig.audit() == "");
}

TEST_CASE("trimming: every packet arrives, some without their payload, and those first", "[sim][fabric][trimming]") {
  RigOptions options;
  options.switches.egress_limit_bytes = 20 * kFrame;
  options.switches.trimming = true;
  options.switches.trim_priority = 6;
  options.switches.classes[6].strict = true;
  Rig rig(star(5), options);
  const std::uint16_t flags = packet_flag::kData | packet_flag::kTrimmable;
  for (NodeId from = 1; from <= 4; ++from) rig.send(from, {.destination = 0, .flags = flags}, 100);
  rig.run();
  REQUIRE(rig.host(0).received.size() == 400);
  unsigned trimmed = 0;
  for (const Received& packet : rig.host(0).received) {
    const bool cut = (packet.flags & packet_flag::kTrimmed) != 0;
    CHECK(packet.payload_bytes == (cut ? 0 : 1000));
    CHECK(packet.wire_bytes == (cut ? 86 : 1086));
    CHECK(packet.priority == (cut ? 6 : 3));
    trimmed += cut ? 1 : 0;
  }
  CHECK(trimmed > 200);
  CHECK(rig.switch_at(0).totals().rare.trimmed == trimmed);
  CHECK(rig.switch_at(0).totals().rare.trimmed_bytes == trimmed * 1000);
  CHECK(rig.switch_at(0).totals().dropped() == 0);
  CHECK(rig.audit() == "");
}

TEST_CASE("trimming: packets that do not allow it are dropped", "[sim][fabric][trimming]") {
  RigOptions options;
  options.switches.egress_limit_bytes = 20 * kFrame;
  options.switches.trimming = true;
  Rig rig(star(3), options);
  rig.send(1, {.destination = 0}, 100);
  rig.send(2, {.destination = 0}, 100);
  rig.run();
  CHECK(rig.host(0).received.size() < 200);
  CHECK(rig.switch_at(0).totals().rare.trimmed == 0);
  CHECK(rig.audit() == "");
}

TEST_CASE("telemetry: time, queue, bytes and rate of each hop", "[sim][fabric][telemetry]") {
  Topology line;
  line.host_count = 2;
  line.nodes.resize(4);
  std::vector<std::uint16_t> next_port(4);
  add_link(line, next_port, {0, 2, 0, 0, k100G, Duration::ns(500), 0, 0});
  add_link(line, next_port, {2, 3, 0, 0, k100G, Duration::ns(500), 0, 0});
  add_link(line, next_port, {3, 1, 0, 0, 25'000'000'000, Duration::ns(500), 0, 0});
  RigOptions options;
  options.switches.telemetry = true;
  Rig rig(line, options);
  rig.send(0, {.destination = 1, .flags = packet_flag::kData | packet_flag::kTelemetry}, 10);
  rig.run();
  REQUIRE(rig.host(1).received.size() == 10);
  for (std::uint64_t k = 0; k < 10; ++k) {
    const auto& hops = rig.host(1).received[k].telemetry;
    REQUIRE(hops.size() == 2);
    CHECK(hops[0].timestamp_ps == (k + 1) * kPacketPs + kDelayPs);
    CHECK(hops[0].tx_bytes == k * kFrame);
    CHECK(hops[0].queue_bytes == 0);
    CHECK(hops[0].rate_mbps == 100'000);
    CHECK(hops[1].timestamp_ps == 2 * kPacketPs + 2 * kDelayPs + 4 * k * kPacketPs);
    CHECK(hops[1].tx_bytes == k * kFrame);
    CHECK(hops[1].rate_mbps == 25'000);
    // The arrival that coincides with a departure may or may not be there.
    const std::uint64_t arrived = std::min<std::uint64_t>(10, 4 * k + 1);
    const std::uint64_t behind = (arrived - (k + 1)) * kFrame;
    CHECK(hops[1].queue_bytes <= behind);
    CHECK(hops[1].queue_bytes + (arrived < 10 ? kFrame : 0) >= behind);
  }
}

TEST_CASE("telemetry: packets that do not ask for it, and switches without, add none", "[sim][fabric][telemetry]") {
  RigOptions options;
  options.switches.telemetry = true;
  Rig rig(star(2), options);
  rig.send(0, {.destination = 1}, 1);
  rig.run();
  CHECK(rig.host(1).received[0].telemetry.empty());
  Rig without(star(2), {});
  without.send(0, {.destination = 1, .flags = packet_flag::kTelemetry}, 1);
  without.run();
  CHECK(without.host(1).received[0].telemetry.empty());
}

TEST_CASE("samples: at whole intervals while something happens, and none when idle", "[sim][fabric][samples]") {
  RigOptions options;
  options.switches.sample_interval = Duration::us(1);
  Rig rig(slow_receiver(), options);
  rig.send(0, {.destination = 1}, 40);
  rig.send(0, {.destination = 1}, 1, TimePoint::from_ps(1'000'000'000));
  rig.run();
  const SwitchSamples& samples = rig.switch_at(0).samples();
  REQUIRE_FALSE(samples.queues.empty());
  std::uint32_t highest = 0;
  for (const QueueLengthSample& sample : samples.queues) {
    CHECK(sample.at_ps % 1'000'000 == 0);
    CHECK(sample.bytes <= sample.bytes_max);
    CHECK(sample.port == 1);
    highest = std::max(highest, sample.bytes_max);
  }
  CHECK(highest == rig.switch_at(0).class_counters(1, 3, rig.now()).queue_watermark_bytes);
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  for (const TrafficSample& sample : samples.traffic) {
    CHECK(sample.end_ps - sample.start_ps == 1'000'000);
    (sample.received ? received : sent) += sample.bytes;
    CHECK((sample.end_ps <= 20'000'000 || sample.end_ps > 1'000'000'000));
  }
  CHECK(sent == 41 * kWire);
  CHECK(received == 41 * kWire);
}

TEST_CASE("samples: pauses show how much of each interval was lost", "[sim][fabric][samples]") {
  RigOptions options;
  options.switches.sample_interval = Duration::us(10);
  options.switches.classes[3].kind = ClassKind::kLossless;
  Rig rig(star(2), options);
  rig.send(1, {.destination = 0}, 100);
  rig.pause(0, 1u << 3, 5'000, TimePoint::from_ps(5'000'000));  // 25.6 us
  rig.run();
  std::uint64_t paused_ps = 0;
  for (const PausedSample& sample : rig.switch_at(0).samples().pauses) {
    CHECK(sample.paused_ps <= 10'000'000);
    CHECK(sample.priority == 3);
    paused_ps += sample.paused_ps;
  }
  CHECK(paused_ps == 5'000 * 5'120);
}

TEST_CASE("queueing: Poisson arrivals and equal packets wait as an M/D/1 queue says", "[sim][fabric][md1]") {
  // 64 hosts with random gaps are close to Poisson; at load rho packets wait rho / (2 (1 - rho)) service times.
  for (const unsigned percent : {50u, 80u}) {
    const unsigned hosts = 64;
    Rig rig(star(hosts + 1), {});
    base::Rng rng(5, "poisson");
    const std::uint64_t gap_ps = kPacketPs * hosts * 100 / percent;
    const unsigned packets = 2000;
    std::uint64_t sent_ps = 0;
    std::uint64_t count = 0;
    for (NodeId from = 1; from <= hosts; ++from) {
      // Geometric gaps in steps of a 64th of their mean: the integer form of exponential ones.
      std::uint64_t at_ps = 0;
      for (unsigned i = 0; i < packets; ++i) {
        do at_ps += gap_ps / 64;
        while (!rng.chance(1, 64));
        const std::uint64_t at = at_ps + rng.below(gap_ps / 64);
        rig.send(from, {.destination = 0}, 1, TimePoint::from_ps(at));
        sent_ps += at;
        ++count;
      }
    }
    rig.run();
    REQUIRE(rig.host(0).received.size() == count);
    std::uint64_t arrived_ps = 0;
    for (const Received& packet : rig.host(0).received) arrived_ps += packet.time_ps;
    const std::uint64_t unloaded_ps = 2 * kPacketPs + 2 * kDelayPs;
    const std::uint64_t wait_ps = (arrived_ps - sent_ps) / count - unloaded_ps;
    // Hosts' own queues at such low load each add next to nothing (1/64 of the load).
    const std::uint64_t due_ps = kPacketPs * percent / (2 * (100 - percent));
    CAPTURE(percent, wait_ps, due_ps);
    CHECK(wait_ps > due_ps - due_ps / 10);
    CHECK(wait_ps < due_ps + due_ps / 10);
  }
}

}  // namespace
}  // namespace rocelab::sim::test
