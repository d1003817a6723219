// perf/memif: frames between two processes through the memif port alone, without an engine (net::dpdk::MemifPort), and
// the same through DPDK's own burst calls (raw_*), so that what the port class costs can be seen. One thread a process.
// Frames as long as RoCE v2 frames of 8 B and of 4096 B. EAL does not survive fork(), so every repetition has its own
// two processes.
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/dpdk/memif_port.h"
#include "perf/dpdk/frame_pools.h"
#include "perf/dpdk/raw_link.h"
#include "perf/measure.h"
#include "perf/options.h"
#include "perf/pair.h"

namespace rocelab::perf {
namespace {

constexpr unsigned kBurst = 32;
constexpr std::size_t kFrameBytesMax = net::kFrameBytesMax;

/// The same three calls as RawLink, over the port.
class PortLink {
 public:
  static std::unique_ptr<PortLink> create(const std::string& socket_path, bool server, unsigned ring_slots,
                                          std::size_t frame_bytes_max) {
    auto port = net::dpdk::MemifPort::create(
        {.socket_path = socket_path, .server = server, .ring_slots = ring_slots, .frame_bytes_max = frame_bytes_max});
    if (!port) {
      std::fprintf(stderr, "memif: %s\n", port.error().c_str());
      return nullptr;
    }
    auto link = std::make_unique<PortLink>();
    link->port_ = std::move(*port);
    return link;
  }

  bool link_up() {
    std::uint64_t sum = 0;
    if (!port_->link_up()) receive(sum);  // turns the port
    return port_->link_up();
  }

  void send(const std::byte* frame, std::size_t length, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      std::byte* room = nullptr;
      while ((room = port_->tx_reserve(length)) == nullptr) {
      }
      std::memcpy(room, frame, length);
      port_->tx_commit(length);
    }
    do {
      port_->tx_flush();
    } while (port_->tx_waiting());
  }

  unsigned receive(std::uint64_t& sum) {
    std::array<net::Frame, kBurst> frames;
    const std::size_t count = port_->rx_burst(frames);
    for (std::size_t i = 0; i < count; ++i) {
      std::uint64_t word;
      std::memcpy(&word, frames[i].data(), sizeof word);
      sum += word;
    }
    port_->rx_release();
    return static_cast<unsigned>(count);
  }

 private:
  std::unique_ptr<net::Port> port_;
};

struct Where {
  Processors processors;
  unsigned ring_slots = 1024;  ///< power of two
};

/// What the two sides of a repetition tell each other.
struct Shared {
  std::atomic<int> up;      // sides whose link is up
  std::atomic<int> failed;  // sides that could not make theirs
  std::atomic<int> done;    // sides that need the other no more
  std::atomic<double> seconds;
};

/// Runs `side(link, begins)` at both ends of a link in two new processes, and returns the seconds that it took at the
/// beginning end, from the moment the link was up; negative: failure.
template <class Link, class Side>
double run_link(const Where& where, const Side& side) {
  const Processors& processors = where.processors;
  std::string folder = (std::filesystem::temp_directory_path() / "rocelab-perf-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return -1;
  const std::string path = folder + "/link";
  SharedMemory memory(sizeof(Shared));
  auto* shared = memory.as<Shared>();
  const auto end = [&](bool begins) {
    const auto link = Link::create(path, begins, where.ring_slots, kFrameBytesMax);
    if (link == nullptr) {
      shared->failed.fetch_add(1);
      return;
    }
    while (!link->link_up()) {
      if (shared->failed.load() != 0) return;
      relax(true);
    }
    shared->up.fetch_add(1);
    while (shared->up.load() != 2) relax(true);
    const double seconds = seconds_of([&] { side(*link, begins); });
    if (begins) shared->seconds.store(seconds);
    shared->done.fetch_add(1);
    while (shared->done.load() != 2) relax(true);
  };
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    run_pair(
        processors, [&] { end(true); }, [&] { end(false); });
    _exit(0);
  }
  int status = 0;
  const bool ended = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return ended && shared->failed.load() == 0 && shared->done.load() == 2 ? shared->seconds.load() : -1;
}

template <class Link>
double latency_us(const Where& where, std::size_t length, std::uint64_t rounds) {
  const std::vector<std::byte> frame(length, std::byte{0x5a});
  const double seconds = run_link<Link>(where, [&](Link& link, bool begins) {
    std::uint64_t sum = 0;
    for (std::uint64_t n = 0; n < rounds; ++n) {
      if (begins) link.send(frame.data(), length, 1);
      while (link.receive(sum) == 0) relax(where.processors.shared);
      if (!begins) link.send(frame.data(), length, 1);
    }
    keep(sum);
  });
  return seconds * 1e6 / static_cast<double>(rounds) / 2;
}

/// Millions of frames a second towards the beginning end.
template <class Link>
double rate_mps(const Where& where, std::size_t length, std::uint64_t count) {
  const std::vector<std::byte> frame(length, std::byte{0x5a});
  const std::uint64_t bursts = count / kBurst + 1;
  const double seconds = run_link<Link>(where, [&](Link& link, bool begins) {
    std::uint64_t sum = 0;
    if (begins) {
      for (std::uint64_t got = 0; got < bursts * kBurst;) {
        const unsigned burst = link.receive(sum);
        got += burst;
        if (burst == 0) relax(where.processors.shared);
      }
    } else {
      for (std::uint64_t n = 0; n < bursts; ++n) link.send(frame.data(), length, kBurst);
    }
    keep(sum);
  });
  return static_cast<double>(bursts * kBurst) / seconds / 1e6;
}

/// In a process of its own, because EAL comes along.
double in_child(const std::function<double()>& measure) {
  SharedMemory memory(sizeof(double));
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    *memory.as<double>() = measure();
    _exit(0);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? *memory.as<double>() : -1;
}

std::vector<Measurement> measurements(const Where& where, double scale) {
  const double slow = where.processors.shared ? 0.02 : 1;
  const auto times = [=](double n) { return scaled(n * slow, scale); };
  const auto pool = [&](const char* kind, unsigned bytes) {
    return [=, rounds = scaled(200'000, scale)] { return in_child([=] { return pool_ns(kind, rounds, bytes); }); };
  };
  return {
      {"memif_80B_latency", "us", [=] { return latency_us<PortLink>(where, 80, times(300'000)); }},
      {"raw_memif_80B_latency", "us", [=] { return latency_us<RawLink>(where, 80, times(300'000)); }},
      {"memif_80B_rate", "M/s", [=] { return rate_mps<PortLink>(where, 80, times(5'000'000)); }},
      {"raw_memif_80B_rate", "M/s", [=] { return rate_mps<RawLink>(where, 80, times(5'000'000)); }},
      {"memif_4200B_rate", "M/s", [=] { return rate_mps<PortLink>(where, 4200, times(1'000'000)); }},
      {"raw_memif_4200B_rate", "M/s", [=] { return rate_mps<RawLink>(where, 4200, times(1'000'000)); }},
      {"frame_pool_stack_64B", "ns", pool("stack", 64)},
      {"frame_pool_ring_sp_sc_64B", "ns", pool("ring_sp_sc", 64)},
      {"frame_pool_ring_mp_mc_64B", "ns", pool("ring_mp_mc", 64)},
      {"frame_pool_stack_4200B", "ns", pool("stack", 4200)},
      {"frame_pool_ring_mp_mc_4200B", "ns", pool("ring_mp_mc", 4200)},
  };
}

}  // namespace
}  // namespace rocelab::perf

int main(int argc, char** argv) {
  CLI::App app("What the memif port carries between two processes, and what DPDK's own calls do on the same link.");
  rocelab::perf::RunOptions options;
  rocelab::perf::Processors processors;
  rocelab::perf::add_run_options(app, options);
  rocelab::perf::Where where;
  app.add_option("--ring-slots", where.ring_slots, "frames that each direction holds: a power of two")
      ->check(CLI::Range(64, 16384));
  CLI11_PARSE(app, argc, argv);
  if (!rocelab::perf::begin_run("memif", options, processors)) return 2;
  where.processors = processors;
  return rocelab::perf::run_measurements("memif", rocelab::perf::measurements(where, options.scale), processors,
                                         options);
}
