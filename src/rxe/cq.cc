// Completion queue: what is off the hot path.
#include "rxe/cq.h"

#include <cerrno>

namespace rocelab::rxe {

void CompletionQueue::arm(bool solicited_only) {
  if (armed_ == Armed::kNo) events_->reserve_notification();
  if (armed_ != Armed::kAny) armed_ = solicited_only ? Armed::kSolicited : Armed::kAny;
}

void CompletionQueue::notify(bool solicited) {
  if (armed_ == Armed::kSolicited && !solicited) return;
  armed_ = Armed::kNo;
  events_->push_notification(user_);
}

bool CompletionQueue::overflow() {
  ++lost_;
  if (in_error_) return false;
  in_error_ = true;
  events_->push(EventType::kCqErr, user_);
  // Whoever sleeps on the completion channel alone must wake up as well.
  if (armed_ != Armed::kNo) notify(true);
  return false;
}

base::Result<void> CompletionQueue::resize(std::uint32_t cqe_min) {
  if (cqe_min < ring_.size()) return base::fail(EINVAL, "more completions are pending than the new size holds");
  ring_.resize(cqe_min);
  return {};
}

void CompletionQueue::forget_qp(Qpn qpn) {
  const std::size_t count = ring_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const Completion completion = ring_.front();
    ring_.pop();
    if (completion.qp_num != qpn) ring_.push(completion);
  }
}

}  // namespace rocelab::rxe
