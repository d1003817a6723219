// Starting EAL in a thread of its own, which takes the pinning and the signal mask with it when it ends.
#include "net/dpdk/eal.h"

#include <fmt/format.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <cstring>
#include <mutex>

#include "net/dpdk/frame_pool.h"
#include "net/dpdk/log_capture.h"

namespace rocelab::net::dpdk {

std::atomic<bool> detail::eal_is_usable{false};

namespace {

enum class State : int { kNever, kRunning, kFailed };

std::atomic<State> state{State::kNever};
std::atomic<bool> in_child{false};  // of a process that had started EAL

/// The first processor that this process may run on: EAL wants one to call its own.
int any_processor() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) return cpu;
  }
  return 0;
}

void* run_init(void* message) {
  std::array<std::string, 9> words{"rocelab",
                                   "--no-huge",
                                   "--no-shconf",
                                   "--no-pci",
                                   "--no-telemetry",
                                   "--log-level=error",
                                   "--iova-mode=va",
                                   fmt::format("--lcores=0@{}", any_processor()),
                                   fmt::format("-m{}", kMemoryMb)};
  std::array<char*, words.size() + 1> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();

  auto& failure = *static_cast<std::string*>(message);
  const LogCapture log;
  if (!route_log()) {
    failure = "DPDK's EAL cannot start: out of memory";
  } else if (rte_eal_init(static_cast<int>(words.size()), arguments.data()) < 0) {
    failure = log.explain(fmt::format("DPDK's EAL cannot start: {}", rte_strerror(rte_errno)));
  } else if (!register_frame_pool()) {
    failure = log.explain("DPDK's EAL has no room for our kind of frame pool");
  }
  return nullptr;
}

/// Empty: EAL runs.
std::string start() {
  // EAL's threads inherit the mask of the thread that starts them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::string failure;
  pthread_t thread;
  const int error = pthread_create(&thread, nullptr, run_init, &failure);
  if (error == 0) {
    pthread_join(thread, nullptr);
  } else {
    failure = fmt::format("DPDK's EAL cannot start: no thread: {}", std::strerror(error));
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return failure;
}

}  // namespace

base::TextResult<void> start_eal() {
  static std::mutex mutex;
  static std::string* const failure = new std::string;  // outlives static destruction: EAL is never shut down
  if (in_child.load(std::memory_order_relaxed)) {
    return base::fail_text(
        "DPDK was started by the parent process and does not survive fork(): "
        "open the device after fork(), or call exec() in the child");
  }
  const std::scoped_lock lock(mutex);
  if (state.load() == State::kNever) {
    pthread_atfork(nullptr, nullptr, [] {
      in_child.store(true);
      detail::eal_is_usable.store(false);
    });
    *failure = start();
    state.store(failure->empty() ? State::kRunning : State::kFailed);
    detail::eal_is_usable.store(failure->empty());
  }
  if (!failure->empty()) return base::fail_text(*failure);
  return {};
}

bool eal_started() { return state.load(std::memory_order_relaxed) != State::kNever; }

}  // namespace rocelab::net::dpdk
