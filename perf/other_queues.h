// Event queues to compare the simulator's with: what std::priority_queue does, a four-ary heap, and a calendar queue
// that fits its width to what it holds. Same interface as sim::EventQueue as far as bm_event_queue uses it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/kernel/event.h"

namespace rocelab::perf {

class BinaryHeap {
 public:
  void push(const sim::Event& event) {
    heap_.push_back(event);
    std::push_heap(heap_.begin(), heap_.end(), after);
  }
  const sim::Event* pop(std::uint64_t) {
    std::pop_heap(heap_.begin(), heap_.end(), after);
    popped_ = heap_.back();
    heap_.pop_back();
    return &popped_;
  }

 private:
  static bool after(const sim::Event& a, const sim::Event& b) { return sim::before(b, a); }
  std::vector<sim::Event> heap_;
  sim::Event popped_;
};

class FourHeap {
 public:
  void push(const sim::Event& event) {
    std::size_t hole = heap_.size();
    heap_.push_back(event);
    while (hole > 0) {
      const std::size_t parent = (hole - 1) / 4;
      if (!sim::before(event, heap_[parent])) break;
      heap_[hole] = heap_[parent];
      hole = parent;
    }
    heap_[hole] = event;
  }
  const sim::Event* pop(std::uint64_t) {
    popped_ = heap_.front();
    const sim::Event last = heap_.back();
    heap_.pop_back();
    std::size_t hole = 0;
    for (std::size_t child = 1; child < heap_.size(); child = 4 * hole + 1) {
      const std::size_t end = std::min(child + 4, heap_.size());
      std::size_t least = child;
      for (std::size_t i = child + 1; i < end; ++i) least = sim::before(heap_[i], heap_[least]) ? i : least;
      if (!sim::before(heap_[least], last)) break;
      heap_[hole] = heap_[least];
      hole = least;
    }
    if (!heap_.empty()) heap_[hole] = last;
    return &popped_;
  }

 private:
  std::vector<sim::Event> heap_;
  sim::Event popped_;
};

/// Days of one width in a ring that is a year, each a small heap; events beyond the year wait in their day. The number
/// of days follows the number of events, the width follows from the mean distance of the last thousand popped.
class CalendarQueue {
 public:
  CalendarQueue() : days_(64) {}
  void push(const sim::Event& event) {
    insert(event);
    if (++size_ > 2 * days_.size()) resize(days_.size() * 2);
  }
  const sim::Event* pop(std::uint64_t) {
    if (size_ < days_.size() / 4 && days_.size() > 64) resize(days_.size() / 2);
    while (true) {
      for (std::size_t passed = 0; passed <= days_.size(); ++passed, ++today_) {
        std::vector<sim::Event>& day = days_[today_ & (days_.size() - 1)];
        if (!day.empty() && day.front().time_ps >> shift_ <= today_) return take(day);
      }
      // A whole year without events: go to the earliest.
      std::uint64_t earliest = ~std::uint64_t{0};
      for (const auto& day : days_) {
        if (!day.empty()) earliest = std::min(earliest, day.front().time_ps);
      }
      today_ = earliest >> shift_;
    }
  }

 private:
  const sim::Event* take(std::vector<sim::Event>& day) {
    std::pop_heap(day.begin(), day.end(), after);
    popped_ = day.back();
    day.pop_back();
    --size_;
    if (++popped_count_ % 4096 == 0) {
      const std::uint64_t distance = (popped_.time_ps - sampled_ps_) / 4096;
      sampled_ps_ = popped_.time_ps;
      unsigned shift = 0;
      while ((std::uint64_t{1} << shift) < distance * 4) ++shift;
      if (shift > shift_ + 1 || shift + 1 < shift_) {
        shift_ = shift;
        resize(days_.size());
      }
    }
    return &popped_;
  }
  void insert(const sim::Event& event) {
    std::vector<sim::Event>& day = days_[(event.time_ps >> shift_) & (days_.size() - 1)];
    day.push_back(event);
    std::push_heap(day.begin(), day.end(), after);
  }
  static bool after(const sim::Event& a, const sim::Event& b) { return sim::before(b, a); }
  void resize(std::size_t days) {
    std::vector<std::vector<sim::Event>> old(days);
    old.swap(days_);
    today_ = popped_.time_ps >> shift_;
    for (const auto& day : old) {
      for (const sim::Event& event : day) insert(event);
    }
  }

  std::vector<std::vector<sim::Event>> days_;
  std::size_t size_ = 0;
  unsigned shift_ = 10;
  std::uint64_t today_ = 0;
  std::uint64_t popped_count_ = 0;
  std::uint64_t sampled_ps_ = 0;
  sim::Event popped_;
};

}  // namespace rocelab::perf
