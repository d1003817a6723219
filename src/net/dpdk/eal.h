// DPDK's environment (EAL), which memif and af_packet ports stand on: started at most once in a process, on first use.
// No hugepages, no PCI, no root, no telemetry socket, no files. The caller's processor affinity and signal mask stay as
// they were; EAL's own thread blocks every signal, so that the application's never land there.
//
// EAL does not survive fork(): in a child of a process that had started it everything here fails and says so. It is
// never shut down: its memory goes with the process. Any thread.
#pragma once

#include "base/result.h"

namespace rocelab::net::dpdk {

/// Starts EAL unless it runs already. A failure is remembered: later calls return the same message.
base::TextResult<void> start_eal();

/// True when this process, or the parent it was forked from, has tried to start EAL. No system call.
bool eal_started();

/// False in a child forked after eal_started(): its ports must not be used. One system call.
bool eal_usable();

}  // namespace rocelab::net::dpdk
