// Shared receive queue: a ReceiveQueue that several QPs take from, with a limit event. Owned by Device. Not
// thread-safe. IBTA vol 1, 10.2.9: the limit is armed by modify, fires once when fewer receives than the limit remain
// (at once, when that is so already), and then is disarmed (queried as 0).
#pragma once

#include <cstdint>

#include "base/result.h"
#include "rxe/cq.h"
#include "rxe/event_queue.h"
#include "rxe/receive_queue.h"
#include "rxe/types.h"

namespace rocelab::rxe {

/// What an XRC shared receive queue has beside a plain one's: its domain, and where its receives complete.
struct XrcSide {
  XrcdId domain{};
  CqId cq_id{};
  CompletionQueue* cq = nullptr;  ///< nullptr: the queue is a plain one
};

class SharedReceiveQueue {
 public:
  /// `attr` has been through check(); `events` must outlive the queue.
  SharedReceiveQueue(PdId pd, const SrqAttr& attr, void* user, EventQueue& events);
  ~SharedReceiveQueue() { events_->forget(user_); }
  SharedReceiveQueue(const SharedReceiveQueue&) = delete;
  SharedReceiveQueue& operator=(const SharedReceiveQueue&) = delete;

  /// EINVAL: zero or more than the device's limits, or a limit beyond max_wr.
  static base::Result<void> check(const SrqAttr& attr, const DeviceAttr& limits);

  /// EINVAL: too many pieces; ENOMEM: full.
  base::Result<void> post(const RecvRequest& request) { return queue_.post(request); }
  /// Takes the oldest receive; false when there is none.
  bool take(HeldReceive& held) {
    if (!queue_.take(held)) return false;
    if (queue_.size() < limit_) [[unlikely]]
      fire_limit();
    return true;
  }
  /// Resizes and/or arms the limit; all or nothing. EINVAL as in check(), or when more receives are posted than fit.
  base::Result<void> modify(const SrqAttr& attr, bool set_max_wr, bool set_limit, const DeviceAttr& limits);

  SrqAttr attr() const { return {queue_.capacity(), queue_.max_sge(), limit_}; }
  std::uint32_t size() const { return queue_.size(); }
  bool empty() const { return queue_.empty(); }
  std::uint32_t max_sge() const { return queue_.max_sge(); }
  PdId pd() const { return pd_; }
  void* user() const { return user_; }
  bool is_xrc() const { return xrc_.cq != nullptr; }
  const XrcSide& xrc() const { return xrc_; }
  void become_xrc(const XrcSide& side) { xrc_ = side; }

  /// How many QPs take from it; destroy_srq is EBUSY while not 0.
  std::uint32_t users() const { return users_; }
  void add_user() { ++users_; }
  void remove_user() { --users_; }

 private:
  void fire_limit();

  ReceiveQueue queue_;
  EventQueue* events_;
  void* user_;
  PdId pd_;
  XrcSide xrc_;
  std::uint32_t limit_ = 0;
  std::uint32_t users_ = 0;
};

}  // namespace rocelab::rxe
