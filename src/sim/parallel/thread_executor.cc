// Two counters hold the threads together: `epoch` goes up when a window may begin, `arrived` when a thread is done with
// it. What a window wrote (events in outboxes, reports) is seen by the others through these two, and by nothing else.
#include "sim/parallel/thread_executor.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace rocelab::sim {
namespace {

constexpr unsigned kSpins = 1000;

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

/// Until `value` is no longer `old`.
void wait_while(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (unsigned i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  value.wait(old, std::memory_order_acquire);
}

class Team {
 public:
  Team(std::span<const std::unique_ptr<Partition>> partitions, RoundControl& control)
      : partitions_(partitions), control_(control), slots_(partitions.size()), reports_(partitions.size()) {
    for (std::size_t i = 0; i < partitions_.size(); ++i) slots_[i].report = report_of(*partitions_[i], 0);
  }

  void run() {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < partitions_.size(); ++i) {
      threads.emplace_back([this, i] { follow(i); });
    }
    lead(static_cast<std::uint32_t>(threads.size()));
  }

 private:
  /// A cache line each.
  struct alignas(64) Slot {
    Report report;
  };
  struct alignas(64) Counter {
    std::atomic<std::uint32_t> value{0};
  };

  void lead(std::uint32_t others) {
    while (true) {
      for (std::size_t i = 0; i < slots_.size(); ++i) reports_[i] = slots_[i].report;
      round_ = control_.next(reports_);
      arrived_.value.store(0, std::memory_order_relaxed);
      epoch_.value.fetch_add(1, std::memory_order_release);
      epoch_.value.notify_all();
      if (round_.finished) return;
      work(0);
      for (std::uint32_t seen = arrived_.value.load(std::memory_order_acquire); seen != others;
           seen = arrived_.value.load(std::memory_order_acquire)) {
        wait_while(arrived_.value, seen);
      }
    }
  }

  void follow(unsigned index) {
    for (std::uint32_t seen = 0;; ++seen) {
      wait_while(epoch_.value, seen);
      if (round_.finished) return;
      work(index);
      arrived_.value.fetch_add(1, std::memory_order_release);
      arrived_.value.notify_one();
    }
  }

  void work(unsigned index) {
    run_round(partitions_, index, round_);
    slots_[index].report = report_of(*partitions_[index], round_.parity);
  }

  std::span<const std::unique_ptr<Partition>> partitions_;
  RoundControl& control_;
  std::vector<Slot> slots_;
  std::vector<Report> reports_;
  Round round_;
  Counter epoch_;
  Counter arrived_;
};

}  // namespace

void ThreadExecutor::run(std::span<const std::unique_ptr<Partition>> partitions, RoundControl& control) {
  Team(partitions, control).run();
}

}  // namespace rocelab::sim
