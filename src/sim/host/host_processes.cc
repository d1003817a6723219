// See host_processes.h.
#include "sim/host/host_processes.h"

#include <algorithm>
#include <utility>

#include "sim/host/host.h"

namespace rocelab::sim {

HostProcesses::~HostProcesses() {
  // Whoever has not ended is unwound here, and its destructors may make verbs calls.
  if (hooks_ != nullptr) hooks_->enter(host_);
  while (!processes_.empty()) processes_.pop_back();
  if (hooks_ != nullptr) hooks_->leave(host_);
}

std::uint16_t HostProcesses::add(Process::Body body) {
  const auto index = static_cast<std::uint16_t>(processes_.size());
  processes_.emplace_back(stacks_, ProcessOptions{host_event::kProcess, index}, std::move(body));
  debts_.emplace_back();
  return index;
}

void HostProcesses::handle_event(Context& context, const Event& event) {
  Process& process = processes_[event.port];
  running_ = &process;
  running_index_ = event.port;
  if (hooks_ != nullptr) hooks_->enter(host_);
  if (process.started()) {
    process.handle_wake(context, event);
  } else {
    process.start(context);
  }
  if (hooks_ != nullptr) hooks_->leave(host_);
  running_ = nullptr;
}

void HostProcesses::wake_waiting(Context& context) { happened_.notify_all(context); }

void HostProcesses::something_happened(Context& context) {
  if (!happened_.awaited()) return;
  const Duration delay = host_.options().profile.completion_write;
  if (delay == Duration()) return wake_waiting(context);
  context.schedule(context.now() + delay, host_.id(), host_event::kNotify, 0, 0);
}

bool HostProcesses::all_done() const {
  return std::all_of(processes_.begin(), processes_.end(), [](const Process& process) { return process.done(); });
}

void HostProcesses::pay() {
  const Duration debt = std::exchange(debts_[running_index_], Duration());
  if (debt != Duration()) running_->delay_for(debt);
}

void HostProcesses::wait(TimePoint deadline) { running_->wait_until(happened_, deadline); }

}  // namespace rocelab::sim
