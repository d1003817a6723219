// A packet's way through a switch when nothing is scarce: times, order, counters.
#include "tests/sim/fabric/rig.h"
#include "tests/support/catch.h"

namespace rocelab::sim::test {
namespace {

constexpr std::uint64_t kWire = 1086;            // 1000 bytes of payload and the stub's headers
constexpr std::uint64_t kPacketPs = kWire * 80;  // at 100 Gb/s
constexpr std::uint64_t kDelayPs = 500'000;

TEST_CASE("switch: a packet arrives after two serialisations and two delays", "[sim][fabric]") {
  Rig rig(star(2), {});
  rig.send(0, {.destination = 1}, 1);
  rig.run();
  REQUIRE(rig.host(1).received.size() == 1);
  CHECK(rig.host(1).received[0].time_ps == 2 * kPacketPs + 2 * kDelayPs);
  CHECK(rig.audit() == "");
}

TEST_CASE("switch: packets of a burst follow each other at line rate, in order", "[sim][fabric]") {
  Rig rig(star(2), {});
  rig.send(0, {.destination = 1}, 100);
  const RunOutcome outcome = rig.run();
  const auto& received = rig.host(1).received;
  REQUIRE(received.size() == 100);
  for (std::size_t i = 0; i < received.size(); ++i) {
    CHECK(received[i].user == i + 1);
    CHECK(received[i].time_ps == (i + 2) * kPacketPs + 2 * kDelayPs);
  }
  // One arrival per hop, and the host's port wakes itself up between packets; the switch's never waits.
  CHECK(outcome.events <= 100 * 3 + 2);
  CHECK(rig.audit() == "");
}

TEST_CASE("switch: from a fast link to a slow one packets wait and lose nothing", "[sim][fabric]") {
  Topology topology = star(2);
  topology.links[1].rate_bps = 25'000'000'000;
  Rig rig(topology, {});
  rig.send(0, {.destination = 1}, 50);
  rig.run();
  REQUIRE(rig.host(1).received.size() == 50);
  CHECK(rig.host(1).received[49].time_ps == kPacketPs + 2 * kDelayPs + 50 * kWire * 320);
  const ClassCounters counters = rig.switch_at(0).class_counters(1, 3, rig.now());
  CHECK(counters.tx_packets == 50);
  CHECK(counters.tx_bytes == 50 * (kWire - kEthernetGapBytes));
  // While 50 arrive at four times the rate, 13 leave: the one being sent waits no more.
  CHECK(counters.queue_watermark_bytes == 37 * (kWire - kEthernetGapBytes));
  CHECK(rig.audit() == "");
}

TEST_CASE("switch: store and forward over n hops adds a serialisation and a delay each", "[sim][fabric]") {
  for (const unsigned switches : {1u, 2u, 5u}) {
    Topology line;
    line.host_count = 2;
    std::vector<std::uint16_t> next_port(2 + switches);
    line.nodes.resize(2 + switches);
    for (unsigned i = 0; i <= switches; ++i) {
      const std::uint32_t a = i == 0 ? 0 : 1 + i;
      const std::uint32_t b = i == switches ? 1 : 2 + i;
      add_link(line, next_port, {a, b, 0, 0, k100G, Duration::ns(500), 0, 0});
    }
    Rig rig(line, {});
    rig.send(0, {.destination = 1}, 1);
    rig.run();
    REQUIRE(rig.host(1).received.size() == 1);
    CHECK(rig.host(1).received[0].time_ps == (switches + 1) * (kPacketPs + kDelayPs));
  }
}

TEST_CASE("switch: N to one finishes when the last link has carried everything", "[sim][fabric]") {
  Rig rig(star(17), {});
  for (NodeId from = 1; from <= 16; ++from) rig.send(from, {.destination = 0}, 200);
  rig.run();
  REQUIRE(rig.host(0).received.size() == 16 * 200);
  CHECK(rig.host(0).received.back().time_ps == kPacketPs + 2 * kDelayPs + 16 * 200 * kPacketPs);
  CHECK(rig.audit() == "");
}

TEST_CASE("switch: destinations that do not exist are counted and dropped", "[sim][fabric]") {
  Rig rig(star(2), {});
  rig.send(0, {.destination = 77}, 3);
  rig.run();
  const RareCounters rare = rig.switch_at(0).class_counters(0, 3, rig.now()).rare;
  CHECK(rare.drops[static_cast<unsigned>(DropReason::kUnroutable)] == 3);
  CHECK(rig.audit() == "");
}

TEST_CASE("switch: counters have the names of a real switch's and sum up", "[sim][fabric]") {
  Rig rig(star(3), {});
  rig.send(0, {.destination = 2, .priority = 1}, 10);
  rig.send(1, {.destination = 2, .priority = 5}, 20);
  rig.run();
  std::vector<std::string> lines;
  for_each_counter(rig.switch_at(0), rig.now(), [&](unsigned port, std::string_view name, std::uint64_t value) {
    lines.push_back(std::to_string(port) + " " + std::string(name) + " " + std::to_string(value));
  });
  const auto has = [&](const std::string& line) { return std::find(lines.begin(), lines.end(), line) != lines.end(); };
  CHECK(has("0 rx_packets_prio1 10"));
  CHECK(has("0 rx_bytes_prio1 10660"));
  CHECK(has("1 rx_packets_prio5 20"));
  CHECK(has("2 tx_packets_prio1 10"));
  CHECK(has("2 tx_packets_prio5 20"));
  CHECK(has("2 tx_packets 30"));
  CHECK(has("2 tx_bytes 31980"));
  CHECK(rig.switch_at(0).totals().tx_packets == 30);
}

}  // namespace
}  // namespace rocelab::sim::test
