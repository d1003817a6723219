// Shared receive queue: creation, resizing, the limit event.
#include "rxe/srq.h"

#include <cerrno>

namespace rocelab::rxe {

SharedReceiveQueue::SharedReceiveQueue(PdId pd, const SrqAttr& attr, void* user, EventQueue& events)
    : queue_(attr.max_wr, attr.max_sge), events_(&events), user_(user), pd_(pd) {}

base::Result<void> SharedReceiveQueue::check(const SrqAttr& attr, const DeviceAttr& limits) {
  if (attr.max_wr == 0 || attr.max_wr > limits.max_srq_wr) {
    return base::fail(EINVAL, "max_wr of a shared receive queue is 0 or more than max_srq_wr");
  }
  if (attr.max_sge > limits.max_srq_sge) {
    return base::fail(EINVAL, "max_sge of a shared receive queue is more than max_srq_sge");
  }
  return {};
}

base::Result<void> SharedReceiveQueue::modify(const SrqAttr& attr, bool set_max_wr, bool set_limit,
                                              const DeviceAttr& limits) {
  if (set_max_wr) {
    if (const auto checked = check({attr.max_wr, queue_.max_sge(), 0}, limits); !checked) return checked;
    if (attr.max_wr < queue_.size()) return base::fail(EINVAL, "more receives are posted than the new size holds");
    if (!set_limit && limit_ > attr.max_wr) return base::fail(EINVAL, "the armed limit is more than the new max_wr");
  }
  const std::uint32_t max_wr = set_max_wr ? attr.max_wr : queue_.capacity();
  if (set_limit && attr.limit > max_wr) return base::fail(EINVAL, "the limit is more than max_wr");

  if (set_max_wr) {
    if (const auto resized = queue_.resize(attr.max_wr); !resized) return resized;
  }
  if (set_limit) {
    limit_ = attr.limit;
    if (queue_.size() < limit_) fire_limit();
  }
  return {};
}

void SharedReceiveQueue::fire_limit() {
  limit_ = 0;
  events_->push(EventType::kSrqLimitReached, user_);
}

}  // namespace rocelab::rxe
