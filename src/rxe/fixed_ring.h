// First-in first-out ring of a capacity fixed at construction (a power of two): what CQs and work queues are made of.
// Positions are 64-bit counters that never wrap in practice, so that an entry can be named by its position as long as
// it is inside. No checks on the hot path: callers ask full() and empty(). Its storage is allocated at construction,
// or, for the thousands of queues of a simulation, as far as it is used: callers then ask needs_storage() before they
// push.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace rocelab::rxe {

/// When a queue's storage is allocated.
enum class Storage : std::uint8_t {
  kAtOnce,
  kGrowing,  ///< a few entries at the first use, then twice as many whenever they do not suffice
};
inline constexpr std::size_t kGrowingStart = 4;  ///< entries of a growing queue's first storage

template <class T>
class FixedRing {
 public:
  FixedRing() = default;
  /// Room for at least `count_min` entries.
  explicit FixedRing(std::size_t count_min, Storage storage = Storage::kAtOnce)
      : capacity_(std::bit_ceil(count_min == 0 ? 1 : count_min)),
        stored_(storage == Storage::kAtOnce ? capacity_ : 0),
        entries_(stored_ == 0 ? nullptr : std::make_unique<T[]>(stored_)) {}
  FixedRing(FixedRing&& other) noexcept { *this = std::move(other); }
  FixedRing& operator=(FixedRing&& other) noexcept {
    capacity_ = std::exchange(other.capacity_, 0);
    stored_ = std::exchange(other.stored_, 0);
    head_ = std::exchange(other.head_, 0);
    tail_ = std::exchange(other.tail_, 0);
    entries_ = std::move(other.entries_);
    return *this;
  }

  std::size_t capacity() const { return capacity_; }
  std::size_t size() const { return static_cast<std::size_t>(tail_ - head_); }
  bool empty() const { return head_ == tail_; }
  bool full() const { return tail_ - head_ == capacity_; }
  /// Entries that there is storage for.
  std::size_t stored() const { return stored_; }
  /// A push has to be preceded by grow(). Never true for a ring whose storage was allocated at once, unless full().
  bool needs_storage() const { return tail_ - head_ == stored_; }
  /// Allocates more, up to the capacity; positions stay.
  void grow() {
    const std::size_t larger = grown(stored_, capacity_);
    auto entries = std::make_unique<T[]>(larger);
    for (std::uint64_t position = head_; position != tail_; ++position) {
      entries[position & (larger - 1)] = std::move(at(position));
    }
    entries_ = std::move(entries);
    stored_ = larger;
  }
  /// What storage for `stored` entries grows to.
  static constexpr std::size_t grown(std::size_t stored, std::size_t capacity) {
    const std::size_t wanted = stored == 0 ? kGrowingStart : 2 * stored;
    return wanted < capacity ? wanted : capacity;
  }

  /// Position of the oldest entry, and the one that the next push gets.
  std::uint64_t head() const { return head_; }
  std::uint64_t tail() const { return tail_; }
  /// The entry at a position in [head, tail).
  T& at(std::uint64_t position) { return entries_[position & (stored_ - 1)]; }
  const T& at(std::uint64_t position) const { return entries_[position & (stored_ - 1)]; }

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
  std::size_t stored_ = 0;  ///< a power of two too, or 0
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  std::unique_ptr<T[]> entries_;
};

}  // namespace rocelab::rxe
