// Stacks for fibers: all of one size, each with a guard page below it so that running over ends the process instead of
// spoiling a neighbour. Memory is the kernel's until it is touched; a stack given back is kept for the next fiber.
// One owner, no locks: a pool a host or a partition.
#pragma once

#include <cstddef>
#include <vector>

namespace rocelab::sim {

class FiberStacks {
 public:
  static constexpr std::size_t kBytesDefault = 64 * 1024;

  explicit FiberStacks(std::size_t bytes = kBytesDefault);
  ~FiberStacks();
  FiberStacks(const FiberStacks&) = delete;
  FiberStacks& operator=(const FiberStacks&) = delete;

  /// The top of a stack, from which it grows downwards. Without memory this fails as `new` does.
  void* take();
  void give(void* top);
  /// Of each stack, the guard page not counted.
  std::size_t bytes() const { return bytes_; }
  std::size_t made() const { return made_; }

 private:
  std::size_t bytes_;
  std::size_t made_ = 0;
  std::vector<void*> free_;
};

}  // namespace rocelab::sim
