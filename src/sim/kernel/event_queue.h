// The pending events of one partition, in the order of before(). One owner, no locks; nothing is allocated once it has
// been as full as it gets.
//
// A hierarchy of wheels that shares its digits with the time: times are numbers of eight digits of 8 bits; an event
// waits in the bucket of the highest digit in which its time differs from the queue's position. When all that comes
// before a bucket has happened, the position moves there and the bucket is opened: a large one is spread over the level
// below, a small one is sorted and handed out. So wide spans with few events cost no empty buckets and crowded spans
// get narrow ones, without a width to be tuned; an event is moved once or twice between being scheduled and sorted.
// What is scheduled into the span being handed out goes to a small heap beside it, which is spread again if it grows.
// perf/bm_event_queue compares it with others.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/kernel/event.h"
#include "sim/kernel/event_chunks.h"
#include "sim/kernel/timer_table.h"

namespace rocelab::sim {

inline constexpr std::uint64_t kNever = ~std::uint64_t{0};

class EventQueue {
 public:
  /// Not before the time of the event popped last, nor before the limit at which pop() last found nothing (unless the
  /// queue was empty then).
  void push(const Event& event) {
    ++size_;
    place(event);
  }
  TimerHandle push_timer(Event event) {
    const TimerHandle handle = timers_.add(event.argument);
    event.argument = handle.slot;
    event.target |= kTimerBit;
    push(event);
    return handle;
  }
  /// False when it has happened or been cancelled already. The event itself is dropped when its time comes, or with
  /// many others when they make up a good part of the queue.
  bool cancel(TimerHandle timer) {
    if (!timers_.cancel(timer)) return false;
    if (++dead_ >= sweep_at_) sweep();
    return true;
  }
  /// The next event if it is not later than `limit_ps`; null when there is none. Valid until the next call.
  const Event* pop(std::uint64_t limit_ps) {
    while (true) {
      Event* event;
      if (late_.empty()) [[likely]] {
        if (next_ == end_ && !refill(limit_ps)) return nullptr;
        event = &sorted_[*next_ & kIndexMask];
        if (event->time_ps > limit_ps) return nullptr;
        ++next_;
      } else {
        event = pop_beside_late(limit_ps);
        if (event == nullptr) return nullptr;
      }
      --size_;
      last_ps_ = event->time_ps;
      if ((event->target & kTimerBit) == 0 || take_timer(*event)) return event;
    }
  }
  /// The event that will probably be popped `n` after the next one; null when that is not known yet.
  const Event* ahead(std::size_t n) const {
    return static_cast<std::size_t>(end_ - next_) > n ? &sorted_[next_[n] & kIndexMask] : nullptr;
  }
  static NodeId target_of(const Event& waiting) { return waiting.target & ~kTimerBit; }

  /// The time of the earliest event, a cancelled one perhaps; kNever when there is none.
  std::uint64_t next_time_ps() const;
  /// Events that wait, cancelled ones included.
  std::size_t size() const { return size_; }

 private:
  static constexpr NodeId kTimerBit = NodeId{1} << 31;
  static constexpr unsigned kDigitBits = 8;
  static constexpr unsigned kBuckets = 1u << kDigitBits;
  static constexpr unsigned kLevels = 64 / kDigitBits;
  static constexpr std::size_t kSortMax = 256;    ///< a bucket with more is spread, if it can be
  static constexpr std::size_t kGatherMin = 64;   ///< a batch with fewer takes neighbouring buckets along
  static constexpr std::size_t kDealMin = 8;      ///< fewer are sorted without much ado
  static constexpr std::size_t kCrowd = 8;        ///< in one place of a deal: too many for an insertion sort
  static constexpr unsigned kGatherLevelMax = 1;  ///< of this level; of wider ones too much would come late
  static constexpr std::size_t kLateMax = 64;     ///< late events with more are spread, if they can be
  static constexpr unsigned kSortLevelMax = 4;    ///< wider buckets are always spread: their times would not fit a key
  static constexpr std::size_t kSweepMin = 1024;
  // A key of the sorted events: time since the position, then the index in sorted_.
  static constexpr unsigned kIndexBits = 24;
  static constexpr std::uint64_t kIndexMask = (std::uint64_t{1} << kIndexBits) - 1;
  static_assert((kSortLevelMax + 1) * kDigitBits <= 64 - kIndexBits);

  /// Of keys of sorted_.
  bool key_before(std::uint64_t a, std::uint64_t b) const {
    if (((a ^ b) >> kIndexBits) != 0) [[likely]]
      return a < b;
    return sorted_[a & kIndexMask].order < sorted_[b & kIndexMask].order;
  }

  void place(const Event& event) {
    if (event.time_ps - position_ps_ < span_ps_) {
      place_late(event);
      return;
    }
    const std::uint64_t difference = event.time_ps ^ position_ps_;
    const unsigned level = (63u - static_cast<unsigned>(std::countl_zero(difference))) / kDigitBits;
    append(level, event);
  }
  void append(unsigned level, const Event& event) {
    const unsigned index = static_cast<unsigned>(event.time_ps >> (level * kDigitBits)) & (kBuckets - 1);
    Event*& end = buckets_[level][index];
    if (EventChunks::full(end)) [[unlikely]]
      extend(level, index);
    *end++ = event;
  }
  static unsigned lowest(const std::uint64_t (&words)[kBuckets / 64]);
  Event* take_bucket(unsigned level, unsigned index);
  void extend(unsigned level, unsigned index);
  void place_late(const Event& event);
  Event* pop_beside_late(std::uint64_t limit_ps);
  bool take_timer(Event& event);
  bool refill(std::uint64_t limit_ps);
  std::size_t take_in(Event* bucket, std::size_t index);
  void sort_batch(std::size_t n);
  void deal(std::size_t n);
  void spread_again();
  void sweep();

  // What is being handed out: times from position_ps_ to position_ps_ + span_ps_.
  std::uint64_t* next_ = nullptr;  ///< keys, in order
  std::uint64_t* end_ = nullptr;
  std::vector<Event> sorted_;
  std::vector<std::uint64_t> keys_;
  std::vector<Event> late_;  ///< a heap
  std::uint64_t position_ps_ = 0;
  std::uint64_t span_ps_ = 1;
  std::uint64_t last_ps_ = 0;
  std::size_t size_ = 0;
  Event popped_;

  TimerTable timers_;
  std::size_t dead_ = 0;
  std::size_t sweep_at_ = kSweepMin;

  EventChunks chunks_;
  unsigned levels_ = 0;  ///< a bit for each level that has events
  std::uint64_t used_[kLevels][kBuckets / 64] = {};
  Event* buckets_[kLevels][kBuckets] = {};  ///< where each ends
};

}  // namespace rocelab::sim
