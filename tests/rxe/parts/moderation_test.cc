// CQ moderation: which completions make a notification, and when.
#include <cstdint>
#include <memory>
#include <vector>

#include "rxe/cq.h"
#include "rxe/event_queue.h"
#include "rxe/notification_delay.h"
#include "rxe/timer_queue.h"
#include "tests/support/catch.h"

namespace rocelab::rxe {

namespace {

constexpr Duration kPeriod = Duration::us(100);

struct Fixture {
  Fixture() {
    timers.reserve(1);
    delay.set_timer(0);
  }
  TimePoint now = TimePoint::from_ns(1'000'000);
  EventQueue events;
  TimerQueue timers;
  NotificationDelay delay{timers};
  std::vector<std::unique_ptr<CompletionQueue>> queues;
  std::vector<std::unique_ptr<int>> users;

  CompletionQueue& make(std::uint32_t count, Duration period, std::uint32_t cqe = 16) {
    users.push_back(std::make_unique<int>(0));
    queues.push_back(std::make_unique<CompletionQueue>(cqe, users.back().get(), events));
    queues.back()->moderate(delay, count, period);
    return *queues.back();
  }
  void push(CompletionQueue& cq, bool solicited = false, WcStatus status = WcStatus::kSuccess) {
    Completion completion;
    completion.timestamp = now;
    completion.status = status;
    REQUIRE(cq.push(completion, solicited));
  }
  /// Time passes, and the timer fires when it is due.
  void pass(Duration time) {
    now = now + time;
    while (const auto index = timers.pop_due(now)) {
      REQUIRE(delay.is_timer(*index));
      delay.expire(now);
    }
  }
  std::size_t told(const CompletionQueue& cq) {
    std::size_t count = 0;
    std::vector<Event> others;
    while (const auto event = events.pop()) {
      if (event->user == cq.user()) ++count;
    }
    return count;
  }
};

}  // namespace

TEST_CASE("moderation: the notification comes with the last of the completions", "[rxe][cq]") {
  Fixture f;
  CompletionQueue& cq = f.make(3, kPeriod);
  for (int round = 0; round < 3; ++round) {
    cq.arm(false);
    f.push(cq);
    f.push(cq);
    CHECK(f.told(cq) == 0);
    f.push(cq);
    CHECK(f.told(cq) == 1);
    f.push(cq);  // not asked for
    CHECK(f.told(cq) == 0);
    f.pass(kPeriod + kPeriod);
    CHECK(f.told(cq) == 0);
    std::vector<Completion> out(8);
    CHECK(cq.poll(out) == 4);
  }
}

TEST_CASE("moderation: or when the period after the first completion is over", "[rxe][cq]") {
  Fixture f;
  CompletionQueue& cq = f.make(0, kPeriod);
  cq.arm(false);
  f.pass(kPeriod + kPeriod);
  CHECK(f.told(cq) == 0);
  f.push(cq);
  f.pass(Duration::us(60));
  f.push(cq);
  f.pass(Duration::us(39));
  CHECK(f.told(cq) == 0);
  f.pass(Duration::us(1));
  CHECK(f.told(cq) == 1);
  f.pass(kPeriod + kPeriod);
  CHECK(f.told(cq) == 0);
}

TEST_CASE("moderation: errors, a full queue and no period are told at once", "[rxe][cq]") {
  Fixture f;
  CompletionQueue& cq = f.make(10, kPeriod, 4);
  cq.arm(false);
  f.push(cq);
  f.push(cq, false, WcStatus::kRetryExcErr);
  CHECK(f.told(cq) == 1);
  cq.arm(false);
  f.push(cq);
  CHECK(f.told(cq) == 0);
  f.push(cq);
  CHECK(f.told(cq) == 1);
  CompletionQueue& plain = f.make(10, Duration());
  plain.arm(false);
  f.push(plain);
  CHECK(f.told(plain) == 1);
}

TEST_CASE("moderation: of a CQ armed for solicited completions only those count", "[rxe][cq]") {
  Fixture f;
  CompletionQueue& cq = f.make(2, kPeriod);
  cq.arm(true);
  f.push(cq);
  f.push(cq);
  f.pass(kPeriod);
  CHECK(f.told(cq) == 0);
  f.push(cq, true);
  CHECK(f.told(cq) == 0);
  f.push(cq, true);
  CHECK(f.told(cq) == 1);
}

TEST_CASE("moderation: several CQs share the timer, and one may go or change while it is held back", "[rxe][cq]") {
  Fixture f;
  CompletionQueue& slow = f.make(0, Duration::us(300));
  CompletionQueue& gone = f.make(0, Duration::us(50));
  CompletionQueue& fast = f.make(0, Duration::us(100));
  for (CompletionQueue* cq : {&slow, &gone, &fast}) {
    cq->arm(false);
    f.push(*cq);
  }
  f.queues.erase(f.queues.begin() + 1);
  f.pass(Duration::us(100));
  CHECK(f.told(fast) == 1);
  f.pass(Duration::us(199));
  CHECK(f.told(slow) == 0);
  f.pass(Duration::us(1));
  CHECK(f.told(slow) == 1);
  slow.arm(false);
  f.push(slow);
  CHECK(f.told(slow) == 0);
  slow.moderate(f.delay, 5, kPeriod);
  CHECK(f.told(slow) == 1);
}

}  // namespace rocelab::rxe
