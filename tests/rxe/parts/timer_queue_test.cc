// TimerQueue: deadlines exact in spite of lazy updates.
#include "rxe/timer_queue.h"

#include <map>
#include <vector>

#include "base/rng.h"
#include "tests/support/catch.h"

namespace rocelab::rxe {

namespace {
base::TimePoint at(std::uint64_t ns) { return base::TimePoint::from_ns(ns); }
}  // namespace

TEST_CASE("timer queue: deadlines fall due in order, equal ones by ascending index", "[rxe][timers]") {
  TimerQueue queue;
  queue.reserve(8);
  CHECK_FALSE(queue.next().has_value());
  queue.arm(5, at(20));
  queue.arm(3, at(10));
  queue.arm(7, at(10));
  queue.arm(1, at(20));
  CHECK(*queue.next() == at(10));
  CHECK_FALSE(queue.pop_due(at(9)).has_value());
  std::vector<std::uint32_t> order;
  while (const auto due = queue.pop_due(at(20))) order.push_back(*due);
  CHECK(order == std::vector<std::uint32_t>{3, 7, 1, 5});
  CHECK_FALSE(queue.next().has_value());
}

TEST_CASE("timer queue: postponing, advancing and disarming count from when they are said", "[rxe][timers]") {
  TimerQueue queue;
  queue.reserve(4);
  queue.arm(0, at(10));
  queue.arm(0, at(30));
  CHECK(*queue.next() == at(30));
  CHECK_FALSE(queue.pop_due(at(29)).has_value());
  queue.arm(0, at(5));
  CHECK(*queue.next() == at(5));
  queue.disarm(0);
  CHECK_FALSE(queue.armed(0));
  CHECK_FALSE(queue.next().has_value());
  CHECK_FALSE(queue.pop_due(at(1000)).has_value());
  queue.arm(0, at(7));
  CHECK(*queue.pop_due(at(7)) == 0);
  CHECK_FALSE(queue.armed(0));
}

TEST_CASE("timer queue: the bound is never later than the next deadline", "[rxe][timers]") {
  TimerQueue queue;
  queue.reserve(2);
  queue.arm(0, at(10));
  queue.arm(0, at(50));
  REQUIRE(queue.next_bound().has_value());
  CHECK(*queue.next_bound() <= at(50));
  CHECK(*queue.next() == at(50));
}

TEST_CASE("timer queue: growing keeps what is armed", "[rxe][timers]") {
  TimerQueue queue;
  queue.reserve(1);
  queue.arm(0, at(10));
  queue.reserve(100);
  CHECK(queue.capacity() == 100);
  queue.reserve(5);
  CHECK(queue.capacity() == 100);
  queue.arm(99, at(5));
  CHECK(*queue.pop_due(at(20)) == 99);
  CHECK(*queue.pop_due(at(20)) == 0);
}

TEST_CASE("timer queue: over random calls it agrees with a sorted model", "[rxe][timers]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    base::Rng rng(seed, "timers");
    TimerQueue queue;
    queue.reserve(32);
    std::map<std::uint32_t, std::uint64_t> model;
    std::uint64_t now = 1000;
    for (int step = 0; step < 2000; ++step) {
      const auto index = static_cast<std::uint32_t>(rng.below(32));
      switch (rng.below(4)) {
        case 0:
        case 1:
          model[index] = now + rng.below(200);
          queue.arm(index, at(model[index]));
          break;
        case 2:
          model.erase(index);
          queue.disarm(index);
          break;
        default:
          now += rng.below(50);
          while (true) {
            auto first = model.end();
            for (auto it = model.begin(); it != model.end(); ++it) {
              if (it->second <= now && (first == model.end() || it->second < first->second)) first = it;
            }
            const auto due = queue.pop_due(at(now));
            REQUIRE(due.has_value() == (first != model.end()));
            if (!due) break;
            REQUIRE(*due == first->first);
            model.erase(first);
          }
      }
      std::optional<std::uint64_t> least;
      for (const auto& [who, when] : model) least = least ? std::min(*least, when) : when;
      REQUIRE(queue.next().has_value() == least.has_value());
      if (least) REQUIRE(*queue.next() == at(*least));
      REQUIRE(queue.queued() <= 32);
    }
  }
}

}  // namespace rocelab::rxe
