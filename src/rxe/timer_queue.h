// Deadlines of all QPs of a device: at most one an index, in a 4-ary heap. Postponing (the common case: each ACK moves
// the retry deadline later) and disarming only note the wish, O(1); the heap learns it when the entry reaches the top.
// Advancing is O(log n). Equal deadlines come out by ascending index. No allocation after reserve(). Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"

namespace rocelab::rxe {

class TimerQueue {
 public:
  /// Indices below `count` may be armed. Keeps what is armed.
  void reserve(std::size_t count) {
    if (count <= timers_.size()) return;
    timers_.resize(count);
    heap_.reserve(timers_.capacity());
  }
  std::size_t capacity() const { return timers_.size(); }

  void arm(std::uint32_t index, base::TimePoint deadline) {
    Timer& timer = timers_[index];
    timer.deadline = deadline;
    timer.armed = true;
    if (timer.position == kNotQueued) {
      heap_.push_back({deadline, index});
      timer.position = static_cast<std::uint32_t>(heap_.size() - 1);
      sift_up(timer.position);
    } else if (deadline < heap_[timer.position].deadline) {
      heap_[timer.position].deadline = deadline;
      sift_up(timer.position);
    }
  }
  void disarm(std::uint32_t index) { timers_[index].armed = false; }
  bool armed(std::uint32_t index) const { return timers_[index].armed; }
  base::TimePoint deadline(std::uint32_t index) const { return timers_[index].deadline; }  ///< when armed

  /// The earliest deadline, exactly; amortised over the arms that moved entries.
  std::optional<base::TimePoint> next() {
    settle_top();
    if (heap_.empty()) return std::nullopt;
    return heap_.front().deadline;
  }
  /// A lower bound of next() without work: nothing falls due before it.
  std::optional<base::TimePoint> next_bound() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().deadline;
  }
  base::TimePoint next_bound_or(base::TimePoint none) const { return heap_.empty() ? none : heap_.front().deadline; }
  /// Disarms and returns one index whose deadline is not after `now`.
  std::optional<std::uint32_t> pop_due(base::TimePoint now) {
    while (!heap_.empty() && heap_.front().deadline <= now) {
      settle_top();
      if (heap_.empty() || heap_.front().deadline > now) break;
      const std::uint32_t index = heap_.front().index;
      timers_[index].armed = false;
      remove_top();
      return index;
    }
    return std::nullopt;
  }
  /// Entries in the heap, those to be discarded included.
  std::size_t queued() const { return heap_.size(); }

 private:
  static constexpr std::uint32_t kNotQueued = ~0u;
  static constexpr std::size_t kArity = 4;

  struct Timer {
    base::TimePoint deadline;             ///< what is wished, when armed
    std::uint32_t position = kNotQueued;  ///< in the heap
    bool armed = false;
  };
  struct Entry {
    base::TimePoint deadline;  ///< never later than the timer's
    std::uint32_t index;
  };

  static bool before(const Entry& a, const Entry& b) {
    return a.deadline < b.deadline || (a.deadline == b.deadline && a.index < b.index);
  }
  void put(std::size_t position, const Entry& entry) {
    heap_[position] = entry;
    timers_[entry.index].position = static_cast<std::uint32_t>(position);
  }
  void sift_up(std::size_t position) {
    const Entry entry = heap_[position];
    while (position > 0) {
      const std::size_t parent = (position - 1) / kArity;
      if (!before(entry, heap_[parent])) break;
      put(position, heap_[parent]);
      position = parent;
    }
    put(position, entry);
  }
  void sift_down(std::size_t position) {
    const Entry entry = heap_[position];
    for (;;) {
      const std::size_t first = position * kArity + 1;
      if (first >= heap_.size()) break;
      std::size_t least = first;
      for (std::size_t child = first + 1; child < first + kArity && child < heap_.size(); ++child) {
        if (before(heap_[child], heap_[least])) least = child;
      }
      if (!before(heap_[least], entry)) break;
      put(position, heap_[least]);
      position = least;
    }
    put(position, entry);
  }
  void remove_top() {
    timers_[heap_.front().index].position = kNotQueued;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (heap_.empty()) return;
    heap_.front() = last;
    sift_down(0);
  }
  /// Applies what has been wished for the entry at the top until it tells the truth.
  void settle_top() {
    while (!heap_.empty()) {
      const Timer& timer = timers_[heap_.front().index];
      if (!timer.armed) {
        remove_top();
      } else if (timer.deadline != heap_.front().deadline) {
        heap_.front().deadline = timer.deadline;
        sift_down(0);
      } else {
        return;
      }
    }
  }

  std::vector<Timer> timers_;
  std::vector<Entry> heap_;
};

}  // namespace rocelab::rxe
