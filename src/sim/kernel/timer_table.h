// Which scheduled events may still be cancelled. A timer's event carries the number of its slot here in place of its
// argument; cancelling frees nothing in the queue, it only marks the slot, and the event is dropped when it comes up
// (or when the queue is swept, see event_queue.h). Owned by an EventQueue.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/kernel/event.h"

namespace rocelab::sim {

/// Names a scheduled event until it has happened or been cancelled.
struct TimerHandle {
  std::uint32_t slot = ~0u;
  std::uint32_t generation = 0;
};

class TimerTable {
 public:
  TimerHandle add(std::uint64_t argument) {
    if (free_ == kNone) grow();
    const std::uint32_t slot = free_;
    free_ = slots_[slot].next_free;
    slots_[slot].argument = argument;
    return {slot, slots_[slot].generation};
  }
  /// False when the timer has happened or been cancelled already.
  bool cancel(TimerHandle timer) {
    if (timer.slot >= slots_.size() || slots_[timer.slot].generation != timer.generation) return false;
    ++slots_[timer.slot].generation;
    slots_[timer.slot].cancelled = true;
    return true;
  }
  bool cancelled(std::uint64_t slot) const { return slots_[slot].cancelled; }
  /// The event has left the queue: gives its argument and frees the slot.
  std::uint64_t take(std::uint64_t slot) {
    Slot& s = slots_[slot];
    if (!s.cancelled) ++s.generation;
    s.cancelled = false;
    s.next_free = free_;
    free_ = static_cast<std::uint32_t>(slot);
    return s.argument;
  }

 private:
  static constexpr std::uint32_t kNone = ~0u;
  struct Slot {
    std::uint64_t argument = 0;
    std::uint32_t generation = 0;
    std::uint32_t next_free = kNone;
    bool cancelled = false;
  };

  void grow() {
    free_ = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  }

  std::vector<Slot> slots_;
  std::uint32_t free_ = kNone;
};

}  // namespace rocelab::sim
