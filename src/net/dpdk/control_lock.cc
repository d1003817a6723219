// The expensive side of the lock.
#include "net/dpdk/control_lock.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace rocelab::net::dpdk {

namespace {

bool membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

}  // namespace

void ControlLock::make_bursts_cheap() {
  if (!membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)) return;
  const std::scoped_lock lock(mutex_);
  cheap_.store(true, std::memory_order_relaxed);
}

void ControlLock::lock() {
  mutex_.lock();
  wanted_.store(true, std::memory_order_relaxed);
  // From here on: a burst that has not seen `wanted_` has its flag up where we see it.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (cheap_.load(std::memory_order_relaxed)) membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  for (const BurstGate* gate : gates_) {
    while (gate->busy_.load(std::memory_order_acquire)) sched_yield();  // a burst is short, unless it is preempted
  }
}

void ControlLock::unlock() {
  wanted_.store(false, std::memory_order_release);
  mutex_.unlock();
}

}  // namespace rocelab::net::dpdk
