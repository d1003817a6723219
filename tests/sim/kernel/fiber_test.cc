// Fibers alone: switching, nesting, early ends, many of them.
#include "sim/kernel/fiber.h"

#include <memory>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace rocelab::sim {
namespace {

TEST_CASE("fiber: the body runs from yield to yield", "[sim][kernel]") {
  FiberStacks stacks;
  std::string trace;
  {
    Fiber fiber(stacks, [&](Fiber& self) {
      trace += 'a';
      self.yield();
      trace += 'b';
      self.yield();
      trace += 'c';
    });
    CHECK(trace.empty());
    for (int i = 0; i < 3; ++i) {
      CHECK_FALSE(fiber.done());
      fiber.resume();
      trace += '.';
    }
    CHECK(fiber.done());
  }
  CHECK(trace == "a.b.c.");
  CHECK(stacks.made() == 1);
}

TEST_CASE("fiber: one that is destroyed early is unwound", "[sim][kernel]") {
  FiberStacks stacks;
  const auto held = std::make_shared<int>(5);
  bool after = false;
  {
    Fiber fiber(stacks, [&](Fiber& self) {
      const std::shared_ptr<int> copy = held;
      self.yield();
      after = true;
    });
    fiber.resume();
    CHECK(held.use_count() == 2);
  }
  CHECK(held.use_count() == 1);
  CHECK_FALSE(after);
}

TEST_CASE("fiber: one that never ran costs nothing but its stack", "[sim][kernel]") {
  FiberStacks stacks;
  bool ran = false;
  {
    const Fiber fiber(stacks, [&](Fiber&) { ran = true; });
  }
  CHECK_FALSE(ran);
}

TEST_CASE("fiber: a fiber may resume another one", "[sim][kernel]") {
  FiberStacks stacks;
  std::string trace;
  Fiber inner(stacks, [&](Fiber& self) {
    trace += '1';
    self.yield();
    trace += '2';
  });
  Fiber outer(stacks, [&](Fiber& self) {
    inner.resume();
    self.yield();
    inner.resume();
  });
  outer.resume();
  trace += '-';
  outer.resume();
  CHECK(trace == "1-2");
  CHECK(inner.done());
  CHECK(outer.done());
}

/// Puts a good part of the stack to use.
unsigned deep(unsigned depth, Fiber& self) {
  unsigned char room[256];
  for (unsigned i = 0; i < sizeof(room); ++i) room[i] = static_cast<unsigned char>(depth + i);
  if (depth == 0) {
    self.yield();
    return room[3];
  }
  return deep(depth - 1, self) + room[depth % sizeof(room)];
}

TEST_CASE("fiber: a thousand keep their stacks apart and give them back", "[sim][kernel]") {
  FiberStacks stacks;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::unique_ptr<Fiber>> fibers;
    std::vector<unsigned> results(1000);
    for (unsigned i = 0; i < results.size(); ++i) {
      fibers.push_back(
          std::make_unique<Fiber>(stacks, [&results, i](Fiber& self) { results[i] = deep(i % 40, self); }));
    }
    for (const auto& fiber : fibers) fiber->resume();
    for (const auto& fiber : fibers) fiber->resume();
    for (unsigned i = 40; i < results.size(); ++i) CHECK(results[i] == results[i % 40]);
  }
  CHECK(stacks.made() == 1000);
}

}  // namespace
}  // namespace rocelab::sim
