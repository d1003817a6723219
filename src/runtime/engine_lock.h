// The lock around a process's engines: one compare-and-swap when free, no system call unless somebody waits long. All
// devices of a process share one (runtime/driver.h). Holders keep it for bounded bursts only.
#pragma once

#include <atomic>
#include <cstdint>

namespace rocelab::runtime {

/// Tells the processor that this is a spinning wait.
inline void cpu_relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

/// Satisfies Lockable. Not recursive, not fair: a holder that comes back at once should call give_way() in between.
class EngineLock {
 public:
  bool try_lock() noexcept {
    std::uint32_t expected = kFree;
    return state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed);
  }

  void lock() noexcept {
    if (try_lock()) return;
    waiters_.fetch_add(1, std::memory_order_relaxed);
    for (unsigned spins = 0; spins < kSpinsMax; ++spins) {
      cpu_relax();
      if (state_.load(std::memory_order_relaxed) == kFree && try_lock()) {
        waiters_.fetch_sub(1, std::memory_order_relaxed);
        return;
      }
    }
    // From here on the state says "held, with sleepers", so that unlock() wakes one of them.
    while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
      state_.wait(kContended, std::memory_order_relaxed);
    }
    waiters_.fetch_sub(1, std::memory_order_relaxed);
  }

  void unlock() noexcept {
    if (state_.exchange(kFree, std::memory_order_release) == kContended) state_.notify_one();
  }

  /// True while another thread stands in lock().
  bool has_waiters() const noexcept { return waiters_.load(std::memory_order_relaxed) != 0; }

 private:
  static constexpr std::uint32_t kFree = 0, kHeld = 1, kContended = 2;
  static constexpr unsigned kSpinsMax = 200;  ///< a few microseconds: about one burst

  std::atomic<std::uint32_t> state_{kFree};
  std::atomic<std::uint32_t> waiters_{0};
};

}  // namespace rocelab::runtime
