// See plan.h.
#include "sim/workload/plan/plan.h"

#include <cassert>

namespace rocelab::sim {

TaskId Plan::add(const Task& task) {
  assert(!sealed_ && tasks_.size() < kTasksMax);
  tasks_.push_back(task);
  return static_cast<TaskId>(tasks_.size() - 1);
}

TaskId Plan::send(std::uint16_t workload, std::uint32_t host, std::uint32_t peer, std::uint64_t bytes,
                  std::uint64_t delay_ps, std::uint8_t priority) {
  Task task;
  task.kind = TaskKind::kSend;
  task.priority = priority;
  task.workload = workload;
  task.host = host;
  task.peer = peer;
  task.bytes = bytes;
  task.delay_ps = delay_ps;
  return add(task);
}

TaskId Plan::delay(std::uint16_t workload, std::uint32_t host, std::uint64_t delay_ps) {
  Task task;
  task.workload = workload;
  task.host = host;
  task.delay_ps = delay_ps;
  return add(task);
}

Plan::Message Plan::message(std::uint16_t workload, std::uint32_t from, std::uint32_t to, std::uint64_t bytes,
                            std::uint64_t delay_ps, std::uint8_t priority) {
  const TaskId sent = send(workload, from, to, bytes, delay_ps, priority);
  Task receive;
  receive.kind = TaskKind::kReceive;
  receive.workload = workload;
  receive.host = to;
  receive.peer = from;
  receive.bytes = bytes;
  const TaskId received = add(receive);
  tasks_[sent].message = received;
  return {sent, received};
}

void Plan::after(TaskId task, TaskId earlier) {
  if (earlier == kNoTask) return;
  assert(tasks_[task].host == tasks_[earlier].host);
  edges_.emplace_back(earlier, task);
  ++tasks_[task].unmet;
}

void Plan::after_some(TaskId task, std::uint32_t count) {
  assert(!sealed_ && count > 0 && count <= tasks_[task].unmet);
  tasks_[task].unmet = count;
}

void Plan::seal() {
  if (sealed_) return;
  // A counting sort by the earlier task: successors stay in the order in which they were added.
  const std::size_t count = tasks_.size();
  tasks_.emplace_back();
  for (const auto& edge : edges_) ++tasks_[edge.first + 1].successors;
  for (std::size_t i = 1; i <= count; ++i) tasks_[i].successors += tasks_[i - 1].successors;
  successors_.resize(edges_.size());
  std::vector<std::uint32_t> next(count);
  for (std::size_t i = 0; i < count; ++i) next[i] = tasks_[i].successors;
  for (const auto& [earlier, later] : edges_) successors_[next[earlier]++] = later;
  edges_.clear();
  edges_.shrink_to_fit();
  sealed_ = true;
}

}  // namespace rocelab::sim
