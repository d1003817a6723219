// Links that lose, damage, fail and come back; and the parts that carry them: rates, effects, pools.
#include <thread>

#include "sim/fabric/link_effects.h"
#include "sim/fabric/rate.h"
#include "tests/sim/fabric/rig.h"
#include "tests/support/catch.h"

namespace rocelab::sim::test {
namespace {

constexpr std::uint64_t kPacketPs = 1086 * 80;

std::vector<std::uint64_t> users(const StubHost& host) {
  std::vector<std::uint64_t> result;
  for (const Received& packet : host.received) result.push_back(packet.user);
  return result;
}

TEST_CASE("rate: whole picoseconds a byte where possible, rounded up where not", "[sim][fabric][link]") {
  CHECK(Rate::from_bps(100'000'000'000).ps_per_byte() == 80);
  CHECK(Rate::from_bps(400'000'000'000).time_ps(1500) == 30'000);
  CHECK(Rate::from_bps(1).time_ps(1) == 8'000'000'000'000);
  CHECK(Rate::from_bps(3).time_ps(1) == 2'666'666'666'667);
  CHECK(Rate::from_bps(7'000'000'000).time_ps(1000) == 1'142'858);
  CHECK(Rate::from_bps(100'000'000'000).bytes_in(500'000) == 6250);
  CHECK(Rate::from_bps(100'000'000'000'000).time_ps(1'000'000) == 80'000);  // 100 Tb/s: less than a picosecond a byte
}

TEST_CASE("effects: the chance to stay whole is (1 - e) to the number of bits", "[sim][fabric][link]") {
  LinkEffectsOptions options;
  // In billionths.
  const auto intact = [&](std::uint64_t per_1e18, std::uint32_t bytes) {
    options.bit_errors_per_1e18 = per_1e18;
    const LinkEffects effects(options, base::Rng(1, "x"));
    const auto wide = static_cast<unsigned __int128>(effects.intact_probability(bytes)) * 1'000'000'000;
    return static_cast<std::int64_t>((wide + (std::uint64_t{1} << 63)) >> 64);
  };
  CHECK(intact(0, 9000) == 1'000'000'000);
  CHECK(std::abs(intact(1'000'000'000'000, 1000) - 992'031'914) <= 3);  // 1e-6, 8,000 bits
  CHECK(std::abs(intact(1'000'000'000'000'000, 1000) - 334'123) <= 1);  // 1e-3
  CHECK(intact(500'000'000'000'000'000, 1) == 3'906'250);               // a half, 8 bits
  CHECK(intact(1'000'000'000'000'000'000, 1) == 0);
}

TEST_CASE("link: loses by script: which, how many, of which kind", "[sim][fabric][link]") {
  RigOptions options;
  Rig rig(star(3), options);
  LinkEffectsOptions effects;
  effects.scripted = {{.first = 3},
                      {.flags = packet_flag::kAck, .first = 1, .count = 2},
                      {.source = 2, .first = 2, .count = 1, .corrupt = true}};
  rig.switch_at(0).set_link_effects(0, effects);
  rig.send(1, {.destination = 0, .priority = 1}, 10);
  rig.send(1, {.destination = 0, .priority = 1, .flags = packet_flag::kAck}, 5, TimePoint::from_ps(100'000'000));
  rig.send(2, {.destination = 0, .priority = 1}, 4, TimePoint::from_ps(200'000'000));
  rig.run();
  CHECK(users(rig.host(0)) == std::vector<std::uint64_t>{1, 2, 4, 5, 6, 7, 8, 9, 10, 3, 4, 5, 1, 3, 4});
  const PortCounters sender = rig.switch_at(0).port(0).counters();
  CHECK(sender.tx_lost == 3);
  CHECK(sender.tx_corrupted == 1);
  CHECK(rig.host(0).port.counters().rx_fcs_errors == 1);
  CHECK(rig.audit() == "");
}

TEST_CASE("link: loses at random at the given rate, the same ones with the same seed", "[sim][fabric][link]") {
  std::vector<std::uint64_t> first;
  for (int round = 0; round < 2; ++round) {
    Rig rig(star(2), {});
    LinkEffectsOptions effects;
    effects.loss_numerator = 1;
    effects.loss_denominator = 20;
    rig.switch_at(0).set_link_effects(1, effects);
    rig.send(0, {.destination = 1}, 10'000);
    rig.run();
    CHECK(std::abs(static_cast<int>(rig.host(1).received.size()) - 9500) < 88);  // four standard deviations
    CHECK(rig.switch_at(0).port(1).counters().tx_lost == 10'000 - rig.host(1).received.size());
    CHECK(rig.audit() == "");
    if (round == 0) first = users(rig.host(1));
    CHECK(users(rig.host(1)) == first);
  }
}

TEST_CASE("link: bit errors are noticed by the receiver; they begin and end by event", "[sim][fabric][link]") {
  Rig rig(star(2), {});
  rig.send(0, {.destination = 1}, 20'000);
  const std::uint64_t from_ps = 5000 * kPacketPs;
  const std::uint64_t to_ps = 15'000 * kPacketPs;
  rig.simulation().schedule_initial(TimePoint::from_ps(from_ps), 0, event_kind::kBitErrors, 0, 1'000'000'000'000);
  rig.simulation().schedule_initial(TimePoint::from_ps(to_ps), 0, event_kind::kBitErrors, 0, 0);
  rig.run();
  // 10,000 frames of 8,528 bits at 1e-6: 0.849 % of them, 85 +- 37 (four standard deviations).
  const std::uint64_t damaged = rig.switch_at(0).port(0).counters().rx_fcs_errors;
  CHECK(std::abs(static_cast<int>(damaged) - 85) < 37);
  CHECK(rig.host(1).received.size() == 20'000 - damaged);
  for (std::size_t i = 0; i < 4900; ++i) REQUIRE(rig.host(1).received[i].user == i + 1);
  CHECK(rig.audit() == "");
}

TEST_CASE("link: down, what is on it is lost and what waits is dropped; up again, it carries", "[sim][fabric][link]") {
  Topology topology = star(2);
  topology.links[1].rate_bps = 25'000'000'000;
  Rig rig(topology, {});
  rig.send(0, {.destination = 1}, 100);
  rig.send(0, {.destination = 1}, 10, TimePoint::from_ps(30'000'000));
  rig.link_state(1, false, TimePoint::from_ps(10'000'000));
  rig.link_state(1, true, TimePoint::from_ps(20'000'000));
  rig.run();
  const SwitchTotals totals = rig.switch_at(0).totals();
  const std::uint64_t dropped = totals.rare.drops[static_cast<unsigned>(DropReason::kLinkDown)];
  const std::uint64_t on_link = rig.host(1).port.counters().rx_link_down;
  CHECK(dropped > 0);
  // A packet every 347.5 ns, each on the link for that and 500 ns.
  CHECK(on_link >= 2);
  CHECK(on_link <= 3);
  CHECK(rig.host(1).received.size() + dropped + on_link == 110);
  CHECK(rig.host(1).received.size() > 10);
  CHECK(rig.host(1).received.back().user == 10);
  CHECK(rig.audit() == "");
}

TEST_CASE("link: a flap shorter than the link loses what was on it, no more", "[sim][fabric][link]") {
  Topology topology = star(2);
  topology.links[1].delay = Duration::us(10);
  Rig rig(topology, {});
  rig.send(0, {.destination = 1}, 200);
  rig.link_state(1, false, TimePoint::from_ps(12'000'000));
  rig.link_state(1, true, TimePoint::from_ps(12'000'001));
  rig.run();
  const std::uint64_t on_link = rig.host(1).port.counters().rx_link_down;
  CHECK(on_link * kPacketPs >= 9'900'000);
  CHECK(on_link * kPacketPs <= 10'200'000);
  CHECK(rig.host(1).received.size() + on_link + rig.switch_at(0).totals().dropped() == 200);
  CHECK(rig.audit() == "");
}

TEST_CASE("link: a host's link that is down holds its packets back", "[sim][fabric][link]") {
  Rig rig(star(2), {});
  rig.link_state(0, false, TimePoint::from_ps(0));
  rig.link_state(0, false, TimePoint::from_ps(1'000));  // said twice, it means once
  rig.link_state(0, true, TimePoint::from_ps(50'000'000));
  rig.send(0, {.destination = 1}, 3, TimePoint::from_ps(1'000'000));
  rig.run();
  REQUIRE(rig.host(1).received.size() == 3);
  CHECK(rig.host(1).received[0].time_ps == 50'000'000 + 2 * kPacketPs + 1'000'000);
}

TEST_CASE("link: going down ends pauses in both directions", "[sim][fabric][link]") {
  RigOptions options;
  options.switches.classes[3].kind = ClassKind::kLossless;
  Rig rig(star(2), options);
  rig.pause(0, 1u << 3, 0xffff, TimePoint());
  rig.send(1, {.destination = 0}, 1, TimePoint::from_ps(50'000'000));
  rig.link_state(0, false, TimePoint::from_ps(20'000'000));
  rig.link_state(0, true, TimePoint::from_ps(30'000'000));
  rig.run();
  REQUIRE(rig.host(0).received.size() == 1);
  CHECK(rig.host(0).received[0].time_ps < 60'000'000);
}

TEST_CASE("pool: packets freed by another partition come back in batches", "[sim][fabric][pool]") {
  PacketPools pools(2);
  std::vector<Packet*> taken;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 1000; ++i) taken.push_back(pools.at(0).allocate());
    for (Packet* packet : taken) pools.at(1).free(packet);
    taken.clear();
  }
  CHECK(pools.in_use() == 0);
  // One way only: a thousand in use, and what the pools keep in hand.
  CHECK(pools.at(0).created() <= 1000 + 4 * PacketPool::kBatch);
  CHECK(pools.at(1).created() == 0);
}

TEST_CASE("pool: a packet comes with its first line reset", "[sim][fabric][pool]") {
  PacketPools pools;
  Packet* packet = pools.at(0).allocate();
  packet->flags = packet_flag::kCorrupt;
  packet->hops = 9;
  packet->telemetry_hops = 3;
  packet->ecn = Ecn::kMarked;
  pools.at(0).free(packet);
  Packet* again = pools.at(0).allocate();
  CHECK(again == packet);
  CHECK(again->flags == 0);
  CHECK(again->hops == 0);
  CHECK(again->telemetry_hops == 0);
  CHECK(again->ecn == Ecn::kNotCapable);
  pools.at(0).free(again);
}

TEST_CASE("pool: two threads pass packets to each other through the depot", "[sim][fabric][pool][threads]") {
  PacketPools pools(2);
  const auto churn = [&](unsigned self) {
    std::vector<Packet*> mine;
    for (int round = 0; round < 2000; ++round) {
      for (int i = 0; i < 100; ++i) mine.push_back(pools.at(self).allocate());
      for (Packet* packet : mine) pools.at(self).free(packet);
      mine.clear();
    }
  };
  std::thread other(churn, 1);
  churn(0);
  other.join();
  CHECK(pools.in_use() == 0);
}

}  // namespace
}  // namespace rocelab::sim::test
