// A simulated process: a fiber that lives in a node and sees virtual time. Its body is straight-line code that sleeps,
// waits for something to happen at its node, or meets the node's other processes at a barrier; meanwhile the node
// handles events. All processes of a condition or barrier belong to one node: between nodes only events pass.
//
// The node gives each process a kind of event of its own and an index, and hands events of that kind on:
//
//   processes_.emplace_back(stacks_, ProcessOptions{kWake, index}, [](Process& self) {
//     self.delay_for(Duration::us(3));
//     self.wait(queue_is_not_empty);
//   });
//   ...
//   case kWake: processes_[event.port].handle_wake(context, event); break;
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/time.h"
#include "sim/kernel/context.h"
#include "sim/kernel/fiber.h"

namespace rocelab::sim {

struct ProcessOptions {
  std::uint16_t wake_kind = 0;  ///< kind of the events by which the process goes on
  std::uint16_t index = 0;      ///< their `port`: which of the node's processes it is
};

class Condition;

class Process {
 public:
  using Body = std::function<void(Process&)>;

  Process(FiberStacks& stacks, const ProcessOptions& options, Body body);
  /// A process that has not ended is unwound (see Fiber).
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // For the node.

  /// Runs the body until it first blocks. In an event of the node.
  void start(Context& context);
  /// An event of kind wake_kind whose port is the process's index.
  void handle_wake(Context& context, const Event& event);
  bool started() const { return started_; }
  bool done() const { return fiber_.done(); }

  // For the body.

  /// Of the event in which the process runs: not to be kept across anything here that blocks.
  Context& context() { return *context_; }
  TimePoint now() const { return context_->now(); }
  /// A time that is past ends the call at once, one that is now lets the node's other events of this moment happen.
  void delay_until(TimePoint at);
  void delay_for(Duration duration) { delay_until(now() + duration); }
  /// Until somebody notifies the condition. As with any condition the reason must be looked at again.
  void wait(Condition& condition);
  /// False: `deadline` came first.
  bool wait_until(Condition& condition, TimePoint deadline);

 private:
  friend class Condition;

  void run(Context& context);
  /// Gives way until the event with this number comes.
  void block();

  ProcessOptions options_;
  Body body_;
  Fiber fiber_;
  Context* context_ = nullptr;
  std::uint64_t blocked_ = 0;  ///< how often the process has blocked: the argument of the event that ends it
  bool started_ = false;
  bool notified_ = false;
  Condition* waits_for_ = nullptr;
};

/// Something that processes of one node wait for. Outlives them.
class Condition {
 public:
  /// Those who wait go on in this moment, in the order in which they began to wait, by events of their own: the caller
  /// is not interrupted.
  void notify_all(Context& context);
  void notify_one(Context& context);
  bool awaited() const { return !waiting_.empty(); }

 private:
  friend class Process;
  static void wake(Context& context, Process& process);
  std::vector<Process*> waiting_;
};

/// Lets a number of processes of one node go on when all have come. May be used again and again.
class Barrier {
 public:
  explicit Barrier(std::size_t processes) : processes_(processes) {}
  void arrive_and_wait(Process& process);

 private:
  std::size_t processes_;
  std::size_t arrived_ = 0;
  std::uint64_t round_ = 0;
  Condition all_here_;
};

}  // namespace rocelab::sim
