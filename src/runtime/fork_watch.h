// fork(): what a child must not keep. A child inherits descriptors whose locks and bindings belong to the parent's
// slot; whoever has such descriptors registers here and drops them in the child. The one list is process-wide because
// fork() is. Any thread.
#pragma once

#include <cstdint>

namespace rocelab::runtime {

class ForkListener {
 public:
  /// Runs in the child before fork() returns there; only async-signal-safe calls.
  virtual void abandon() noexcept = 0;

 protected:
  ~ForkListener() = default;
};

void watch_forks(ForkListener& listener);
void unwatch_forks(ForkListener& listener);
/// How many forks lie between this process and the first that used rocelab: differs from what a parent saw.
std::uint32_t fork_generation();

}  // namespace rocelab::runtime
