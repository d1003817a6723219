// See notification_delay.h.
#include "rxe/notification_delay.h"

#include <algorithm>

#include "rxe/cq.h"

namespace rocelab::rxe {

void NotificationDelay::hold(CompletionQueue& queue, base::TimePoint deadline) {
  held_.push_back({&queue, deadline});
  if (!timers_->armed(timer_) || deadline < timers_->deadline(timer_)) timers_->arm(timer_, deadline);
}

void NotificationDelay::drop(CompletionQueue& queue) {
  std::erase_if(held_, [&](const Held& held) { return held.queue == &queue; });
}

void NotificationDelay::expire(base::TimePoint now) {
  // Telling takes the queue out of the list.
  for (std::size_t i = 0; i < held_.size();) {
    if (held_[i].deadline <= now) {
      held_[i].queue->tell();
    } else {
      ++i;
    }
  }
  const auto first = std::min_element(held_.begin(), held_.end(),
                                      [](const Held& a, const Held& b) { return a.deadline < b.deadline; });
  if (first != held_.end()) timers_->arm(timer_, first->deadline);
}

}  // namespace rocelab::rxe
