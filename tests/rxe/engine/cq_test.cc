// Completion queues in use: notification, overflow, resizing, shared by QPs, destruction.
#include <cerrno>

#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::EventType;
using rxe::QpState;

TEST_CASE("cq: an armed queue reports once, when the next completion comes", "[rxe][cq]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  REQUIRE(pair.a.device.req_notify_cq(c.a.send_cq, false));
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 8)).unsignaled()));
  settle(pair);
  CHECK(pair.a.count_events(EventType::kCompletion) == 0);
  REQUIRE(c.a.post(Work::write(2, c.b.remote(0)).with(c.a.sge(0, 8))));
  REQUIRE(c.a.post(Work::write(3, c.b.remote(0)).with(c.a.sge(0, 8))));
  settle(pair);
  CHECK(pair.a.count_events(EventType::kCompletion, &c.a.send_cq) == 1);
}

TEST_CASE("cq: overflow is reported, puts the QP in error and loses nothing that was inside", "[rxe][cq]") {
  Pair pair;
  QpOptions small;
  small.cqe = 4;
  Connection c(pair, small, QpOptions{});
  REQUIRE(c.valid);
  const std::uint32_t room = pair.a.device.cq_capacity(c.a.send_cq);
  for (std::uint64_t id = 0; id < room + 3; ++id) {
    REQUIRE(c.a.post(Work::write(id, c.b.remote(0)).with(c.a.sge(0, 8))));
  }
  settle(pair);
  CHECK(pair.a.count_events(EventType::kCqErr, &c.a.send_cq) == 1);
  CHECK(pair.a.count_events(EventType::kQpFatal, &c.a) == 1);
  CHECK(c.a.state() == QpState::kErr);
  for (std::uint64_t id = 0; id < room; ++id) expect_sent(c.a, id);
  CHECK_FALSE(c.a.poll(c.a.send_cq).has_value());
}

TEST_CASE("cq: resizing in the middle of traffic keeps every completion", "[rxe][cq]") {
  Pair pair;
  QpOptions small;
  small.cqe = 8;
  Connection c(pair, small, QpOptions{});
  REQUIRE(c.valid);
  for (std::uint64_t id = 0; id < 8; ++id) REQUIRE(c.a.post(Work::write(id, c.b.remote(0)).with(c.a.sge(0, 8))));
  settle(pair);
  CHECK(code_of(pair.a.device.resize_cq(c.a.send_cq, 4)) == EINVAL);
  REQUIRE(pair.a.device.resize_cq(c.a.send_cq, 32));
  CHECK(pair.a.device.cq_capacity(c.a.send_cq) == 32);
  for (std::uint64_t id = 8; id < 30; ++id) REQUIRE(c.a.post(Work::write(id, c.b.remote(0)).with(c.a.sge(0, 8))));
  settle(pair);
  CHECK(pair.a.device.cq_pending(c.a.send_cq) == 30);
  for (std::uint64_t id = 0; id < 30; ++id) expect_sent(c.a, id);
}

TEST_CASE("cq: one queue may serve both directions of several QPs, destroyed ones disappear from it", "[rxe][cq]") {
  Pair pair;
  const auto cq = pair.a.device.create_cq(64, nullptr);
  REQUIRE(cq.has_value());
  Connection c(pair), d(pair);
  REQUIRE((c.valid && d.valid));
  rxe::QpInit init;
  init.pd = pair.a.pd;
  init.send_cq = init.recv_cq = *cq;
  init.cap = c.a.options.cap;
  const auto one = pair.a.device.create_qp(init);
  REQUIRE(one.has_value());
  CHECK(code_of(pair.a.device.destroy_cq(*cq)) == EBUSY);
  // In ERR every request completes at once: two completions in the shared queue.
  Endpoint& peer = c.a;
  REQUIRE(pair.a.device.modify_qp(pair.now(), *one, peer.init_attr(), peer.init_mask()));
  rxe::QpAttr error;
  error.state = QpState::kErr;
  REQUIRE(pair.a.device.modify_qp(pair.now(), *one, error, rxe::qp_attr::kState));
  REQUIRE(pair.a.device.post_recv(pair.now(), *one, {.wr_id = 1, .sges = {}}));
  REQUIRE(pair.a.device.post_send(pair.now(), *one, Work::send(2).request()));
  settle(pair);
  CHECK(pair.a.device.cq_pending(*cq) == 2);
  REQUIRE(pair.a.device.destroy_qp(*one));
  CHECK(pair.a.device.cq_pending(*cq) == 0);
  CHECK(pair.a.device.destroy_cq(*cq).has_value());
}

TEST_CASE("cq: sizes out of range are EINVAL, unknown queues too", "[rxe][cq]") {
  Pair pair;
  rxe::Device& device = pair.a.device;
  CHECK(code_of(device.create_cq(0, nullptr)) == EINVAL);
  CHECK(code_of(device.create_cq(device.options().limits.max_cqe + 1, nullptr)) == EINVAL);
  CHECK(code_of(device.destroy_cq(rxe::CqId{999})) == EINVAL);
  CHECK(code_of(device.resize_cq(rxe::CqId{999}, 4)) == EINVAL);
  CHECK(code_of(device.req_notify_cq(rxe::CqId{999}, false)) == EINVAL);
  const auto cq = device.create_cq(4, nullptr);
  CHECK(code_of(device.resize_cq(*cq, device.options().limits.max_cqe + 1)) == EINVAL);
  CHECK(device.destroy_cq(*cq).has_value());
  CHECK(code_of(device.destroy_cq(*cq)) == EINVAL);
}

TEST_CASE("cq: timestamps never go backwards", "[rxe][cq]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  for (std::uint64_t id = 0; id < 10; ++id) {
    REQUIRE(c.a.post(Work::write(id, c.b.remote(0)).with(c.a.sge(0, 8))));
    settle(pair);
  }
  base::TimePoint last;
  for (std::uint64_t id = 0; id < 10; ++id) {
    const auto completion = expect_sent(c.a, id);
    CHECK(completion.timestamp >= last);
    CHECK(completion.timestamp <= pair.now());
    last = completion.timestamp;
  }
}

}  // namespace rocelab::test
