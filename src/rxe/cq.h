// Completion queue: a ring of fixed capacity, with notification (arm) and an error state for overflow. Owned by Device;
// QPs push, the application polls. push and poll are inline and allocate nothing, unless the ring is to grow. Not
// thread-safe. IBTA vol 1, 11.4.2.1 (poll) and 11.4.2.2 (request completion notification). Overflow: the CQ enters the
// error state and reports kCqErr once; what was inside can still be polled; further completions are counted as lost and
// refused, and the pusher must take its QP to ERR (11.6.3.1).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "rxe/event_queue.h"
#include "rxe/fixed_ring.h"
#include "rxe/notification_delay.h"
#include "rxe/types.h"

namespace rocelab::rxe {

class CompletionQueue {
 public:
  /// `events` must outlive the queue. The capacity is `cqe_min` rounded up to a power of two; whoever creates checks
  /// the device's limit.
  CompletionQueue(std::uint32_t cqe_min, void* user, EventQueue& events, Storage storage = Storage::kAtOnce)
      : ring_(cqe_min, storage), events_(&events), user_(user) {}
  ~CompletionQueue() {
    if (delay_ != nullptr) delay_->drop(*this);
    if (armed_ != Armed::kNo) events_->cancel_notification();
    events_->forget(user_);
  }
  CompletionQueue(const CompletionQueue&) = delete;
  CompletionQueue& operator=(const CompletionQueue&) = delete;

  /// Adds a completion. `solicited`: a receive whose sender asked for an event; completions in error always count as
  /// solicited. False: the queue is in error (see above), the completion is lost.
  bool push(const Completion& completion, bool solicited) {
    if (ring_.needs_storage() || in_error_) [[unlikely]] {
      if (ring_.full() || in_error_) return overflow();
      ring_.grow();
    }
    ring_.push(completion);
    if (armed_ != Armed::kNo) [[unlikely]]
      notify(completion, solicited);
    return true;
  }

  /// Moves the oldest completions to `out`; returns how many.
  std::size_t poll(std::span<Completion> out) {
    const std::size_t count = std::min(out.size(), ring_.size());
    for (std::size_t i = 0; i < count; ++i) {
      out[i] = ring_.front();
      ring_.pop();
    }
    return count;
  }

  /// Asks for one notification at the next completion added (never for those already inside). A pending request for any
  /// completion is not weakened by one for solicited completions only.
  void arm(bool solicited_only);

  /// Moderation: a notification comes when `count` completions have asked for it (0: any number) or `period` after the
  /// first one; at once when one is an error or the queue is full. A period of zero: always at once. What is held back
  /// now is told.
  void moderate(NotificationDelay& delay, std::uint32_t count, Duration period);
  /// Makes the notification asked for; by NotificationDelay, too.
  void tell();

  /// Room for at least `cqe_min`; entries and order stay. EINVAL when more are pending.
  base::Result<void> resize(std::uint32_t cqe_min);
  /// The QP is being destroyed: its completions vanish, the others keep their order (as libibverbs' providers do).
  void forget_qp(Qpn qpn);

  std::uint32_t capacity() const { return static_cast<std::uint32_t>(ring_.capacity()); }
  std::size_t pending() const { return ring_.size(); }
  /// The oldest completion; only when something is pending.
  const Completion& front() const { return ring_.front(); }
  bool in_error() const { return in_error_; }
  std::uint64_t lost() const { return lost_; }  ///< completions refused since the overflow
  void* user() const { return user_; }

  /// How many queues of QPs point here; destroy_cq is EBUSY while not 0.
  std::uint32_t users() const { return users_; }
  void add_user() { ++users_; }
  void remove_user() { --users_; }

 private:
  enum class Armed : std::uint8_t { kNo, kSolicited, kAny };

  bool overflow();
  void notify(const Completion& completion, bool solicited);

  FixedRing<Completion> ring_;
  EventQueue* events_;
  NotificationDelay* delay_ = nullptr;  ///< once the queue has been moderated
  Duration period_;
  std::uint32_t count_ = 0;
  std::uint32_t waiting_ = 0;  ///< completions that wait to be told of
  void* user_;
  std::uint64_t lost_ = 0;
  std::uint32_t users_ = 0;
  Armed armed_ = Armed::kNo;
  bool in_error_ = false;
  bool held_ = false;  ///< by delay_
};

}  // namespace rocelab::rxe
