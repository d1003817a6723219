// Several processes on one device: traffic over memif links, starts in any order, ends at any time, idleness.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "runtime/host_counters.h"
#include "tests/runtime/peer_process.h"
#include "tests/runtime/temporary_directory.h"
#include "tests/support/catch.h"

using namespace rocelab;
using tests::PeerProcess;
using tests::TemporaryDirectory;

namespace {

constexpr const char* kRetryExceeded = "status 12 ";

// Options of an endpoint, "TIMEOUT RETRIES". A peer that lives may still be kept from a core for long on a busy
// machine: only what must fail is posted to a hasty endpoint.
constexpr const char* kPatient = "16 7";  // 0.27 s, eight times
constexpr const char* kHasty = "10 3";    // 4 ms, four times

/// Makes an endpoint on both sides and connects them: endpoint `index` of a, and the same of b unless said otherwise.
void join(const PeerProcess& a, const PeerProcess& b, int index = 0, const std::string& options = "",
          int index_b = -1) {
  if (index_b < 0) index_b = index;
  const std::string at_a = a.ask("new " + options), at_b = b.ask("new " + options);
  REQUIRE_FALSE(at_a.empty());
  REQUIRE_FALSE(at_b.empty());
  REQUIRE(a.ask(fmt::format("connect {} {}", index, at_b)) == "0");
  REQUIRE(b.ask(fmt::format("connect {} {}", index_b, at_a)) == "0");
}

std::uint64_t counter(const std::string& run_dir, const std::string& name) {
  runtime::Config config;
  config.run_dir = run_dir;
  const auto report = runtime::read_counters(config);
  REQUIRE(report.has_value());
  for (const auto& [key, value] : report->host) {
    if (key == name) return value;
  }
  FAIL("no counter " << name);
  return 0;
}

}  // namespace

TEST_CASE("processes: RC traffic of all kinds between two", "[runtime][processes]") {
  const std::string progress = GENERATE("auto", "thread", "poll");
  TemporaryDirectory where;
  PeerProcess a(where.path(), {{"ROCELAB_PROGRESS", progress}}), b(where.path(), {{"ROCELAB_PROGRESS", progress}});
  join(a, b);
  for (const std::uint32_t bytes : {0u, 1u, 4096u, 4097u, 1'000'000u}) {
    b.tell(fmt::format("recv 0 1 {} 5", bytes));
    CHECK(a.ask(fmt::format("send 0 1 {} 5", bytes)) == "ok");
    CHECK(b.hear() == "ok");
  }
  CHECK(a.ask("write 0 20 300000 9") == "ok");  // b only waits for its input: its thread answers
  CHECK(b.ask("write 0 20 300000 9") == "ok");
  CHECK(a.finish() == 0);
  CHECK(b.finish() == 0);
  CHECK(counter(where.path(), "links_made") == 2);
  CHECK(counter(where.path(), "rx_bad_icrc") == 0);
  CHECK(counter(where.path(), "tx_no_peer") == 0);
}

TEST_CASE("processes: each entry of the GID table carries traffic", "[runtime][processes]") {
  TemporaryDirectory where;
  PeerProcess a(where.path()), b(where.path());
  for (int gid = 0; gid < 4; ++gid) {
    join(a, b, gid, fmt::format("14 7 {}", gid));
    CHECK(a.ask(fmt::format("write {} 3 5000 {}", gid, gid)) == "ok");
  }
}

TEST_CASE("processes: the one that sends first may be the lower or the higher slot", "[runtime][processes]") {
  TemporaryDirectory where;
  const bool lower_first = GENERATE(true, false);
  PeerProcess a(where.path()), b(where.path());
  join(a, b);
  const int slot_of_a = std::stoi(a.ask("slot")), slot_of_b = std::stoi(b.ask("slot"));
  const PeerProcess& first = (slot_of_a < slot_of_b) == lower_first ? a : b;
  CHECK(first.ask("write 0 1 100 1") == "ok");
}

TEST_CASE("processes: a peer killed in mid-transfer leaves retries that end, and a slot for others",
          "[runtime][processes]") {
  TemporaryDirectory where;
  PeerProcess a(where.path());
  for (int round = 0; round < 3; ++round) {
    PeerProcess b(where.path());
    join(a, b, 2 * round, kPatient, 0);
    join(a, b, 2 * round + 1, kHasty, 1);
    b.tell("flood 0 65536");
    CHECK(b.hear() == "flooding");
    CHECK(a.ask(fmt::format("write {} 5 100000 1", 2 * round)) == "ok");
    b.finish(SIGKILL);
    CHECK(a.ask(fmt::format("write {} 1 100000 1", 2 * round + 1)).starts_with(kRetryExceeded));
  }
  PeerProcess c(where.path());
  join(a, c, 6, kPatient, 0);
  CHECK(a.ask("write 6 5 100000 1") == "ok");
  CHECK(a.finish() == 0);
  CHECK(c.finish() == 0);
  // Nothing of the dead stays but what the next owner of their slots will remove.
  for (const auto& entry : std::filesystem::directory_iterator(where.path())) {
    INFO(entry.path());
    CHECK_FALSE(entry.path().filename().string().starts_with("link-"));
  }
}

TEST_CASE("processes: a peer that has ended in peace is not missed", "[runtime][processes]") {
  TemporaryDirectory where;
  PeerProcess a(where.path());
  PeerProcess b(where.path());
  join(a, b, 0, kPatient);
  join(a, b, 1, kHasty);
  CHECK(a.ask("post-recv 0 1 5000") == "ok");
  CHECK(b.ask("send 0 1 5000 3") == "ok");
  CHECK(b.finish() == 0);
  CHECK(a.ask("take 0 1 5000 3") == "ok");  // what it sent is there
  CHECK(a.ask("write 1 1 100 1").starts_with(kRetryExceeded));
  CHECK(counter(where.path(), "links_lost") == 0);
}

TEST_CASE("processes: a peer that stands still is waited for within the retries", "[runtime][processes]") {
  TemporaryDirectory where;
  PeerProcess a(where.path()), b(where.path());
  join(a, b, 0, kHasty);
  join(a, b, 1, "0 7");  // no timeout
  CHECK(a.ask("write 1 1 1000 1") == "ok");
  b.stop();
  CHECK(a.ask("write 0 1 1000 1").starts_with(kRetryExceeded));
  a.tell("write 1 1 1000 1");
  b.signal(SIGCONT);
  CHECK(a.hear() == "ok");
}

TEST_CASE("processes: many links at once, each used", "[runtime][processes]") {
  TemporaryDirectory where;
  constexpr int kPeers = 5;
  PeerProcess hub(where.path(), {{"ROCELAB_RING_SLOTS", "64"}});
  std::vector<std::unique_ptr<PeerProcess>> peers;
  for (int i = 0; i < kPeers; ++i) {
    peers.push_back(std::make_unique<PeerProcess>(where.path(), PeerProcess::Variables{{"ROCELAB_RING_SLOTS", "64"}}));
  }
  for (int i = 0; i < kPeers; ++i) {
    const std::string here = hub.ask("new"), there = peers[static_cast<std::size_t>(i)]->ask("new");
    REQUIRE(hub.ask(fmt::format("connect {} {}", i, there)) == "0");
    REQUIRE(peers[static_cast<std::size_t>(i)]->ask("connect 0 " + here) == "0");
  }
  hub.tell("mix 200 20000");
  for (const auto& peer : peers) peer->tell("mix 200 20000");
  CHECK(hub.hear() == "ok");
  for (const auto& peer : peers) CHECK(peer->hear() == "ok");
}

TEST_CASE("processes: a multicast datagram reaches every member on the host once", "[runtime][processes]") {
  TemporaryDirectory where;
  const std::string group = GENERATE("239.1.2.3", "ff0e::77");
  PeerProcess a(where.path()), b(where.path()), c(where.path()), other(where.path());
  for (const PeerProcess* member : {&a, &b, &c}) REQUIRE(member->ask("join " + group) == "ok");
  REQUIRE(other.ask("join 239.9.9.9") == "ok");
  CHECK(a.ask("say first") == "ok");
  CHECK(b.ask("listen") == "first");
  CHECK(c.ask("listen") == "first");
  CHECK(other.ask("say elsewhere") == "ok");
  CHECK(b.ask("say second") == "ok");
  CHECK(c.ask("listen") == "second");  // not the first again, and not the other group's
}

TEST_CASE("processes: an idle device burns no processor time and switches no context", "[runtime][processes]") {
  TemporaryDirectory where;
  const std::string progress = GENERATE("auto", "thread", "poll");
  PeerProcess idle(where.path(), {{"ROCELAB_PROGRESS", progress}}), other(where.path());
  join(idle, other);
  CHECK(other.ask("write 0 10 10000 1") == "ok");  // links are up, DPDK runs
  CHECK(idle.ask("write 0 10 10000 1") == "ok");
  TemporaryDirectory elsewhere;
  PeerProcess busy(elsewhere.path());
  PeerProcess busy_too(elsewhere.path());
  join(busy, busy_too);
  // Between two looks other processes do a lot; the first looks wait for timers that are still running.
  std::string before, after = "?";
  for (int tries = 0; tries < 20 && before != after; ++tries) {
    before = idle.ask("silence");
    CHECK(busy.ask("write 0 2000 50000 1") == "ok");
    after = idle.ask("silence");
  }
  CHECK(before == after);
}

TEST_CASE("processes: a child forked after DPDK has started is refused a host, and the parent goes on",
          "[runtime][processes][fork]") {
  TemporaryDirectory where;
  PeerProcess a(where.path()), b(where.path());
  join(a, b);
  CHECK(a.ask("write 0 5 1000 1") == "ok");
  CHECK(a.ask("exec-free-fork") == "ok");
  CHECK(a.ask("write 0 5 1000 1") == "ok");
}

TEST_CASE("processes: faults on every port cost time and no bytes", "[runtime][processes]") {
  TemporaryDirectory where;
  const PeerProcess::Variables faults = {
      {"ROCELAB_FAULTS", "seed=3,loss=20000,corrupt=10000,duplicate=10000,reorder=10000,delay=5000"}};
  PeerProcess a(where.path(), faults), b(where.path(), faults);
  join(a, b, 0, kPatient);
  CHECK(a.ask("write 0 30 100000 1") == "ok");
  CHECK(b.ask("write 0 30 100000 2") == "ok");
}

TEST_CASE("processes: each writes its capture of what it sends and receives", "[runtime][processes]") {
  TemporaryDirectory where, files;
  const PeerProcess::Variables capture = {{"ROCELAB_PCAP", files.file("%p.pcapng")}};
  PeerProcess a(where.path(), capture), b(where.path(), capture);
  join(a, b);
  CHECK(a.ask("write 0 3 10000 1") == "ok");
  CHECK(a.finish() == 0);
  CHECK(b.finish() == 0);
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(files.path())) {
    CHECK(entry.file_size() > 30'000);
    ++count;
  }
  CHECK(count == 2);
}

TEST_CASE("processes: a bad configuration ends a program with its message", "[runtime][processes]") {
  TemporaryDirectory where;
  PeerProcess a(where.path(), {{"ROCELAB_MTU", "77"}});
  CHECK(a.hear().empty());
  CHECK(a.finish() == 2);
}
