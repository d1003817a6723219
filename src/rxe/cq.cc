// Completion queue: what is off the hot path.
#include "rxe/cq.h"

#include <cerrno>

namespace rocelab::rxe {

void CompletionQueue::arm(bool solicited_only) {
  if (armed_ == Armed::kNo) events_->reserve_notification();
  if (armed_ != Armed::kAny) armed_ = solicited_only ? Armed::kSolicited : Armed::kAny;
}

void CompletionQueue::notify(const Completion& completion, bool solicited) {
  const bool error = completion.status != WcStatus::kSuccess;
  if (armed_ == Armed::kSolicited && !solicited && !error) return;
  ++waiting_;
  if (period_ == Duration() || error || ring_.full() || waiting_ == count_) return tell();
  if (held_) return;
  held_ = true;
  delay_->hold(*this, completion.timestamp + period_);
}

void CompletionQueue::tell() {
  if (held_) delay_->drop(*this);
  held_ = false;
  waiting_ = 0;
  armed_ = Armed::kNo;
  events_->push_notification(user_);
}

void CompletionQueue::moderate(NotificationDelay& delay, std::uint32_t count, Duration period) {
  if (held_) tell();
  if (delay_ == nullptr) delay.expect_one_more();
  delay_ = &delay;
  count_ = count;
  period_ = period;
}

bool CompletionQueue::overflow() {
  ++lost_;
  if (in_error_) return false;
  in_error_ = true;
  events_->push(EventType::kCqErr, user_);
  // Whoever sleeps on the completion channel alone must wake up as well.
  if (armed_ != Armed::kNo) tell();
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
