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

/// Satisfies Lockable. Not recursive, not fair: whoever comes back at once should stand aside while has_waiters().
/// try_lock() and unlock() are sequentially consistent, so that "leave a note, then try" and "unlock, then look for
/// notes" cannot both miss (Driver::release).
class EngineLock {
 public:
  bool try_lock() noexcept {
    std::uint32_t expected = kFree;
    return state_.compare_exchange_strong(expected, kHeld, std::memory_order_seq_cst, std::memory_order_seq_cst);
  }

  /// Spins for about one burst, then sleeps until the lock is free.
  void lock() noexcept { lock_after(kSpinsMax); }
  /// Sleeps at once: for a thread that may have taken its processor from the holder.
  void lock_patiently() noexcept { lock_after(0); }

  void unlock() noexcept {
    if (state_.exchange(kFree, std::memory_order_seq_cst) == kContended) state_.notify_one();
  }

  /// Takes the lock unless its holder keeps it for longer than any holder should: false after about two seconds. For
  /// the end of a process, where the holder may be a frame of the caller's own stack that will never run again.
  bool lock_unless_stuck() noexcept;

  /// True while another thread stands in lock().
  bool has_waiters() const noexcept { return waiters_.load(std::memory_order_relaxed) != 0; }

 private:
  static constexpr std::uint32_t kFree = 0, kHeld = 1, kContended = 2;
  static constexpr unsigned kSpinsMax = 200;  ///< a few microseconds: about one burst

  void lock_after(unsigned spins_max) noexcept {
    if (try_lock()) return;
    waiters_.fetch_add(1, std::memory_order_relaxed);
    for (unsigned spins = 0; spins < spins_max; ++spins) {
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

  std::atomic<std::uint32_t> state_{kFree};
  std::atomic<std::uint32_t> waiters_{0};
};

}  // namespace rocelab::runtime
