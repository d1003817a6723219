// Keeps the handshakes of memif links apart from the bursts on them. Bursts are many and must cost nothing, handshakes
// are rare: so a burst only writes a flag of its port and reads one of the lock, without an atomic exchange, and
// whoever takes the lock makes the kernel put a memory barrier into every running thread of the process (membarrier(2))
// before it looks at the ports' flags. Where the kernel has no such call, and until it has agreed to it, bursts pay for
// a barrier of their own.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

namespace rocelab::net::dpdk {

/// One a port. Entered by one thread at a time (the port's owner serialises).
class BurstGate {
 private:
  friend class ControlLock;
  std::atomic<bool> busy_{false};
};

class ControlLock {
 public:
  /// Asks the kernel for the barrier. In a process with several threads it waits until every processor has been
  /// through the scheduler (synchronize_rcu), which on an overloaded machine takes tens of seconds: to be called by a
  /// thread that has nothing else to do.
  void make_bursts_cheap();

  /// Waits until no gate is entered, and keeps all of them closed until unlock(). Not recursive; not from within a
  /// gate.
  void lock();
  void unlock();

  /// False: control is at work, the burst does not take place. Never waits.
  bool try_enter(BurstGate& gate) noexcept {
    gate.busy_.store(true, std::memory_order_relaxed);
    if (cheap_.load(std::memory_order_relaxed)) {
      std::atomic_signal_fence(std::memory_order_seq_cst);  // the barrier proper is lock()'s
    } else {
      std::atomic_thread_fence(std::memory_order_seq_cst);
    }
    if (!wanted_.load(std::memory_order_acquire)) return true;
    leave(gate);
    return false;
  }
  void leave(BurstGate& gate) noexcept { gate.busy_.store(false, std::memory_order_release); }

  // With the lock held.
  void add(BurstGate& gate) { gates_.push_back(&gate); }
  void remove(BurstGate& gate) { std::erase(gates_, &gate); }

 private:
  std::atomic<bool> cheap_{false};  ///< the kernel puts the barrier; changed with mutex_ held, so lock() knows
  std::atomic<bool> wanted_{false};
  std::mutex mutex_;  ///< between those in lock()
  std::vector<BurstGate*> gates_;
};

}  // namespace rocelab::net::dpdk
