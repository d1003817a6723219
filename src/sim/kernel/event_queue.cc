// The event queue's slower half: what happens once for many events.
#include "sim/kernel/event_queue.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace rocelab::sim {
namespace {

bool after(const Event& a, const Event& b) { return before(b, a); }

}  // namespace

void EventChunks::grow() {
  auto* slab = static_cast<std::byte*>(::operator new (slab_chunks_* kBytes, std::align_val_t{kBytes}));
  slabs_.emplace_back(slab);
  for (std::size_t i = slab_chunks_; i-- > 0;) {
    auto* chunk = new (slab + i * kBytes) Header{reinterpret_cast<Event*>(free_), 0, {}};
    free_ = chunk;
  }
  slab_chunks_ = std::min<std::size_t>(slab_chunks_ * 2, 4096);
}

unsigned EventQueue::lowest(const std::uint64_t (&words)[kBuckets / 64]) {
  unsigned word = 0;
  while (words[word] == 0) ++word;
  return word * 64 + static_cast<unsigned>(std::countr_zero(words[word]));
}

void EventQueue::extend(unsigned level, unsigned index) {
  Event*& end = buckets_[level][index];
  if (end == nullptr) {
    used_[level][index / 64] |= std::uint64_t{1} << (index % 64);
    levels_ |= 1u << level;
  }
  end = chunks_.extend(end);
}

Event* EventQueue::take_bucket(unsigned level, unsigned index) {
  used_[level][index / 64] &= ~(std::uint64_t{1} << (index % 64));
  std::uint64_t any = 0;
  for (const std::uint64_t word : used_[level]) any |= word;
  if (any == 0) levels_ &= ~(1u << level);
  return std::exchange(buckets_[level][index], nullptr);
}

void EventQueue::place_late(const Event& event) {
  late_.push_back(event);
  std::push_heap(late_.begin(), late_.end(), after);
  if (late_.size() > kLateMax && span_ps_ > 1) spread_again();
}

Event* EventQueue::pop_beside_late(std::uint64_t limit_ps) {
  if (next_ != end_) {
    Event& event = sorted_[*next_ & kIndexMask];
    if (before(event, late_.front())) {
      if (event.time_ps > limit_ps) return nullptr;
      ++next_;
      return &event;
    }
  }
  if (late_.front().time_ps > limit_ps) return nullptr;
  std::pop_heap(late_.begin(), late_.end(), after);
  popped_ = late_.back();
  late_.pop_back();
  return &popped_;
}

bool EventQueue::take_timer(Event& event) {
  event.target &= ~kTimerBit;
  const bool cancelled = timers_.cancelled(event.argument);
  event.argument = timers_.take(event.argument);
  if (cancelled) --dead_;
  return !cancelled;
}

bool EventQueue::refill(std::uint64_t limit_ps) {
  while (levels_ != 0) {
    const unsigned level = static_cast<unsigned>(std::countr_zero(levels_));
    const unsigned index = lowest(used_[level]);
    const unsigned shift = level * kDigitBits;
    // Digits above `level` stay, this one moves on, those below start again. (A shift of 64 would be undefined.)
    const std::uint64_t above = ~((std::uint64_t{kBuckets} << shift) - 1);
    const std::uint64_t start = (position_ps_ & (level + 1 == kLevels ? 0 : above)) | std::uint64_t{index} << shift;
    if (start > limit_ps) return false;
    position_ps_ = start;
    Event* bucket = take_bucket(level, index);
    if (level == 0 || (level <= kSortLevelMax && EventChunks::count(bucket) <= kSortMax)) {
      std::size_t n = take_in(bucket, 0);
      // Neighbours with few events come along: long batches let the next events be known ahead.
      unsigned last = index;
      while (level <= kGatherLevelMax && n < kGatherMin && (levels_ >> level & 1) != 0) {
        const unsigned next = lowest(used_[level]);
        if (n + EventChunks::count(buckets_[level][next]) > kSortMax) break;
        n = take_in(take_bucket(level, next), n);
        last = next;
      }
      span_ps_ = std::uint64_t{last - index + 1} << shift;
      next_ = keys_.data();
      end_ = next_ + n;
      sort_batch(n);
      return true;
    }
    span_ps_ = 1;
    chunks_.consume(bucket, [this, level](const Event& event) { append(level - 1, event); });
  }
  // Nothing is left. Cancelled events may have led the position beyond what is pushed next.
  position_ps_ = last_ps_ = 0;
  span_ps_ = 1;
  return false;
}

/// Appends a bucket to the `index` events of a new batch; returns how many there are now.
std::size_t EventQueue::take_in(Event* bucket, std::size_t index) {
  const std::size_t n = index + EventChunks::count(bucket);
  assert(n <= kIndexMask);
  if (n > sorted_.size()) {
    sorted_.resize(std::max<std::size_t>(n, 2 * sorted_.size()));
    keys_.resize(std::max(sorted_.size(), 2 * kSortMax));
  }
  chunks_.consume(bucket, [&](const Event& event) {
    // Most arguments are pointers to packets; for what is none this does nothing.
    __builtin_prefetch(reinterpret_cast<const void*>(static_cast<std::uintptr_t>(event.argument)), 1);
    sorted_[index] = event;
    keys_[index] = (event.time_ps - position_ps_) << kIndexBits | index;
    ++index;
  });
  return n;
}

/// Sorts the keys of a new batch: they are dealt to places by their leading digits, as many places as keys or twice
/// that, which leaves little for an insertion sort to do.
void EventQueue::sort_batch(std::size_t n) {
  if (n > kDealMin) {
    if (n > kSortMax || span_ps_ == 1) {  // all at one moment
      std::sort(next_, end_, [this](std::uint64_t a, std::uint64_t b) { return key_before(a, b); });
      return;
    }
    deal(n);
  }
  for (std::size_t i = 1; i < n; ++i) {
    const std::uint64_t key = next_[i];
    std::size_t at = i;
    for (; at != 0 && key_before(key, next_[at - 1]); --at) next_[at] = next_[at - 1];
    next_[at] = key;
  }
}

void EventQueue::deal(std::size_t n) {
  const unsigned places_bits = static_cast<unsigned>(std::bit_width(n));
  const unsigned span_bits = static_cast<unsigned>(std::bit_width(span_ps_ - 1));
  const unsigned shift = kIndexBits + (span_bits > places_bits ? span_bits - places_bits : 0);
  const std::size_t places = std::size_t{1} << places_bits;
  std::uint16_t ends[2 * kSortMax] = {};
  for (std::size_t i = 0; i < n; ++i) ++ends[next_[i] >> shift];
  std::uint16_t sum = 0;
  for (std::size_t place = 0; place < places; ++place) {
    const std::uint16_t count = ends[place];
    ends[place] = sum;
    sum = static_cast<std::uint16_t>(sum + count);
  }
  std::uint64_t* dealt = keys_.data() + kSortMax;
  for (std::size_t i = 0; i < n; ++i) dealt[ends[next_[i] >> shift]++] = next_[i];
  std::size_t first = 0;
  for (std::size_t place = 0; place < places; ++place) {
    const std::size_t last = ends[place];
    if (last - first > kCrowd) [[unlikely]] {
      std::sort(dealt + first, dealt + last, [this](std::uint64_t a, std::uint64_t b) { return key_before(a, b); });
    }
    first = last;
  }
  next_ = dealt;
  end_ = dealt + n;
}

/// Too much is being scheduled into the span that is handed out: it was wide because little was known of it. From now
/// on it is the present moment alone, and the rest goes to the (empty) levels below.
void EventQueue::spread_again() {
  std::vector<Event> again;
  again.swap(late_);
  position_ps_ = std::max(position_ps_, last_ps_);
  span_ps_ = 1;
  late_.reserve(again.capacity());
  for (; next_ != end_; ++next_) place(sorted_[*next_ & kIndexMask]);
  for (const Event& event : again) place(event);
}

std::uint64_t EventQueue::next_time_ps() const {
  std::uint64_t earliest = kNever;
  if (!late_.empty()) earliest = late_.front().time_ps;
  if (next_ != end_) return std::min(earliest, sorted_[*next_ & kIndexMask].time_ps);
  if (earliest != kNever || levels_ == 0) return earliest;
  const unsigned level = static_cast<unsigned>(std::countr_zero(levels_));
  for (Event* end = buckets_[level][lowest(used_[level])]; end != nullptr;) {
    EventChunks::Header* chunk = EventChunks::chunk_of(end);
    for (const Event* event = EventChunks::first(chunk); event != end; ++event) {
      earliest = std::min(earliest, event->time_ps);
    }
    end = chunk->before;
  }
  return earliest;
}

void EventQueue::sweep() {
  for (unsigned level = 0; level < kLevels; ++level) {
    for (unsigned index = 0; index < kBuckets; ++index) {
      if (buckets_[level][index] == nullptr) continue;
      chunks_.consume(take_bucket(level, index), [this, level](const Event& event) {
        if ((event.target & kTimerBit) != 0 && timers_.cancelled(event.argument)) {
          timers_.take(event.argument);
          --dead_;
          --size_;
        } else {
          append(level, event);
        }
      });
    }
  }
  sweep_at_ = dead_ + std::max(kSweepMin, size_ / 2);
}

}  // namespace rocelab::sim
