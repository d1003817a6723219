// First-in first-out ring of a capacity fixed at construction (a power of two): what CQs and work queues are made of.
// Positions are 64-bit counters that never wrap in practice, so that an entry can be named by its position as long as
// it is inside. No allocation after construction; no checks on the hot path: callers ask full() and empty().
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace rocelab::rxe {

template <class T>
class FixedRing {
 public:
  FixedRing() = default;
  /// Room for at least `count_min` entries.
  explicit FixedRing(std::size_t count_min)
      : capacity_(std::bit_ceil(count_min == 0 ? 1 : count_min)), entries_(std::make_unique<T[]>(capacity_)) {}
  FixedRing(FixedRing&& other) noexcept { *this = std::move(other); }
  FixedRing& operator=(FixedRing&& other) noexcept {
    capacity_ = std::exchange(other.capacity_, 0);
    head_ = std::exchange(other.head_, 0);
    tail_ = std::exchange(other.tail_, 0);
    entries_ = std::move(other.entries_);
    return *this;
  }

  std::size_t capacity() const { return capacity_; }
  std::size_t size() const { return static_cast<std::size_t>(tail_ - head_); }
  bool empty() const { return head_ == tail_; }
  bool full() const { return tail_ - head_ == capacity_; }

  /// Position of the oldest entry, and the one that the next push gets.
  std::uint64_t head() const { return head_; }
  std::uint64_t tail() const { return tail_; }
  /// The entry at a position in [head, tail).
  T& at(std::uint64_t position) { return entries_[position & (capacity_ - 1)]; }
  const T& at(std::uint64_t position) const { return entries_[position & (capacity_ - 1)]; }

  T& front() { return at(head_); }
  const T& front() const { return at(head_); }
  T& back() { return at(tail_ - 1); }
  /// Makes room at the end and returns it; the entry holds what an earlier use left there.
  T& push() { return at(tail_++); }
  void push(const T& value) { at(tail_++) = value; }
  void pop() { ++head_; }
  void clear() { head_ = tail_ = 0; }

  /// Replaces the storage, keeping entries and order; `count_min` must be at least size(). Positions start anew.
  void resize(std::size_t count_min) {
    FixedRing larger(count_min);
    for (std::uint64_t position = head_; position != tail_; ++position) larger.push() = std::move(at(position));
    *this = std::move(larger);
  }

 private:
  std::size_t capacity_ = 0;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  std::unique_ptr<T[]> entries_;
};

}  // namespace rocelab::rxe
