// Processes, conditions and barriers. A process blocks with a number; only the event with this number ends it, so what
// comes late (a deadline after a notification) is recognised and does nothing.
#include "sim/kernel/process.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace rocelab::sim {

Process::Process(FiberStacks& stacks, const ProcessOptions& options, Body body)
    : options_(options), body_(std::move(body)), fiber_(stacks, [this](Fiber&) { body_(*this); }) {}

Process::~Process() {
  if (waits_for_ != nullptr) std::erase(waits_for_->waiting_, this);
}

void Process::start(Context& context) {
  assert(!started_);
  started_ = true;
  run(context);
}

void Process::handle_wake(Context& context, const Event& event) {
  if (done() || event.argument != blocked_) return;
  run(context);
}

void Process::run(Context& context) {
  context_ = &context;
  fiber_.resume();
  context_ = nullptr;
}

void Process::block() { fiber_.yield(); }

void Process::delay_until(TimePoint at) {
  if (at < now()) return;
  ++blocked_;
  context_->schedule_timer(at, options_.wake_kind, options_.index, blocked_);
  block();
}

void Process::wait(Condition& condition) {
  ++blocked_;
  waits_for_ = &condition;
  condition.waiting_.push_back(this);
  block();
  waits_for_ = nullptr;
}

bool Process::wait_until(Condition& condition, TimePoint deadline) {
  if (deadline < now()) return false;
  ++blocked_;
  notified_ = false;
  waits_for_ = &condition;
  condition.waiting_.push_back(this);
  const TimerHandle timer = context_->schedule_timer(deadline, options_.wake_kind, options_.index, blocked_);
  block();
  waits_for_ = nullptr;
  if (notified_) {
    context_->cancel(timer);
  } else {
    std::erase(condition.waiting_, this);
  }
  return notified_;
}

void Condition::wake(Context& context, Process& process) {
  process.notified_ = true;
  process.waits_for_ = nullptr;
  context.schedule_timer(context.now(), process.options_.wake_kind, process.options_.index, process.blocked_);
}

void Condition::notify_all(Context& context) {
  for (Process* process : waiting_) wake(context, *process);
  waiting_.clear();
}

void Condition::notify_one(Context& context) {
  if (waiting_.empty()) return;
  Process* first = waiting_.front();
  waiting_.erase(waiting_.begin());
  wake(context, *first);
}

void Barrier::arrive_and_wait(Process& process) {
  if (++arrived_ == processes_) {
    arrived_ = 0;
    ++round_;
    all_here_.notify_all(process.context());
    return;
  }
  const std::uint64_t round = round_;
  while (round_ == round) process.wait(all_here_);
}

}  // namespace rocelab::sim
