// perf/verbs_many: many queue pairs between two processes, all exchanging, and what an idle device costs. Each process
// writes a word to its place of the other's memory on every queue pair, round after round, and checks what the other
// has written. Then both stop polling and the processor time they burn is measured. Run under `rocelab run`.
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "perf/options.h"
#include "perf/pair.h"
#include "perf/verbs_end.h"

namespace rocelab::perf {
namespace {

constexpr std::size_t kSlotBytes = 64;
constexpr std::uint64_t kWindow = 4096;  // writes on the way, over all queue pairs

struct ManyOptions {
  std::uint32_t qps = 10'000;
  std::uint32_t rounds = 20;
  double idle_seconds = 5;
};

/// Resident memory of this process.
std::size_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long pages = 0;
  const bool read = file != nullptr && std::fscanf(file, "%*u %lu", &pages) == 1;
  if (file != nullptr) std::fclose(file);
  return read ? pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) : 0;
}

struct Usage {
  double seconds = 0;  // of processor time, all threads
  long wake_ups = 0;   // times the kernel switched to this process
};

Usage usage() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return {seconds(u.ru_utime) + seconds(u.ru_stime), u.ru_nvcsw + u.ru_nivcsw};
}

/// Writes `round` on every queue pair and waits until all have completed and the other side's words are here.
bool exchange_round(VerbsEnd& end, std::uint64_t round, bool shared) {
  const std::uint64_t before = end.sent;
  for (std::uint32_t qp = 0; qp < end.qps(); ++qp) {
    const std::size_t offset = qp * kSlotBytes;
    std::memcpy(end.out() + offset, &round, sizeof round);
    ibv_sge sge;
    ibv_send_wr wr;
    end.fill(wr, sge, IBV_WR_RDMA_WRITE, offset, kSlotBytes, true);
    if (!end.post(qp, wr)) return false;
    while (qp + 1 - (end.sent - before) >= kWindow) {
      if (!end.poll()) return false;
      if (shared) relax(true);
    }
  }
  while (end.sent - before < end.qps()) {
    if (!end.poll()) return false;
    if (shared) relax(true);
  }
  for (std::uint32_t qp = 0; qp < end.qps(); ++qp) {
    while (end.word(qp * kSlotBytes) < round) {
      if (!end.poll()) return false;
      if (shared) relax(true);
    }
    // The other side may be one round ahead, never more: it waits for this side's words.
    if (end.word(qp * kSlotBytes) > round + 1) return false;
  }
  return true;
}

int measure(VerbsEnd& end, Channel& channel, bool first, bool shared, double setup_seconds, std::size_t before_setup,
            const ManyOptions& many) {
  std::uint64_t flag = 0;
  bool good = exchange_round(end, 1, shared) && end.finish(flag, shared);
  const std::size_t warm = resident_bytes();
  const double seconds = seconds_of([&] {
    for (std::uint64_t round = 2; good && round < 2 + many.rounds; ++round) good = exchange_round(end, round, shared);
  });
  good = good && end.finish(flag, shared);
  const std::size_t last = resident_bytes();
  if (!good) {
    std::fprintf(stderr, "verbs_many: an exchange failed or its contents are wrong\n");
    return 1;
  }
  if (!channel.barrier()) return 1;
  const Usage busy = usage();
  std::this_thread::sleep_for(std::chrono::duration<double>(many.idle_seconds));
  const Usage idle = usage();
  good = channel.barrier() && end.finish(flag, shared);  // still alive
  if (first) {
    const double count = static_cast<double>(many.rounds) * end.qps();
    std::printf("%-44s %12u\n", "queue pairs in each of two processes", end.qps());
    std::printf("%-44s %12.1f us\n", "create and connect, per queue pair", setup_seconds * 1e6 / end.qps());
    std::printf("%-44s %12.1f KiB\n", "resident memory per queue pair",
                static_cast<double>(warm - before_setup) / 1024 / end.qps());
    std::printf("%-44s %12.3f M/s\n", "64 B signalled WRITEs, each direction", count / seconds / 1e6);
    std::printf("%-44s %12.1f KiB\n", "growth of memory over all rounds",
                (static_cast<double>(last) - static_cast<double>(warm)) / 1024);
    std::printf("%-44s %12.3f %%\n", "processor time while idle",
                100 * (idle.seconds - busy.seconds) / many.idle_seconds);
    std::printf("%-44s %12.1f /s\n", "wake-ups while idle",
                static_cast<double>(idle.wake_ups - busy.wake_ups) / many.idle_seconds);
  }
  return good && channel.barrier() ? 0 : 1;
}

int run(const ManyOptions& many, EndOptions options, const Processors& processors) {
  options.qps = many.qps;
  options.depth = 16;
  options.recv_depth = 1;
  options.buffer_bytes = many.qps * kSlotBytes;
  return run_session("verbs_many", processors, [&](Channel& channel, bool first) {
    VerbsEnd end;
    const std::size_t before = resident_bytes();
    std::string problem;
    const double seconds = seconds_of([&] { problem = end.open(options, channel); });
    if (!problem.empty()) {
      if (first) std::fprintf(stderr, "verbs_many: %s\n", problem.c_str());
      return 1;
    }
    return measure(end, channel, first, processors.shared, seconds, before, many);
  });
}

}  // namespace
}  // namespace rocelab::perf

int main(int argc, char** argv) {
  CLI::App app("Many queue pairs between two processes, all exchanging; then what the device costs when idle.");
  rocelab::perf::RunOptions options;
  rocelab::perf::EndOptions end_options;
  rocelab::perf::ManyOptions many;
  rocelab::perf::Processors processors;
  app.add_option("--cpus", options.cpus, "the two processors, as in 0,1 (default: the first two available)");
  app.add_option("--device", end_options.device, "name of the RDMA device (default: the first)");
  app.add_option("--gid-index", end_options.gid_index, "index in the GID table")->check(CLI::Range(0, 255));
  app.add_option("--qps", many.qps, "queue pairs of each process")->check(CLI::Range(1, 65'000));
  app.add_option("--rounds", many.rounds, "messages on each queue pair")->check(CLI::Range(1, 1'000'000));
  app.add_option("--idle", many.idle_seconds, "seconds without polling")->check(CLI::Range(0.01, 3600.0));
  CLI11_PARSE(app, argc, argv);
  if (!rocelab::perf::begin_run("verbs_many", options, processors)) return 2;
  return rocelab::perf::run(many, end_options, processors);
}
