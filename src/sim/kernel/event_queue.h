// The pending events of one partition, in the order of before(). One owner, no locks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/kernel/event.h"
#include "sim/kernel/timer_table.h"

namespace rocelab::sim {

inline constexpr std::uint64_t kNever = ~std::uint64_t{0};

class EventQueue {
 public:
  void push(const Event& event) {
    heap_.push_back(event);
    std::push_heap(heap_.begin(), heap_.end(), after);
  }
  TimerHandle push_timer(Event event) {
    const TimerHandle handle = timers_.add(event.argument);
    event.argument = handle.slot;
    event.target |= kTimerBit;
    push(event);
    return handle;
  }
  bool cancel(TimerHandle timer) { return timers_.cancel(timer); }
  /// The next event if it is not later than `limit_ps`; null when there is none. Valid until the next call.
  const Event* pop(std::uint64_t limit_ps) {
    while (!heap_.empty() && heap_.front().time_ps <= limit_ps) {
      std::pop_heap(heap_.begin(), heap_.end(), after);
      popped_ = heap_.back();
      heap_.pop_back();
      if ((popped_.target & kTimerBit) == 0) return &popped_;
      popped_.target &= ~kTimerBit;
      const bool cancelled = timers_.cancelled(popped_.argument);
      popped_.argument = timers_.take(popped_.argument);
      if (!cancelled) return &popped_;
    }
    return nullptr;
  }
  /// The time of the earliest event, a cancelled one perhaps; kNever when there is none.
  std::uint64_t next_time_ps() const { return heap_.empty() ? kNever : heap_.front().time_ps; }
  /// Events that wait, cancelled ones included.
  std::size_t size() const { return heap_.size(); }

 private:
  static constexpr NodeId kTimerBit = NodeId{1} << 31;
  static bool after(const Event& a, const Event& b) { return before(b, a); }

  TimerTable timers_;
  std::vector<Event> heap_;
  Event popped_;
};

}  // namespace rocelab::sim
