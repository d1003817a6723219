// Stacks from Boost.Context, kept for reuse.

#include "sim/kernel/fiber_stacks.h"

#include <boost/context/protected_fixedsize_stack.hpp>
#include <cassert>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace rocelab::sim {
namespace {

using Allocator = boost::context::protected_fixedsize_stack;

std::size_t page_bytes() { return boost::context::stack_traits::page_size(); }

std::size_t whole_pages(std::size_t bytes) { return (bytes + page_bytes() - 1) / page_bytes() * page_bytes(); }

}  // namespace

FiberStacks::FiberStacks(std::size_t bytes) : bytes_(whole_pages(bytes)) {}

FiberStacks::~FiberStacks() {
  assert(free_.size() == made_ && "fibers end before their stacks");
  // A stack_context's size counts the guard page in, the allocator's own does not.
  Allocator allocator(bytes_);
  for (void* top : free_) {
    boost::context::stack_context stack;
    stack.size = bytes_ + page_bytes();
    stack.sp = top;
    allocator.deallocate(stack);
  }
}

void* FiberStacks::take() {
  if (!free_.empty()) {
    void* top = free_.back();
    free_.pop_back();
    return top;
  }
  Allocator allocator(bytes_);
  boost::context::stack_context stack = allocator.allocate();
  assert(stack.size == bytes_ + page_bytes());
  ++made_;
  return stack.sp;
}

void FiberStacks::give(void* top) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(static_cast<char*>(top) - bytes_, bytes_);
#endif
  free_.push_back(top);
}

}  // namespace rocelab::sim
