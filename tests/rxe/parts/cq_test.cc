// CompletionQueue and EventQueue: order, notification, overflow, resizing.
#include "rxe/cq.h"

#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "rxe/event_queue.h"
#include "tests/support/catch.h"

namespace rocelab::rxe {

namespace {

Completion done(std::uint64_t wr_id, Qpn qpn = 1, WcStatus status = WcStatus::kSuccess) {
  Completion completion;
  completion.wr_id = wr_id;
  completion.qp_num = qpn;
  completion.status = status;
  return completion;
}

struct Fixture {
  int user = 0;
  EventQueue events;
  CompletionQueue cq{4, &user, events};

  std::vector<std::uint64_t> poll_all() {
    std::array<Completion, 16> out;
    std::vector<std::uint64_t> ids;
    for (std::size_t i = 0, n = cq.poll(out); i < n; ++i) ids.push_back(out[i].wr_id);
    return ids;
  }
  std::size_t notifications() {
    std::size_t count = 0;
    while (const auto event = events.pop()) {
      if (event->type == EventType::kCompletion && event->user == &user) ++count;
    }
    return count;
  }
};

using Ids = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("cq: completions are polled in the order in which they were added", "[rxe][cq]") {
  Fixture f;
  for (std::uint64_t id = 1; id <= 3; ++id) CHECK(f.cq.push(done(id), false));
  std::array<Completion, 2> two;
  CHECK(f.cq.poll(two) == 2);
  CHECK(two[1].wr_id == 2);
  CHECK(f.cq.pending() == 1);
  CHECK(f.poll_all() == Ids{3});
  CHECK(f.cq.poll(two) == 0);
}

TEST_CASE("cq: its capacity is what was asked for, rounded up to a power of two", "[rxe][cq]") {
  Fixture f;
  CHECK(CompletionQueue(5, &f, f.events).capacity() == 8);
  CHECK(CompletionQueue(1, &f, f.events).capacity() == 1);
}

TEST_CASE("cq: armed, it reports the next completion once", "[rxe][cq]") {
  Fixture f;
  f.cq.push(done(1), false);
  f.cq.arm(false);
  CHECK(f.notifications() == 0);  // not for what is already inside
  f.cq.push(done(2), false);
  f.cq.push(done(3), false);
  CHECK(f.notifications() == 1);
}

TEST_CASE("cq: armed for solicited completions only, others do not wake", "[rxe][cq]") {
  Fixture f;
  f.cq.arm(true);
  f.cq.push(done(1), false);
  CHECK(f.notifications() == 0);
  f.cq.push(done(2), true);
  CHECK(f.notifications() == 1);
}

TEST_CASE("cq: a completion in error counts as solicited", "[rxe][cq]") {
  Fixture f;
  f.cq.arm(true);
  f.cq.push(done(1, 1, WcStatus::kWrFlushErr), false);
  CHECK(f.notifications() == 1);
}

TEST_CASE("cq: a pending request for any completion is not weakened by one for solicited ones", "[rxe][cq]") {
  Fixture f;
  f.cq.arm(false);
  f.cq.arm(true);
  f.cq.push(done(1), false);
  CHECK(f.notifications() == 1);
  f.cq.arm(true);
  f.cq.arm(false);
  f.cq.push(done(2), false);
  CHECK(f.notifications() == 1);
}

TEST_CASE("cq: overflow is an event and an error state, what was inside stays", "[rxe][cq]") {
  Fixture f;
  for (std::uint64_t id = 1; id <= 4; ++id) CHECK(f.cq.push(done(id), false));
  CHECK_FALSE(f.cq.in_error());
  CHECK_FALSE(f.cq.push(done(5), false));
  CHECK_FALSE(f.cq.push(done(6), false));
  CHECK(f.cq.in_error());
  CHECK(f.cq.lost() == 2);
  const auto event = f.events.pop();
  REQUIRE(event.has_value());
  CHECK(event->type == EventType::kCqErr);
  CHECK(event->user == &f.user);
  CHECK_FALSE(f.events.pop().has_value());
  CHECK(f.poll_all() == Ids{1, 2, 3, 4});
  CHECK_FALSE(f.cq.push(done(7), false));  // it stays in error
}

TEST_CASE("cq: overflow wakes whoever sleeps on the completion channel", "[rxe][cq]") {
  Fixture f;
  for (std::uint64_t id = 1; id <= 4; ++id) f.cq.push(done(id), false);
  f.cq.arm(true);
  f.cq.push(done(5), false);
  CHECK(f.notifications() == 1);
}

TEST_CASE("cq: resizing keeps what is pending and refuses to lose any of it", "[rxe][cq]") {
  Fixture f;
  for (std::uint64_t id = 1; id <= 4; ++id) f.cq.push(done(id), false);
  CHECK(f.cq.resize(3).error().code == EINVAL);
  REQUIRE(f.cq.resize(8).has_value());
  CHECK(f.cq.capacity() == 8);
  CHECK(f.cq.push(done(5), false));
  CHECK(f.poll_all() == Ids{1, 2, 3, 4, 5});
}

TEST_CASE("cq: a destroyed QP's completions vanish, the others keep their order", "[rxe][cq]") {
  Fixture f;
  f.cq.push(done(1, 10), false);
  f.cq.push(done(2, 11), false);
  f.cq.push(done(3, 10), false);
  f.cq.push(done(4, 12), false);
  f.cq.forget_qp(10);
  CHECK(f.poll_all() == Ids{2, 4});
}

TEST_CASE("cq: destroyed while armed, nobody sees its user pointer again", "[rxe][cq]") {
  EventQueue events;
  int user = 0, other = 0;
  {
    CompletionQueue cq(1, &user, events);
    cq.arm(false);
    cq.push(done(1), false);
    cq.push(done(2), false);  // overflow: an event as well
    cq.arm(false);
    events.push(EventType::kQpFatal, &other);
  }
  const auto event = events.pop();
  REQUIRE(event.has_value());
  CHECK(event->user == &other);
  CHECK(events.empty());
}

TEST_CASE("event queue: oldest first, and never lost however many there are", "[rxe][events]") {
  EventQueue events;
  std::array<int, 1000> users{};
  for (int& user : users) {
    events.reserve_notification();
    if ((&user - users.data()) % 3 == 0) events.push(EventType::kCommEst, &user);
  }
  for (int& user : users) events.push_notification(&user);
  CHECK(events.size() == 1000 + 334);
  for (std::size_t i = 0; i < users.size(); i += 3) {
    const auto event = events.pop();
    REQUIRE(event->type == EventType::kCommEst);
    REQUIRE(event->user == &users[i]);
  }
  for (int& user : users) REQUIRE(events.pop()->user == &user);
  CHECK_FALSE(events.pop().has_value());
}

TEST_CASE("event queue: forgetting an object keeps the events of others and of the port", "[rxe][events]") {
  EventQueue events;
  int a = 0, b = 0;
  events.push(EventType::kQpFatal, &a);
  events.push(EventType::kPortErr, nullptr);
  events.push(EventType::kQpFatal, &b);
  events.forget(&a);
  CHECK(events.size() == 2);
  events.forget(nullptr);
  CHECK(events.size() == 2);
  CHECK(events.pop()->type == EventType::kPortErr);
  CHECK(events.pop()->user == &b);
}

}  // namespace rocelab::rxe
