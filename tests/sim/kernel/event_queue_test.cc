// The event queue against a sorted set that does the same in the obvious way: every distribution of times, ties,
// limits, cancellations, sweeps, the ends of the range.
#include "sim/kernel/event_queue.h"

#include <array>
#include <set>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "tests/support/catch.h"

namespace rocelab::sim {
namespace {

constexpr std::uint64_t kAll = kNever - 1;

/// What the queue should hold.
class Model {
 public:
  void push(const Event& event) { REQUIRE(pending_.insert({event.time_ps, event.order}).second); }
  void erase(std::uint64_t time, std::uint64_t order) { REQUIRE(pending_.erase({time, order}) == 1); }
  bool empty() const { return pending_.empty(); }
  std::size_t size() const { return pending_.size(); }
  std::pair<std::uint64_t, std::uint64_t> first() const { return *pending_.begin(); }
  void pop() { pending_.erase(pending_.begin()); }

 private:
  std::set<std::pair<std::uint64_t, std::uint64_t>> pending_;
};

struct Case {
  const char* name;
  std::uint64_t delay_max;
  unsigned rare;  ///< one delay in so many is a thousand times longer; 0: none
  unsigned pending_max;
};

constexpr std::array<Case, 8> kCases = {{
    {"all at once", 1, 0, 3000},
    {"within a span", 200, 0, 2000},
    {"within a few spans", 5'000, 0, 300},
    {"microseconds", 2'000'000, 0, 5000},
    {"few and far between", 3'000'000'000, 0, 30},
    {"bimodal", 300'000, 10, 3000},
    {"seconds, bimodal", 2'000'000'000'000, 5, 500},
    {"a handful", 100'000, 50, 4},
}};

/// Random pushes and pops; windows as partitions have them: pop up to a limit, then push only what is later.
void compare(const Case& c, std::uint64_t seed) {
  INFO(c.name << ", seed " << seed);
  base::Rng rng(seed, c.name);
  EventQueue queue;
  Model model;
  struct Timer {
    TimerHandle handle;
    std::uint64_t time, order;
  };
  std::vector<Timer> timers;
  std::uint64_t order = 0;
  std::uint64_t now = 0;
  std::uint64_t limit = kAll;
  unsigned wrong = 0;
  const auto push = [&](std::uint64_t earliest) {
    std::uint64_t delay = rng.below(c.delay_max);
    if (c.rare != 0 && rng.below(c.rare) == 0) delay *= 1000;
    // Orders rise and fall, as those of different creators do.
    Event event{earliest + delay, rng.below(7) << kOrderSequenceBits | order, order * 3, 5, 6, 7};
    ++order;
    model.push(event);
    if (rng.below(4) == 0) {
      timers.push_back({queue.push_timer(event), event.time_ps, event.order});
    } else {
      queue.push(event);
    }
  };
  for (int step = 0; step < 20'000; ++step) {
    if (rng.below(100) == 0) {
      // The end of a window: everything up to the limit happens.
      limit = now + rng.below(c.delay_max * 3 + 1);
    }
    const bool grow = model.size() < c.pending_max && (model.empty() || rng.below(2) == 0);
    if (grow) {
      for (std::uint64_t n = rng.below(3); n-- > 0;) push(now);
      continue;
    }
    if (!timers.empty() && rng.below(3) == 0) {
      const std::size_t which = rng.below(timers.size());
      if (queue.cancel(timers[which].handle)) {
        model.erase(timers[which].time, timers[which].order);
        wrong += queue.cancel(timers[which].handle) ? 1 : 0;
      }
      timers[which] = timers.back();
      timers.pop_back();
    }
    const Event* event = queue.pop(limit);
    if (event == nullptr) {
      wrong += !model.empty() && model.first().first <= limit ? 1 : 0;
      if (limit != kAll) {
        now = std::max(now, limit + 1);
        if (rng.below(2) == 0) push(now);
        limit = kAll;
      }
      continue;
    }
    if (model.empty() || model.first() != std::pair{event->time_ps, event->order} || event->target != 5 ||
        event->argument != (event->order & ((std::uint64_t{1} << kOrderSequenceBits) - 1)) * 3) {
      ++wrong;
      break;
    }
    model.pop();
    now = event->time_ps;
  }
  CHECK(wrong == 0);
  while (const Event* event = queue.pop(kAll)) {
    wrong += model.empty() || model.first() != std::pair{event->time_ps, event->order} ? 1 : 0;
    if (!model.empty()) model.pop();
  }
  CHECK(wrong == 0);
  CHECK(model.empty());
  CHECK(queue.size() == 0);
  CHECK(queue.next_time_ps() == kNever);
}

TEST_CASE("event queue: hands out what a sorted set does, whatever the times", "[sim][kernel]") {
  for (const Case& c : kCases) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) compare(c, seed);
  }
}

TEST_CASE("event queue: the next time is exact and asking for it moves nothing", "[sim][kernel]") {
  base::Rng rng(3, "next time");
  EventQueue queue;
  std::multiset<std::uint64_t> times;
  for (std::uint64_t i = 0; i < 500; ++i) {
    const std::uint64_t time = rng.below(std::uint64_t{1} << (8 + 4 * (i % 14)));
    queue.push(Event{time, i, 0, 0, 0, 0});
    times.insert(time);
  }
  while (!times.empty()) {
    REQUIRE(queue.next_time_ps() == *times.begin());
    REQUIRE(queue.pop(*times.begin() - (*times.begin() > 0 ? 1 : 0)) ==
            (*times.begin() > 0 ? nullptr : queue.ahead(0)));
    const Event* event = queue.pop(*times.begin());
    REQUIRE(event != nullptr);
    REQUIRE(event->time_ps == *times.begin());
    times.erase(times.begin());
  }
}

TEST_CASE("event queue: what it says is ahead is what is popped", "[sim][kernel]") {
  base::Rng rng(4, "ahead");
  EventQueue queue;
  for (std::uint64_t i = 0; i < 3000; ++i) queue.push(Event{1 + rng.below(2'000'000), i, i, 0, 0, 0});
  std::uint64_t expected = kNever;
  unsigned known = 0;
  while (const Event* event = queue.pop(kAll)) {
    if (expected != kNever) CHECK(event->order == expected);
    const Event* next = queue.ahead(0);
    expected = next == nullptr ? kNever : next->order;
    known += next == nullptr ? 0 : 1;
  }
  CHECK(known > 1500);
}

TEST_CASE("event queue: the whole range of times", "[sim][kernel]") {
  EventQueue queue;
  std::uint64_t order = 0;
  for (unsigned bit = 0; bit < 64; ++bit) queue.push(Event{std::uint64_t{1} << bit, order++, 0, 0, 0, 0});
  queue.push(Event{kNever - 1, order++, 0, 0, 0, 0});
  queue.push(Event{0, order++, 0, 0, 0, 0});
  std::uint64_t last = 0;
  unsigned count = 0;
  while (const Event* event = queue.pop(kAll)) {
    CHECK(event->time_ps >= last);
    last = event->time_ps;
    ++count;
  }
  CHECK(count == 66);
  CHECK(last == kNever - 1);
}

TEST_CASE("event queue: cancelled timers are swept, not kept until their time", "[sim][kernel]") {
  EventQueue queue;
  std::size_t most = 0;
  std::uint64_t time = 0;
  // A retransmission timer pushed off with every packet.
  TimerHandle timer = queue.push_timer(Event{1'000'000'000'000, 0, 0, 0, 0, 0});
  for (std::uint64_t i = 1; i < 200'000; ++i) {
    queue.push(Event{time + 1000, 2 * i, 0, 0, 0, 0});
    REQUIRE(queue.cancel(timer));
    timer = queue.push_timer(Event{time + 1'000'000'000'000, 2 * i + 1, 0, 0, 0, 0});
    const Event* event = queue.pop(kAll);
    REQUIRE(event != nullptr);
    time = event->time_ps;
    most = std::max(most, queue.size());
  }
  CHECK(most < 4000);
}

TEST_CASE("event queue: many events of one moment come in order", "[sim][kernel]") {
  EventQueue queue;
  constexpr std::uint64_t kCount = 100'000;
  for (std::uint64_t i = 0; i < kCount; ++i) queue.push(Event{42, i * 7919 % kCount, 0, 0, 0, 0});
  unsigned wrong = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const Event* event = queue.pop(kAll);
    REQUIRE(event != nullptr);
    wrong += event->order != i ? 1 : 0;
    // More of the same moment, while it is handed out.
    if (i % 1000 == 0) queue.push(Event{42, kCount + i, 0, 0, 0, 0});
  }
  CHECK(wrong == 0);
  CHECK(queue.size() == kCount / 1000);
}

}  // namespace
}  // namespace rocelab::sim
