// Shared receive queues in use: several QPs, limit event, RNR, last WQE reached.
#include <cerrno>
#include <optional>
#include <set>

#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::EventType;
using rxe::QpState;
using rxe::WcStatus;

namespace {

struct Fixture {
  Pair pair;
  int user = 0;
  rxe::SrqId srq{};
  std::optional<Region> memory;

  Fixture() {
    rxe::SrqAttr attr{.max_wr = 32, .max_sge = 2, .limit = 0};
    const auto created = pair.b.device.create_srq(pair.b.pd, attr, &user);
    REQUIRE(created.has_value());
    CHECK(attr.max_wr >= 32);
    srq = *created;
    memory.emplace(pair.b.device, pair.b.pd, 64 * 1024);
    memory->clear();
  }
  QpOptions sharing() const {
    QpOptions options;
    options.srq = srq;
    return options;
  }
  void post(std::uint64_t id, std::size_t length = 1024) {
    const rxe::Sge sge = memory->sge(id * 1024, length);
    REQUIRE(pair.b.device.post_srq_recv(srq, {.wr_id = id, .sges = std::span(&sge, 1)}));
  }
};

}  // namespace

TEST_CASE("srq: QPs take from it in the order in which their messages begin", "[rxe][srq]") {
  Fixture f;
  Connection c(f.pair, QpOptions{}, f.sharing()), d(f.pair, QpOptions{}, f.sharing());
  REQUIRE((c.valid && d.valid));
  c.a.memory.fill(1);
  d.a.memory.fill(2);
  for (std::uint64_t id = 0; id < 4; ++id) f.post(id);
  for (std::uint64_t id = 0; id < 4; ++id) {
    REQUIRE((id % 2 == 0 ? c : d).a.post(Work::send(id).with((id % 2 == 0 ? c : d).a.sge(0, 500))));
    settle(f.pair);
    expect_received((id % 2 == 0 ? c : d).b, id);
    CHECK(f.memory->holds(id * 1024, 500, id % 2 + 1, 0));
  }
  CHECK(f.memory->guards_intact());
}

TEST_CASE("srq: messages of several packets that arrive interleaved do not mix", "[rxe][srq]") {
  Fixture f;
  QpOptions small;
  small.mtu = rxe::PathMtu::k256;
  QpOptions sharing = f.sharing();
  sharing.mtu = rxe::PathMtu::k256;
  Connection c(f.pair, small, sharing), d(f.pair, small, sharing);
  REQUIRE((c.valid && d.valid));
  c.a.memory.fill(1);
  d.a.memory.fill(2);
  for (std::uint64_t id = 0; id < 8; ++id) f.post(id);
  for (std::uint64_t id = 0; id < 4; ++id) {
    REQUIRE(c.a.post(Work::send(id).with(c.a.sge(0, 1024)).imm(1)));
    REQUIRE(d.a.post(Work::send(id).with(d.a.sge(0, 1024)).imm(2)));
  }
  settle(f.pair);
  std::set<std::uint64_t> used;
  for (Connection* connection : {&c, &d}) {
    for (int i = 0; i < 4; ++i) {
      const auto received = connection->b.poll(connection->b.recv_cq);
      REQUIRE(received.has_value());
      CHECK(used.insert(received->wr_id).second);
      CHECK(f.memory->holds(received->wr_id * 1024, 1024, received->immediate, 0));
    }
  }
}

TEST_CASE("srq: empty it means RNR, and a new receive serves whoever waits", "[rxe][srq][rnr]") {
  Fixture f;
  Connection c(f.pair, QpOptions{}, f.sharing());
  REQUIRE(c.valid);
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 8))));
  f.pair.advance(base::Duration::us(50));
  expect_nothing(c.a);
  f.post(7);
  settle(f.pair);
  expect_sent(c.a, 1);
  expect_received(c.b, 7);
}

TEST_CASE("srq: the limit event comes once and is then disarmed", "[rxe][srq][event]") {
  Fixture f;
  Connection c(f.pair, QpOptions{}, f.sharing());
  REQUIRE(c.valid);
  for (std::uint64_t id = 0; id < 4; ++id) f.post(id);
  REQUIRE(f.pair.b.device.modify_srq(f.srq, {.max_wr = 0, .max_sge = 0, .limit = 3}, false, true));
  CHECK(f.pair.b.device.query_srq(f.srq)->limit == 3);
  for (std::uint64_t id = 0; id < 4; ++id) {
    REQUIRE(c.a.post(Work::send(id).with(c.a.sge(0, 8))));
    settle(f.pair);
    CHECK(f.pair.b.count_events(EventType::kSrqLimitReached, &f.user) == (id >= 1 ? 1 : 0));
  }
  CHECK(f.pair.b.device.query_srq(f.srq)->limit == 0);
}

TEST_CASE("srq: a QP in error reports the last WQE and leaves the shared receives alone", "[rxe][srq][event]") {
  Fixture f;
  Connection c(f.pair, QpOptions{}, f.sharing());
  Connection d(f.pair, QpOptions{}, f.sharing());
  REQUIRE((c.valid && d.valid));
  for (std::uint64_t id = 0; id < 2; ++id) f.post(id);
  REQUIRE(c.b.to_state(QpState::kErr));
  settle(f.pair);
  CHECK(f.pair.b.count_events(EventType::kQpLastWqeReached, &c.b) == 1);
  expect_nothing(c.b);
  REQUIRE(d.a.post(Work::send(1).with(d.a.sge(0, 8))));
  settle(f.pair);
  expect_received(d.b, 0);
}

TEST_CASE("srq: a receive held by a QP that fails in mid-message is flushed once", "[rxe][srq]") {
  Fixture f;
  Connection c(f.pair, QpOptions{}, f.sharing());
  REQUIRE(c.valid);
  f.post(5, 8192);
  f.pair.a_to_b.drop_if([](const wire::Packet& p) { return p.bth.psn.value() >= 1001; }, 1000);
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 5000))));
  f.pair.advance(base::Duration::us(100));
  expect_nothing(c.b);
  REQUIRE(c.b.to_state(QpState::kErr));
  expect_received(c.b, 5, WcStatus::kWrFlushErr);
  expect_nothing(c.b);
  CHECK(f.pair.b.count_events(EventType::kQpLastWqeReached, &c.b) == 1);
}

TEST_CASE("srq: its QPs take no receives of their own, and it cannot go before them", "[rxe][srq]") {
  Fixture f;
  {
    Endpoint e(f.pair.b, f.sharing());
    REQUIRE(e.valid());
    REQUIRE(e.to_init());
    CHECK(code_of(e.recv(1, 0, 8)) == EINVAL);
    CHECK(code_of(f.pair.b.device.destroy_srq(f.srq)) == EBUSY);
    REQUIRE(f.pair.b.device.destroy_qp(e.qpn));
  }
  CHECK(f.pair.b.device.destroy_srq(f.srq).has_value());
  CHECK(code_of(f.pair.b.device.destroy_srq(f.srq)) == EINVAL);
  CHECK(code_of(f.pair.b.device.post_srq_recv(f.srq, {.wr_id = 1, .sges = {}})) == EINVAL);
}

TEST_CASE("srq: full is ENOMEM, growing makes room", "[rxe][srq]") {
  Fixture f;
  const std::uint32_t room = f.pair.b.device.query_srq(f.srq)->max_wr;
  for (std::uint64_t id = 0; id < room; ++id) f.post(id % 32);
  CHECK(code_of(f.pair.b.device.post_srq_recv(f.srq, {.wr_id = 1, .sges = {}})) == ENOMEM);
  REQUIRE(f.pair.b.device.modify_srq(f.srq, {.max_wr = 2 * room, .max_sge = 0, .limit = 0}, true, false));
  CHECK(f.pair.b.device.post_srq_recv(f.srq, {.wr_id = 1, .sges = {}}).has_value());
}

}  // namespace rocelab::test
