// What the hosts of a run do, as one graph of tasks: messages to send, messages to wait for, and delays (computation).
// A task belongs to one host and depends on tasks of the same host alone; hosts learn of each other by messages, as
// real ranks do. That keeps a run on several threads free of shared state: each task is touched by its host only.
//
// Built by the workload generators (flows, collectives, training steps, traces) before the run, then sealed; during the
// run the hosts' runners (run/runner.h) count down the dependencies and note the times.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace rocelab::sim {

using TaskId = std::uint32_t;
inline constexpr TaskId kNoTask = ~0u;
inline constexpr std::uint64_t kNoTime = ~std::uint64_t{0};

enum class TaskKind : std::uint8_t {
  kSend,     ///< a message to `peer`; done when the sender has its completion
  kReceive,  ///< waits for the message that names it; done when that has arrived completely
  kDelay,    ///< done `delay_ps` after it became ready: computation, or a mere joint of dependencies
};

enum class TaskStatus : std::uint8_t { kWaiting, kRunning, kDone, kFailed };

struct Task {
  TaskKind kind = TaskKind::kDelay;
  TaskStatus status = TaskStatus::kWaiting;
  std::uint8_t priority = 0;
  std::uint8_t error = 0;        ///< of kFailed: the completion status
  std::uint16_t workload = 0;    ///< index of the workload it came from
  bool arrived = false;          ///< of kReceive: the message came before the task was ready
  std::uint32_t host = 0;        ///< whose it is
  std::uint32_t peer = 0;        ///< of kSend: the receiving host
  TaskId message = kNoTask;      ///< of kSend: the receiving task at the peer; kNoTask: the peer's program is not told
  std::uint32_t unmet = 0;       ///< dependencies that must still be done before it begins
  std::uint32_t successors = 0;  ///< where its successors begin; those of the next task end them
  std::uint32_t resent = 0;      ///< of kSend: packets sent again
  std::uint64_t bytes = 0;
  std::uint64_t delay_ps = 0;  ///< between becoming ready (0 for a task without dependencies) and its begin
  std::uint64_t begin_ps = kNoTime;
  std::uint64_t end_ps = kNoTime;
};

/// A bar of a timeline: from the end of `from` to the end of `to`.
struct PlanSpan {
  std::uint16_t workload = 0;
  std::uint32_t lane = 0;  ///< the rank
  std::uint32_t host = 0;
  TaskId from = kNoTask;
  TaskId to = kNoTask;
  std::uint64_t bytes = 0;
  std::string operation;
  std::string label;
};

class Plan {
 public:
  /// The plan has fewer tasks than this; generators stop with a message before.
  static constexpr std::size_t kTasksMax = 1u << 28;

  // --- building ---
  TaskId send(std::uint16_t workload, std::uint32_t host, std::uint32_t peer, std::uint64_t bytes,
              std::uint64_t delay_ps, std::uint8_t priority);
  TaskId delay(std::uint16_t workload, std::uint32_t host, std::uint64_t delay_ps);
  struct Message {
    TaskId send;
    TaskId receive;
  };
  /// A message that the other side waits for.
  Message message(std::uint16_t workload, std::uint32_t from, std::uint32_t to, std::uint64_t bytes,
                  std::uint64_t delay_ps, std::uint8_t priority);
  /// `task` begins after `earlier` is done; both are of the same host. kNoTask for `earlier` is no condition.
  void after(TaskId task, TaskId earlier);
  /// `task` begins when `count` of those have ended that it was said to come after, whichever they are: at least one,
  /// and no more than there are.
  void after_some(TaskId task, std::uint32_t count);
  void span(PlanSpan span) { spans_.push_back(std::move(span)); }
  void reserve(std::size_t tasks) { tasks_.reserve(tasks); }
  /// Sorts the dependencies; nothing may be added afterwards.
  void seal();

  // --- use ---
  std::size_t size() const { return sealed_ ? tasks_.size() - 1 : tasks_.size(); }
  std::span<const Task> tasks() const { return {tasks_.data(), size()}; }
  Task& task(TaskId id) { return tasks_[id]; }
  const Task& task(TaskId id) const { return tasks_[id]; }
  std::span<const TaskId> successors(TaskId id) const {
    return {successors_.data() + tasks_[id].successors, successors_.data() + tasks_[id + 1].successors};
  }
  std::span<const PlanSpan> spans() const { return spans_; }

 private:
  TaskId add(const Task& task);

  std::vector<Task> tasks_;  ///< sealed: one more, which ends the successors of the last
  std::vector<std::pair<TaskId, TaskId>> edges_;
  std::vector<TaskId> successors_;
  std::vector<PlanSpan> spans_;
  bool sealed_ = false;
};

}  // namespace rocelab::sim
