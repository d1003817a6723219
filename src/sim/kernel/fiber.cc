// Switching of stacks, with the annotations that the sanitizers need.

#include "sim/kernel/fiber.h"

#include <boost/context/detail/fcontext.hpp>
#include <cassert>
#include <exception>
#include <utility>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ROCELAB_FIBER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define ROCELAB_FIBER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ROCELAB_FIBER_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define ROCELAB_FIBER_TSAN 1
#endif
#ifdef ROCELAB_FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef ROCELAB_FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace rocelab::sim {
namespace {

namespace context = boost::context::detail;

/// Passes through a body that is to end early.
struct Unwind {};

context::transfer_t begin_unwinding(context::transfer_t from);

}  // namespace

/// The switches, and what the sanitizers must be told around them: AddressSanitizer which stack is in use,
/// ThreadSanitizer which fiber runs.
struct FiberSwitch {
  static void enter(Fiber& fiber, bool unwind) {
    void* fake_stack = nullptr;
    before_entering(fiber, &fake_stack);
    const context::transfer_t back = unwind ? context::ontop_fcontext(fiber.own_, &fiber, begin_unwinding)
                                            : context::jump_fcontext(fiber.own_, &fiber);
    after_leaving(fake_stack);
    fiber.own_ = back.fctx;
  }

  static void leave(Fiber& fiber) {
    before_leaving(fiber, &fiber.own_fake_stack_);
    const context::transfer_t back = context::jump_fcontext(fiber.caller_, &fiber);
    after_entering(fiber, fiber.own_fake_stack_);
    fiber.caller_ = back.fctx;
  }

  static context::transfer_t unwind(context::transfer_t from) {
    Fiber& fiber = *static_cast<Fiber*>(from.data);
    fiber.caller_ = from.fctx;
    after_entering(fiber, fiber.own_fake_stack_);
    // The one exception of the simulator; it is caught at the bottom of the fiber's stack.
    std::rethrow_exception(std::make_exception_ptr(Unwind{}));
  }

  static void entry(context::transfer_t from) {
    Fiber& fiber = *static_cast<Fiber*>(from.data);
    fiber.caller_ = from.fctx;
    after_entering(fiber, nullptr);
    try {
      fiber.body_(fiber);
    } catch (const Unwind&) {
    }
    fiber.done_ = true;
    before_leaving(fiber, nullptr);
    context::jump_fcontext(fiber.caller_, &fiber);
    std::terminate();  // nobody resumes a fiber that is done
  }

 private:
  static void before_entering([[maybe_unused]] Fiber& fiber, [[maybe_unused]] void** fake_stack) {
#ifdef ROCELAB_FIBER_ASAN
    __sanitizer_start_switch_fiber(fake_stack, static_cast<char*>(fiber.stack_) - fiber.stacks_.bytes(),
                                   fiber.stacks_.bytes());
#endif
#ifdef ROCELAB_FIBER_TSAN
    if (fiber.own_tsan_ == nullptr) fiber.own_tsan_ = __tsan_create_fiber(0);
    fiber.caller_tsan_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber.own_tsan_, 0);
#endif
  }
  static void after_leaving([[maybe_unused]] void* fake_stack) {
#ifdef ROCELAB_FIBER_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  }
  static void before_leaving([[maybe_unused]] Fiber& fiber, [[maybe_unused]] void** fake_stack) {
#ifdef ROCELAB_FIBER_ASAN
    __sanitizer_start_switch_fiber(fake_stack, fiber.caller_bottom_, fiber.caller_bytes_);
#endif
#ifdef ROCELAB_FIBER_TSAN
    __tsan_switch_to_fiber(fiber.caller_tsan_, 0);
#endif
  }
  static void after_entering([[maybe_unused]] Fiber& fiber, [[maybe_unused]] void* fake_stack) {
#ifdef ROCELAB_FIBER_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, &fiber.caller_bottom_, &fiber.caller_bytes_);
#endif
  }
};

namespace {

context::transfer_t begin_unwinding(context::transfer_t from) { return FiberSwitch::unwind(from); }

}  // namespace

Fiber::Fiber(FiberStacks& stacks, Body body) : stacks_(stacks), body_(std::move(body)), stack_(stacks.take()) {
  own_ = context::make_fcontext(stack_, stacks_.bytes(), FiberSwitch::entry);
}

Fiber::~Fiber() {
  assert(!running_ && "a fiber does not destroy itself");
  if (started_ && !done_) FiberSwitch::enter(*this, true);
#ifdef ROCELAB_FIBER_TSAN
  if (own_tsan_ != nullptr) __tsan_destroy_fiber(own_tsan_);
#endif
  stacks_.give(stack_);
}

void Fiber::resume() {
  assert(!running_ && !done_);
  started_ = true;
  running_ = true;
  FiberSwitch::enter(*this, false);
  running_ = false;
}

void Fiber::yield() {
  assert(running_);
  FiberSwitch::leave(*this);
}

}  // namespace rocelab::sim
