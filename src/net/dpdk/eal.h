// DPDK's environment (EAL), which memif and af_packet ports stand on: started at most once in a process, on first use.
// No hugepages, no PCI, no root, no telemetry socket, no files; at most kMemoryMb of memory, resident as it is used.
// The caller's processor affinity and signal mask stay as they were; threads started here block every signal, so that
// the application's never land there.
//
// EAL does not survive fork(): in a child of a process that had started it everything here fails and says so, and ports
// that came along do nothing. It is never shut down: its memory goes with the process. Any thread.
#pragma once

#include <atomic>
#include <string_view>

#include "base/result.h"

namespace rocelab::net::dpdk {

/// Address space that EAL reserves for mbufs and tables; pages become resident when they are first used.
inline constexpr unsigned kMemoryMb = 64;
/// Ports that can exist in a process at one time, memif and af_packet together: DPDK is built with this limit.
inline constexpr unsigned kPortsMax = 32;

/// Starts EAL unless it runs already. A failure is remembered: later calls return the same message.
base::TextResult<void> start_eal();

/// True when this process, or the parent it was forked from, has tried to start EAL. No system call.
bool eal_started();

namespace detail {
extern std::atomic<bool> eal_is_usable;  ///< cleared in a forked child
}

/// True when EAL runs and this is the process that started it. One load: ports ask at every call.
inline bool eal_usable() { return detail::eal_is_usable.load(std::memory_order_relaxed); }

/// Where DPDK's own error lines go (they are dropped otherwise): one line without its newline, from any thread.
using LogSink = void (*)(std::string_view line);
void set_log_sink(LogSink sink);

}  // namespace rocelab::net::dpdk
