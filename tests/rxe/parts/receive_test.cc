// ReceiveQueue, HeldReceive and SharedReceiveQueue.
#include <array>
#include <cerrno>
#include <vector>

#include "rxe/receive_queue.h"
#include "rxe/srq.h"
#include "tests/support/catch.h"

namespace rocelab::rxe {

namespace {

std::vector<Sge> pieces(std::size_t count, std::uint32_t length) {
  std::vector<Sge> sges;
  for (std::size_t i = 0; i < count; ++i) sges.push_back({i * 100, length, static_cast<std::uint32_t>(i)});
  return sges;
}

base::Result<void> post(auto& queue, std::uint64_t id, std::size_t count, std::uint32_t length = 10) {
  const auto sges = pieces(count, length);
  return queue.post(RecvRequest{.wr_id = id, .sges = sges});
}

struct SrqFixture {
  int user = 0;
  EventQueue events;
  DeviceAttr limits;
  SharedReceiveQueue srq{PdId{1}, {.max_wr = 8, .max_sge = 2, .limit = 0}, &user, events};
  HeldReceive held;

  SrqFixture() { held.reserve(2); }
  std::size_t limit_events() {
    std::size_t count = 0;
    while (const auto event = events.pop()) count += event->type == EventType::kSrqLimitReached ? 1 : 0;
    return count;
  }
};

}  // namespace

TEST_CASE("receive queue: requests come out in order with their pieces and total length", "[rxe][rq]") {
  ReceiveQueue queue(4, 3);
  REQUIRE(post(queue, 1, 3));
  REQUIRE(post(queue, 2, 0));
  CHECK(queue.front().wr_id == 1);
  CHECK(queue.front().length == 30);
  REQUIRE(queue.front().sges.size() == 3);
  CHECK(queue.front().sges[2].addr == 200);
  queue.pop();
  CHECK(queue.front().wr_id == 2);
  CHECK(queue.front().length == 0);
}

TEST_CASE("receive queue: lengths of pieces add up beyond 32 bits", "[rxe][rq]") {
  ReceiveQueue queue(1, 2);
  REQUIRE(post(queue, 1, 2, 0xffff'ffff));
  CHECK(queue.front().length == 2ull * 0xffff'ffff);
}

TEST_CASE("receive queue: too many pieces are EINVAL, a full queue is ENOMEM", "[rxe][rq]") {
  ReceiveQueue queue(2, 1);
  CHECK(post(queue, 1, 2).error().code == EINVAL);
  REQUIRE(post(queue, 1, 1));
  REQUIRE(post(queue, 2, 1));
  CHECK(post(queue, 3, 1).error().code == ENOMEM);
  ReceiveQueue none(0, 0);
  CHECK(post(none, 1, 0).error().code == ENOMEM);
}

TEST_CASE("receive queue: it keeps order over many wraps", "[rxe][rq]") {
  ReceiveQueue queue(3, 1);
  CHECK(queue.capacity() == 4);
  for (std::uint64_t id = 0; id < 1000; ++id) {
    REQUIRE(post(queue, id, 1));
    REQUIRE(post(queue, id + 5000, 0));
    REQUIRE(queue.front().wr_id == id);
    queue.pop();
    REQUIRE(queue.front().wr_id == id + 5000);
    queue.pop();
  }
}

TEST_CASE("receive queue: resizing keeps what is posted and refuses to lose any of it", "[rxe][rq]") {
  ReceiveQueue queue(4, 2);
  for (std::uint64_t id = 0; id < 3; ++id) REQUIRE(post(queue, id, id % 3));
  CHECK(queue.resize(2).error().code == EINVAL);
  REQUIRE(queue.resize(16));
  CHECK(queue.capacity() == 16);
  for (std::uint64_t id = 0; id < 3; ++id) {
    CHECK(queue.front().wr_id == id);
    CHECK(queue.front().sges.size() == id);
    queue.pop();
  }
}

TEST_CASE("receive queue: a taken request is a copy that later posts do not touch", "[rxe][rq]") {
  ReceiveQueue queue(1, 2);
  HeldReceive held;
  held.reserve(2);
  CHECK_FALSE(queue.take(held));
  REQUIRE(post(queue, 1, 2, 7));
  REQUIRE(queue.take(held));
  REQUIRE(post(queue, 2, 1, 99));
  CHECK(held.held());
  CHECK(held.wr_id() == 1);
  CHECK(held.length() == 14);
  CHECK(held.sges()[1].length == 7);
  held.release();
  CHECK_FALSE(held.held());
}

TEST_CASE("srq: its attributes are checked against the device's limits", "[rxe][srq]") {
  const DeviceAttr limits{.max_srq_wr = 16, .max_srq_sge = 2};
  CHECK(SharedReceiveQueue::check({.max_wr = 16, .max_sge = 2}, limits).has_value());
  CHECK(SharedReceiveQueue::check({.max_wr = 0, .max_sge = 1}, limits).error().code == EINVAL);
  CHECK(SharedReceiveQueue::check({.max_wr = 17, .max_sge = 1}, limits).error().code == EINVAL);
  CHECK(SharedReceiveQueue::check({.max_wr = 1, .max_sge = 3}, limits).error().code == EINVAL);
}

TEST_CASE("srq: the limit event fires once when fewer receives remain, and then is disarmed", "[rxe][srq]") {
  SrqFixture f;
  for (std::uint64_t id = 0; id < 4; ++id) REQUIRE(post(f.srq, id, 1));
  REQUIRE(f.srq.modify({.max_wr = 0, .max_sge = 0, .limit = 3}, false, true, f.limits));
  CHECK(f.limit_events() == 0);
  REQUIRE(f.srq.take(f.held));
  CHECK(f.limit_events() == 0);  // three remain: not fewer than three
  REQUIRE(f.srq.take(f.held));
  CHECK(f.limit_events() == 1);
  CHECK(f.srq.attr().limit == 0);
  REQUIRE(f.srq.take(f.held));
  CHECK(f.limit_events() == 0);
}

TEST_CASE("srq: armed above what is posted the limit event fires at once", "[rxe][srq]") {
  SrqFixture f;
  REQUIRE(post(f.srq, 1, 1));
  REQUIRE(f.srq.modify({.max_wr = 0, .max_sge = 0, .limit = 2}, false, true, f.limits));
  CHECK(f.limit_events() == 1);
}

TEST_CASE("srq: a modification that fails has changed nothing", "[rxe][srq]") {
  SrqFixture f;
  for (std::uint64_t id = 0; id < 5; ++id) REQUIRE(post(f.srq, id, 1));
  REQUIRE(f.srq.modify({.max_wr = 0, .max_sge = 0, .limit = 4}, false, true, f.limits));
  CHECK(f.srq.modify({.max_wr = 4, .max_sge = 0, .limit = 1}, true, true, f.limits).error().code == EINVAL);
  CHECK(f.srq.modify({.max_wr = 16, .max_sge = 0, .limit = 17}, true, true, f.limits).error().code == EINVAL);
  CHECK(f.srq.modify({.max_wr = 0, .max_sge = 0, .limit = 0}, true, false, f.limits).error().code == EINVAL);
  CHECK(f.srq.attr().max_wr == 8);
  CHECK(f.srq.attr().limit == 4);
  REQUIRE(f.srq.modify({.max_wr = 16, .max_sge = 0, .limit = 5}, true, true, f.limits));
  CHECK(f.srq.attr().max_wr == 16);
  CHECK(f.srq.size() == 5);
}

}  // namespace rocelab::rxe
