// Things on their way for a constant time: first in, first out, in a ring that grows and never shrinks. The owner
// schedules one event for each and takes one out at each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rocelab::sim {

template <class T>
class DelayLine {
 public:
  bool empty() const { return head_ == tail_; }
  void push(const T& value) {
    if (tail_ - head_ == ring_.size()) grow();
    ring_[tail_++ & (ring_.size() - 1)] = value;
  }
  T pop() { return ring_[head_++ & (ring_.size() - 1)]; }

 private:
  void grow() {
    std::vector<T> larger(ring_.empty() ? 8 : 2 * ring_.size());
    for (std::size_t i = 0; head_ != tail_; ++i) larger[i] = pop();
    tail_ = ring_.size();
    head_ = 0;
    ring_.swap(larger);
  }

  std::vector<T> ring_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace rocelab::sim
