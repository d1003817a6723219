// A function that may stop in the middle and go on later: what lets a simulated process block in straight-line code.
// Plain switching of stacks (Boost.Context); no thread, no clock, no kernel. Whoever resumes a fiber waits until it
// yields or ends. Process (process.h) is built on it; nodes rarely use it directly.
#pragma once

#include <functional>

#include "sim/kernel/fiber_stacks.h"

namespace rocelab::sim {

class Fiber {
 public:
  /// What the fiber does; it gets the fiber in order to yield.
  using Body = std::function<void(Fiber&)>;

  /// Takes a stack of `stacks`, which outlives the fiber. Nothing runs yet.
  Fiber(FiberStacks& stacks, Body body);
  /// A fiber that has not ended is unwound: its yield() does not return, and the destructors of what lies on its stack
  /// run. (By an exception of a private type; C functions in between need unwind tables, as they have by default.)
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Runs the body until it yields or ends. Not from within, not when done().
  void resume();
  /// Back to whoever called resume(). Only in the body.
  void yield();

  bool running() const { return running_; }
  bool done() const { return done_; }

 private:
  friend struct FiberSwitch;

  FiberStacks& stacks_;
  Body body_;
  void* stack_;
  void* own_ = nullptr;     ///< where the body goes on
  void* caller_ = nullptr;  ///< where resume() goes on
  bool running_ = false;
  bool done_ = false;
  bool started_ = false;
  // What the sanitizers want to know of stacks; unused without them.
  void* own_fake_stack_ = nullptr;
  const void* caller_bottom_ = nullptr;
  std::size_t caller_bytes_ = 0;
  void* own_tsan_ = nullptr;
  void* caller_tsan_ = nullptr;
};

}  // namespace rocelab::sim
