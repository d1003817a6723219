// The soak of src/runtime: 16 processes on one device, each connected to each other, all exchanging at once; some are
// killed and replaced while the others go on. Prints what it does; exit status 0 when every completion came.
//
// Timeouts are long (4.3 s, 7 retries): on a busy machine with few processors a process may wait seconds for its turn.
//
// usage: runtime_soak [PROCESSES [MESSAGES]]
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "runtime/host_counters.h"
#include "tests/runtime/peer_process.h"
#include "tests/runtime/temporary_directory.h"

using namespace rocelab;
using tests::PeerProcess;

namespace {

int failures = 0;
constexpr int kConnections = 2'000;
constexpr long kPagesGrownMax = 1'024;  ///< rings and caches that fill up

void expect(const std::string& answer, const std::string& wanted, const std::string& what) {
  if (answer == wanted) return;
  std::printf("%s: \"%s\", expected \"%s\"\n", what.c_str(), answer.c_str(), wanted.c_str());
  ++failures;
}

/// All processes of the host, and which endpoint of i leads to j.
struct Mesh {
  Mesh(const std::string& run_dir, std::size_t processes) : run_dir_(run_dir), next_(processes), to_(processes) {
    for (std::size_t i = 0; i < processes; ++i) {
      peers_.push_back(start());
      to_[i].resize(processes);
    }
    for (std::size_t i = 0; i < processes; ++i) {
      for (std::size_t j = 0; j < i; ++j) connect(i, j);
    }
  }

  std::unique_ptr<PeerProcess> start() const {
    return std::make_unique<PeerProcess>(run_dir_, PeerProcess::Variables{{"ROCELAB_RING_SLOTS", "64"}});
  }
  void connect(std::size_t i, std::size_t j) {
    const std::string at_i = peers_[i]->ask("new 20 7"), at_j = peers_[j]->ask("new 20 7");
    to_[i][j] = next_[i]++;
    to_[j][i] = next_[j]++;
    expect(peers_[i]->ask(fmt::format("connect {} {}", to_[i][j], at_j)), "0", "connect");
    expect(peers_[j]->ask(fmt::format("connect {} {}", to_[j][i], at_i)), "0", "connect");
  }
  void exchange(std::uint32_t messages, std::uint32_t bytes) {
    for (const auto& peer : peers_) peer->tell(fmt::format("mix {} {}", messages, bytes));
    for (const auto& peer : peers_) expect(peer->hear(), "ok", "mix");
  }
  /// Ends process i without warning, and puts another in its place.
  void replace(std::size_t i) {
    peers_[i]->finish(SIGKILL);
    for (std::size_t j = 0; j < peers_.size(); ++j) {
      if (j != i) expect(peers_[j]->ask(fmt::format("destroy {}", to_[j][i])), "ok", "destroy");
    }
    peers_[i] = start();
    next_[i] = 0;
    for (std::size_t j = 0; j < peers_.size(); ++j) {
      if (j != i) connect(i, j);
    }
  }
  void end() {
    for (const auto& peer : peers_) expect(std::to_string(peer->finish()), "0", "exit status");
  }

 private:
  std::string run_dir_;
  std::vector<std::unique_ptr<PeerProcess>> peers_;
  std::vector<int> next_;             ///< number of the next endpoint of a process
  std::vector<std::vector<int>> to_;  ///< endpoint of i that leads to j
};

/// Connections between two processes, one after the other: memory must not grow.
void set_up_and_tear_down(const std::string& run_dir, int cycles) {
  const PeerProcess a(run_dir), b(run_dir);
  long before = 0;
  for (int i = 0; i < cycles; ++i) {
    const std::string at_a = a.ask("new"), at_b = b.ask("new");
    expect(a.ask(fmt::format("connect {} {}", i, at_b)), "0", "connect");
    expect(b.ask(fmt::format("connect {} {}", i, at_a)), "0", "connect");
    expect(a.ask(fmt::format("write {} 1 100 1", i)), "ok", "write");
    for (const PeerProcess* peer : {&a, &b}) expect(peer->ask(fmt::format("destroy {}", i)), "ok", "destroy");
    if (i == cycles / 10) before = std::stol("0" + a.ask("resident"));
  }
  const long after = std::stol("0" + a.ask("resident"));
  std::printf("%d connections set up and torn down: %ld pages became %ld\n", cycles, before, after);
  if (after - before > kPagesGrownMax) ++failures;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t processes = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 16;
  const auto messages = static_cast<std::uint32_t>(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 60);
  const tests::TemporaryDirectory where;
  Mesh mesh(where.path(), processes);
  std::printf("%zu processes, %zu connections\n", processes, processes * (processes - 1) / 2);
  mesh.exchange(messages, 64);
  mesh.exchange(messages, 20'000);
  for (const std::size_t victim : {processes / 2, std::size_t{0}, processes - 1}) {
    mesh.replace(victim);
    mesh.exchange(messages, 5'000);
  }
  mesh.end();
  set_up_and_tear_down(where.path(), kConnections);
  runtime::Config config;
  config.run_dir = where.path();
  if (const auto report = runtime::read_counters(config)) {
    for (const auto& [name, value] : report->host) {
      if (value != 0) std::printf("%s %llu\n", name.c_str(), static_cast<unsigned long long>(value));
    }
    expect(std::to_string(report->processes.size()), "0", "processes left");
  }
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
