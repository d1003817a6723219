// CQ moderation: notifications that are held back until enough completions have come or their time is up. One timer of
// the device's queue serves all CQs. Owned by Engine, which tells it when its timer has fired; CQs put themselves in
// and take themselves out. Nothing is allocated while completions come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"
#include "rxe/timer_queue.h"

namespace rocelab::rxe {

class CompletionQueue;

class NotificationDelay {
 public:
  explicit NotificationDelay(TimerQueue& timers) : timers_(&timers) {}

  bool has_timer() const { return timer_ != kNoTimer; }
  bool is_timer(std::uint32_t index) const { return index == timer_; }
  /// An index of the timer queue that nobody else uses.
  void set_timer(std::uint32_t index) { timer_ = index; }
  /// One more CQ may hold notifications back.
  void expect_one_more() { held_.reserve(++expected_); }

  void hold(CompletionQueue& queue, base::TimePoint deadline);
  void drop(CompletionQueue& queue);
  /// The timer has fired: CQs whose time is up tell.
  void expire(base::TimePoint now);

 private:
  static constexpr std::uint32_t kNoTimer = ~0u;
  struct Held {
    CompletionQueue* queue;
    base::TimePoint deadline;
  };

  TimerQueue* timers_;
  std::uint32_t timer_ = kNoTimer;
  std::size_t expected_ = 0;
  std::vector<Held> held_;  ///< few, in the order of their arrival
};

}  // namespace rocelab::rxe
