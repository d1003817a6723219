// The counters that processes publish on the host page, and how to read them for all processes of a host together:
// what `rocelab dev --counters` prints. A process's counters are one flat list: its own (frames, drops, links), then
// those of the engine of each device. The names are fixed here; a hash of them guards the page against processes of
// another build.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/config.h"
#include "rxe/counters.h"
#include "wire/frame_error.h"

namespace rocelab::runtime {

/// What one process counts besides its engines. Written under the engine lock.
struct ProcessCounters {
  std::uint64_t tx_frames = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t rx_frames = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_errors[wire::kFrameErrorCount] = {};  ///< by FrameError: dropped before the engine
  std::uint64_t rx_not_for_us = 0;                       ///< no GID of ours, or a QPN of another process
  std::uint64_t rx_handed_over = 0;                      ///< for another process of the host, and passed on to it
  std::uint64_t tx_no_peer = 0;                          ///< for a process that is not there (any more)
  std::uint64_t tx_no_route = 0;                         ///< off this host, and there is no uplink
  std::uint64_t tx_too_long = 0;                         ///< longer than the port carries
  std::uint64_t tx_peer_stuck = 0;                       ///< its ring stayed full too long
  std::uint64_t links_made = 0;
  std::uint64_t links_lost = 0;  ///< the process at the other end ended without a word
  std::uint64_t wakeups_sent = 0;
};
inline constexpr std::size_t kProcessCounterCount = sizeof(ProcessCounters) / sizeof(std::uint64_t);

/// "rx_frames", "rx_bad_icrc", ... in the order of the struct.
std::span<const std::string> process_counter_names();
/// How many numbers a process publishes for `devices` devices.
std::size_t counters_size(std::size_t devices);
/// Identifies names and order.
std::uint64_t counters_layout();

using NamedCounters = std::vector<std::pair<std::string, std::uint64_t>>;

/// Sums over all processes, living and ended, since the host page was made.
struct CounterReport {
  struct Process {
    std::uint32_t slot = 0;
    std::uint32_t pid = 0;
    std::string command;
  };
  struct Device {
    std::string name;
    NamedCounters counters;
  };
  std::vector<Process> processes;  ///< living
  NamedCounters host;
  std::vector<Device> devices;
};
/// Does not create anything: a host that nobody has used yet has a report of zeros.
base::TextResult<CounterReport> read_counters(const Config& config);

}  // namespace rocelab::runtime
