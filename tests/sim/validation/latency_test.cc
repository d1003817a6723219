// Store and forward, and goodput at line rate: exact.
#include <fmt/format.h>

#include "tests/sim/support/scenario_run.h"

namespace rocelab::test {

namespace {

// A RoCE v2 packet on the wire: Ethernet 14, IPv4 20, UDP 8, BTH 12, ICRC 4, FCS 4, preamble and gap 20.
constexpr std::uint64_t kOverhead = 82;
constexpr std::uint64_t kReth = 16;
constexpr std::uint64_t kAck = kOverhead + 4;
constexpr std::uint64_t kPsPerByte = 80;  // 100 Gb/s
constexpr std::uint64_t kDelay = 1'000'000;

/// One message from host0 to the last host of a fabric.
std::string one_message(const std::string& topology, std::uint64_t bytes, const std::string& last) {
  return fmt::format(
      "[topology]\n{}\n[host]\nprofile = \"ideal\"\n[transport]\nmtu = 1024\ncongestion = \"none\"\n"
      "[[workload]]\nkind = \"incast\"\nsources = [\"host0\"]\ndestinations = [\"{}\"]\nbytes = {}\n",
      topology, last, bytes);
}

struct Path {
  const char* topology;
  const char* last;
  std::uint64_t links;
};
constexpr Path kPaths[] = {{"kind = \"single_switch\"\nhosts = 2", "host1", 2},
                           {"kind = \"dumbbell\"", "host3", 3},
                           {"kind = \"leaf_spine\"", "host15", 4},
                           {"kind = \"fat_tree\"\nk = 4", "host15", 6}};

}  // namespace

TEST_CASE("validation: a packet over n links takes n times its serialisation and delay, and so does its ACK",
          "[sim][validation]") {
  for (const Path& path : kPaths) {
    INFO(path.topology);
    const ScenarioRun run(one_message(path.topology, 1000, path.last));
    const std::uint64_t forth = path.links * ((1000 + kOverhead + kReth) * kPsPerByte + kDelay);
    const std::uint64_t back = path.links * (kAck * kPsPerByte + kDelay);
    REQUIRE(run.results().size() == 1);
    CHECK(run.fct_ps(0) == forth + back);
    CHECK(run.results()[0].ideal_ps == forth + back);
  }
}

TEST_CASE("validation: a long message runs at line rate, headers counted", "[sim][validation]") {
  constexpr std::uint64_t kPackets = 20'000;
  for (const Path& path : kPaths) {
    INFO(path.topology);
    const ScenarioRun run(one_message(path.topology, kPackets * 1024, path.last));
    // Back to back on the first link, then the last packet alone over the others; behind a first packet that is longer
    // by its RETH, which every link feels.
    const std::uint64_t packet = (1024 + kOverhead) * kPsPerByte;
    const std::uint64_t forth =
        kPackets * packet + path.links * kReth * kPsPerByte + (path.links - 1) * packet + path.links * kDelay;
    const std::uint64_t back = path.links * (kAck * kPsPerByte + kDelay);
    REQUIRE(run.results().size() == 1);
    CHECK(run.fct_ps(0) == forth + back);
    CHECK(run.results()[0].ideal_ps == forth + back);
  }
}

TEST_CASE("validation: links of different rates: the slowest one sets the pace", "[sim][validation]") {
  const ScenarioRun run(
      one_message("kind = \"dumbbell\"\n[topology.middle_link]\nrate = \"25Gb/s\"", 1024 * 1000, "host3"));
  const std::uint64_t packet = 1024 + kOverhead;
  const std::uint64_t forth = (packet + kReth) * 80 + (1000 * packet + kReth) * 320 + packet * 80 + 3 * kDelay;
  const std::uint64_t back = kAck * (80 + 320 + 80) + 3 * kDelay;
  REQUIRE(run.results().size() == 1);
  CHECK(run.fct_ps(0) == forth + back);
  CHECK(run.results()[0].ideal_ps == forth + back);
}

TEST_CASE("validation: profiles of hosts add their delays to both ends, whatever the payload is made of",
          "[sim][validation]") {
  for (const char* profile : {"ideal", "connectx", "soft"}) {
    for (const char* payload : {"elided", "real", "wire_exact"}) {
      for (const std::uint64_t bytes : {1u, 1025u, 300'001u}) {
        const ScenarioRun run(fmt::format(
            "[topology]\nkind = \"dumbbell\"\n[host]\nprofile = \"{}\"\npayload = \"{}\"\n[[workload]]\nkind = "
            "\"incast\"\nsources = [\"host0\"]\ndestinations = [\"host3\"]\nbytes = {}\n",
            profile, payload, bytes));
        REQUIRE(run.results().size() == 1);
        CHECK(run.results()[0].fct_ps == run.results()[0].ideal_ps);
      }
    }
  }
}

}  // namespace rocelab::test
