// QP states at work: what may be posted when, flush in ERR, draining in SQD, RESET, destruction, query.
#include <cerrno>
#include <memory>
#include <vector>

#include "rxe/vendor_error.h"
#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

using rxe::EventType;
using rxe::QpState;
using rxe::QpType;
using rxe::VendorError;
using rxe::WcStatus;
using wire::Opcode;
namespace attr = rxe::qp_attr;

TEST_CASE("states: sends can be posted from RTS on, receives from INIT on", "[rxe][states]") {
  Solo solo;
  Endpoint e(solo.side, {});
  REQUIRE(e.valid());
  const auto post = [&] { return code_of(e.post(Work::send(1))); };
  CHECK(e.state() == QpState::kReset);
  CHECK(post() == EINVAL);
  CHECK(code_of(e.recv(1, 0, 8)) == EINVAL);
  REQUIRE(e.to_init());
  CHECK(post() == EINVAL);
  CHECK(e.recv(1, 0, 8).has_value());
  REQUIRE(e.to_rtr(2, kPeerQpn, kPeerPsn));
  CHECK(post() == EINVAL);
  CHECK(e.recv(2, 0, 8).has_value());
  REQUIRE(e.to_rts());
  CHECK(post() == 0);
  REQUIRE(e.to_state(QpState::kSqd));
  CHECK(post() == 0);
}

TEST_CASE("states: every transition that the table does not have is EINVAL and changes nothing", "[rxe][states]") {
  Solo solo;
  Endpoint e(solo.side, {});
  REQUIRE(e.valid());
  CHECK(code_of(e.to_rtr(2, 1, 1)) == EINVAL);
  CHECK(code_of(e.to_rts()) == EINVAL);
  CHECK(code_of(e.to_state(QpState::kSqd)) == EINVAL);
  CHECK(e.state() == QpState::kReset);
  REQUIRE(e.to_init());
  CHECK(code_of(e.to_rts()) == EINVAL);
  CHECK(code_of(e.modify(e.rtr_attr(2, 1, 1), e.rtr_mask() & ~attr::kAv)) == EINVAL);
  CHECK(code_of(e.modify(e.rtr_attr(2, 1, 1), e.rtr_mask() | attr::kSqPsn)) == EINVAL);
  CHECK(e.state() == QpState::kInit);
}

TEST_CASE("states: attribute values out of range are EINVAL", "[rxe][states]") {
  Solo solo;
  Endpoint e(solo.side, {});
  REQUIRE(e.valid());
  const auto init = [&](auto change) {
    rxe::QpAttr a = e.init_attr();
    change(a);
    return code_of(e.modify(a, e.init_mask()));
  };
  CHECK(init([](rxe::QpAttr& a) { a.port = 0; }) == EINVAL);
  CHECK(init([](rxe::QpAttr& a) { a.port = 2; }) == EINVAL);
  CHECK(init([](rxe::QpAttr& a) { a.pkey_index = 1; }) == EINVAL);
  REQUIRE(e.to_init());
  const auto rtr = [&](auto change) {
    rxe::QpAttr a = e.rtr_attr(2, kPeerQpn, kPeerPsn);
    change(a);
    return code_of(e.modify(a, e.rtr_mask()));
  };
  CHECK(rtr([](rxe::QpAttr& a) { a.path_mtu = static_cast<rxe::PathMtu>(6); }) == EINVAL);
  CHECK(rtr([](rxe::QpAttr& a) { a.path_mtu = static_cast<rxe::PathMtu>(0); }) == EINVAL);
  CHECK(rtr([](rxe::QpAttr& a) { a.max_dest_rd_atomic = 200; }) == EINVAL);
  CHECK(rtr([](rxe::QpAttr& a) { a.min_rnr_timer = 32; }) == EINVAL);
  CHECK(rtr([](rxe::QpAttr& a) { a.av.sgid_index = 100; }) == EINVAL);
  CHECK(e.state() == QpState::kInit);
  REQUIRE(e.to_rtr(2, kPeerQpn, kPeerPsn));
  const auto rts = [&](auto change) {
    rxe::QpAttr a = e.rts_attr();
    change(a);
    return code_of(e.modify(a, e.rts_mask()));
  };
  CHECK(rts([](rxe::QpAttr& a) { a.retry_cnt = 8; }) == EINVAL);
  CHECK(rts([](rxe::QpAttr& a) { a.rnr_retry = 8; }) == EINVAL);
  CHECK(rts([](rxe::QpAttr& a) { a.timeout = 32; }) == EINVAL);
  CHECK(rts([](rxe::QpAttr& a) { a.max_rd_atomic = 200; }) == EINVAL);
  CHECK(e.state() == QpState::kRtr);
  CHECK(e.to_rts().has_value());
}

TEST_CASE("states: a path MTU beyond the port's is EINVAL", "[rxe][states]") {
  rxe::DeviceOptions options = device_options(1);
  options.port_mtu = rxe::PathMtu::k1024;
  Solo solo(options);
  Endpoint e(solo.side, {.mtu = rxe::PathMtu::k2048});
  REQUIRE((e.valid() && e.to_init()));
  CHECK(code_of(e.to_rtr(2, kPeerQpn, kPeerPsn)) == EINVAL);
}

TEST_CASE("states: query tells what was set", "[rxe][states][query]") {
  Solo solo;
  SoloQp qp(solo, {.mtu = rxe::PathMtu::k2048,
                   .psn = 0xabcdef,
                   .timeout = 11,
                   .retry_cnt = 5,
                   .rnr_retry = 6,
                   .min_rnr_timer = 17,
                   .max_rd_atomic = 3,
                   .max_dest_rd_atomic = 2});
  REQUIRE(qp.ready);
  const auto queried = solo.side.device.query_qp(qp.qpn);
  REQUIRE(queried.has_value());
  CHECK(queried->state == QpState::kRts);
  CHECK(queried->path_mtu == rxe::PathMtu::k2048);
  CHECK(queried->sq_psn == 0xabcdef);
  CHECK(queried->rq_psn == kPeerPsn);
  CHECK(queried->dest_qpn == kPeerQpn);
  CHECK(queried->access_flags == qp.options.access);
  CHECK(queried->timeout == 11);
  CHECK(queried->retry_cnt == 5);
  CHECK(queried->rnr_retry == 6);
  CHECK(queried->min_rnr_timer == 17);
  CHECK(queried->max_rd_atomic == 3);
  CHECK(queried->max_dest_rd_atomic == 2);
  CHECK(queried->port == 1);
  CHECK(queried->av.dgid == gid_of(2, kGidV2Ipv4));
  CHECK(code_of(solo.side.device.query_qp(0x77'7777)) == EINVAL);
}

TEST_CASE("states: capacities are rounded up on creation and limits are EINVAL", "[rxe][states]") {
  Solo solo;
  Endpoint e(solo.side, {});
  REQUIRE(e.valid());
  const auto& limits = solo.side.device.options().limits;
  const auto create = [&](auto change) {
    rxe::QpInit init;
    init.pd = solo.side.pd;
    init.send_cq = e.send_cq;
    init.recv_cq = e.recv_cq;
    init.cap = {.max_send_wr = 3, .max_recv_wr = 3, .max_send_sge = 1, .max_recv_sge = 1, .max_inline_data = 1};
    change(init);
    const auto qpn = solo.side.device.create_qp(init);
    if (!qpn) return qpn.error().code;
    CHECK(init.cap.max_send_wr >= 3);
    CHECK(init.cap.max_recv_wr >= 3);
    return 0;
  };
  CHECK(create([](rxe::QpInit&) {}) == 0);
  CHECK(create([&](rxe::QpInit& i) { i.cap.max_send_wr = limits.max_qp_wr + 1; }) == EINVAL);
  CHECK(create([&](rxe::QpInit& i) { i.cap.max_recv_wr = limits.max_qp_wr + 1; }) == EINVAL);
  CHECK(create([&](rxe::QpInit& i) { i.cap.max_send_sge = limits.max_sge + 1; }) == EINVAL);
  CHECK(create([&](rxe::QpInit& i) { i.cap.max_recv_sge = limits.max_sge + 1; }) == EINVAL);
  CHECK(create([&](rxe::QpInit& i) { i.cap.max_inline_data = limits.max_inline_data + 1; }) == EINVAL);
  CHECK(create([](rxe::QpInit& i) { i.pd = rxe::PdId{999}; }) == EINVAL);
  CHECK(create([](rxe::QpInit& i) { i.send_cq = rxe::CqId{999}; }) == EINVAL);
  CHECK(create([](rxe::QpInit& i) { i.recv_cq = rxe::CqId{999}; }) == EINVAL);
  CHECK(create([](rxe::QpInit& i) {
          i.has_srq = true;
          i.srq = rxe::SrqId{999};
        }) == EINVAL);
}

TEST_CASE("states: when QPNs run out creation is ENOMEM, and destroyed ones come back", "[rxe][states]") {
  rxe::DeviceOptions options = device_options(1);
  options.qpn_count = 3;
  Solo solo(options);
  std::vector<std::unique_ptr<Endpoint>> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(std::make_unique<Endpoint>(solo.side, QpOptions{}));
    REQUIRE(all.back()->valid());
    CHECK(all.back()->qpn >= options.qpn_first);
  }
  rxe::QpInit init;
  init.pd = solo.side.pd;
  init.send_cq = init.recv_cq = all[0]->send_cq;
  CHECK(code_of(solo.side.device.create_qp(init)) == ENOMEM);
  REQUIRE(solo.side.device.destroy_qp(all[1]->qpn));
  CHECK(solo.side.device.create_qp(init).has_value());
}

TEST_CASE("states: in RTR a first packet is answered and reported as communication established", "[rxe][states]") {
  Solo solo;
  SoloQp qp(solo, {}, QpState::kRtr);
  REQUIRE(qp.ready);
  const Craft write = solo.from_peer(qp, Opcode::kRcRdmaWriteOnly, kPeerPsn).reth(qp.remote(0), 8).payload(8, 1);
  CHECK(solo.exchange(Craft(write).ack_request()) == Lines{"RC_ACKNOWLEDGE psn 5000 ack msn 1"});
  CHECK(solo.side.count_events(EventType::kCommEst, &qp) == 1);
  solo.exchange(Craft(write).psn(kPeerPsn + 1));
  CHECK(solo.side.count_events(EventType::kCommEst, &qp) == 1);
}

TEST_CASE("states: packets to a QP that is not ready to receive are dropped and counted", "[rxe][states]") {
  Solo solo;
  Endpoint e(solo.side, {});
  REQUIRE((e.valid() && e.to_init()));
  CHECK(solo.exchange(solo.from_peer(e, Opcode::kRcSendOnly, kPeerPsn).payload(8, 1)).empty());
  CHECK(solo.side.device.counters().drop_qp_state == 1);
}

TEST_CASE("flush: in ERR everything outstanding completes in order, once, and so does what is posted later",
          "[rxe][states][flush]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  pair.a_to_b.drop_all(true);
  for (std::uint64_t id = 1; id <= 5; ++id) {
    Work work = Work::write(id, c.b.remote(0)).with(c.a.sge(0, 3000));
    REQUIRE(c.a.post(id % 2 == 0 ? work.unsignaled() : work));
    REQUIRE(c.a.recv(100 + id, 0, 64));
  }
  pair.advance(base::Duration::us(5));
  REQUIRE(c.a.to_state(QpState::kErr));
  REQUIRE(c.a.post(Work::send(6)));
  REQUIRE(c.a.recv(106, 0, 64));
  settle(pair);
  for (std::uint64_t id = 1; id <= 6; ++id) {
    CHECK(expect_sent(c.a, id, WcStatus::kWrFlushErr).vendor_err ==
          static_cast<std::uint32_t>(VendorError::kFlushedByModify));
    CHECK(expect_received(c.a, 100 + id, WcStatus::kWrFlushErr).vendor_err ==
          static_cast<std::uint32_t>(VendorError::kFlushedByModify));
  }
  expect_nothing(c.a);
  CHECK_FALSE(pair.a.device.next_timeout().has_value());
}

TEST_CASE("flush: a QP put in ERR from INIT flushes its receives", "[rxe][states][flush]") {
  Solo solo;
  Endpoint e(solo.side, {});
  REQUIRE((e.valid() && e.to_init()));
  REQUIRE(e.recv(1, 0, 8));
  REQUIRE(e.to_state(QpState::kErr));
  expect_received(e, 1, WcStatus::kWrFlushErr);
}

TEST_CASE("flush: late answers to a QP in ERR change nothing", "[rxe][states][flush]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  qp.memory.clear();
  REQUIRE(qp.post(Work::read(1, {0x1000, 1}).with(qp.sge(0, 8))));
  solo.speak();
  REQUIRE(qp.to_state(QpState::kErr));
  expect_sent(qp, 1, WcStatus::kWrFlushErr);
  solo.deliver(solo.from_peer(qp, Opcode::kRcRdmaReadResponseOnly, 1000).aeth(wire::Aeth::ack(1)).payload(8, 1));
  solo.speak();
  expect_nothing(qp);
  CHECK(qp.memory.zero(0, 8));
}

TEST_CASE("states: RESET forgets everything silently and the QP can be used again", "[rxe][states][reset]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  pair.a_to_b.drop_all(true);
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 3000))));
  REQUIRE(c.a.recv(100, 0, 64));
  pair.advance(base::Duration::us(5));
  REQUIRE(c.a.to_state(QpState::kReset));
  REQUIRE(c.b.to_state(QpState::kReset));
  settle(pair);
  expect_nothing(c.a);
  CHECK_FALSE(pair.a.device.next_timeout().has_value());
  pair.a_to_b.drop_all(false);
  REQUIRE(connect(c.a, c.b));
  c.a.memory.fill(3);
  REQUIRE(c.b.recv(200, 0, 4096));
  REQUIRE(c.a.post(Work::send(2).with(c.a.sge(0, 3000))));
  settle(pair);
  expect_sent(c.a, 2);
  expect_received(c.b, 200);
  CHECK(c.b.memory.holds(0, 3000, 3, 0));
}

TEST_CASE("drain: in SQD begun messages finish, new ones wait, and the event says when", "[rxe][states][sqd]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 20'000))));
  pair.a.transmit(3);
  rxe::QpAttr a;
  a.state = QpState::kSqd;
  a.en_sqd_async_notify = true;
  REQUIRE(c.a.modify(a, attr::kState | attr::kEnSqdAsyncNotify));
  CHECK(pair.a.device.query_qp(c.a.qpn)->sq_draining);
  CHECK(pair.a.count_events(EventType::kSqDrained) == 0);
  REQUIRE(c.a.post(Work::write(2, c.b.remote(32'000)).with(c.a.sge(0, 100))));
  settle(pair);
  expect_sent(c.a, 1);
  expect_nothing(c.a);
  CHECK(c.b.memory.holds(0, 20'000, 1, 0));
  CHECK(pair.a.count_events(EventType::kSqDrained, &c.a) == 1);
  CHECK_FALSE(pair.a.device.query_qp(c.a.qpn)->sq_draining);
  REQUIRE(c.a.to_state(QpState::kRts));
  settle(pair);
  expect_sent(c.a, 2);
  CHECK(c.b.memory.holds(32'000, 100, 1, 0));
}

TEST_CASE("drain: an idle QP is drained at once", "[rxe][states][sqd]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  rxe::QpAttr a;
  a.state = QpState::kSqd;
  a.en_sqd_async_notify = true;
  REQUIRE(c.a.modify(a, attr::kState | attr::kEnSqdAsyncNotify));
  settle(pair);
  CHECK(pair.a.count_events(EventType::kSqDrained, &c.a) == 1);
}

TEST_CASE("drain: without asking there is no event, and the receive side works on", "[rxe][states][sqd]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  REQUIRE(c.a.to_state(QpState::kSqd));
  REQUIRE(c.a.recv(100, 0, 64));
  REQUIRE(c.b.post(Work::send(1).with(c.b.sge(0, 8))));
  settle(pair);
  expect_received(c.a, 100);
  expect_sent(c.b, 1);
  CHECK(pair.a.count_events(EventType::kSqDrained) == 0);
}

TEST_CASE("drain: lost packets of a begun message are repeated while draining", "[rxe][states][sqd][loss]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  pair.a_to_b.drop_nth(2);
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 8'000))));
  pair.a.transmit(1);
  REQUIRE(c.a.to_state(QpState::kSqd));
  settle(pair);
  expect_sent(c.a, 1);
  CHECK(c.b.memory.holds(0, 8'000, 1, 0));
}

TEST_CASE("states: a destroyed QP leaves nothing behind", "[rxe][states][destroy]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 30'000))));
  REQUIRE(c.a.post(Work::read(2, c.b.remote(0)).with(c.a.sge(0, 30'000))));
  pair.a.transmit(3);
  REQUIRE(pair.a.device.destroy_qp(c.a.qpn));
  settle(pair);
  expect_nothing(c.a);
  CHECK_FALSE(pair.a.device.next_timeout().has_value());
  CHECK_FALSE(pair.a.device.has_transmit());
  CHECK(code_of(pair.a.device.destroy_qp(c.a.qpn)) == EINVAL);
  CHECK(code_of(c.a.post(Work::send(1))) == EINVAL);
  CHECK(code_of(c.a.recv(1, 0, 8)) == EINVAL);
}

TEST_CASE("states: a destroyed responder in the middle of a READ's answer says nothing more",
          "[rxe][states][destroy]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  solo.deliver(solo.from_peer(qp, Opcode::kRcRdmaReadRequest, kPeerPsn).reth(qp.remote(0), 30'000));
  CHECK(solo.side.transmit(2) == 2);
  REQUIRE(solo.side.device.destroy_qp(qp.qpn));
  CHECK_FALSE(solo.side.device.has_transmit());
  CHECK(solo.side.transmit(16) == 0);
}

TEST_CASE("states: while the port is down packets are lost, and requests end by their retries", "[rxe][states][port]") {
  Pair pair;
  Connection c(pair, {.retry_cnt = 2});
  REQUIRE(c.valid);
  pair.a.device.handle_port_state(pair.now(), false);
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 8))));
  settle(pair);
  expect_sent(c.a, 1, WcStatus::kRetryExcErr);
  CHECK(pair.sent.empty());
}

TEST_CASE("states: a port that comes back in time loses nothing", "[rxe][states][port]") {
  Pair pair;
  Connection c(pair, {.retry_cnt = 7});
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  pair.a.device.handle_port_state(pair.now(), false);
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 5000))));
  pair.advance(base::Duration::ms(100));
  pair.a.device.handle_port_state(pair.now(), true);
  settle(pair);
  expect_sent(c.a, 1);
  CHECK(c.b.memory.holds(0, 5000, 1, 0));
}

TEST_CASE("states: a changed GID table is reported", "[rxe][states][gid]") {
  Solo solo;
  rxe::GidEntry entry;
  entry.gid = gid_of(77, kGidV2Ipv6);
  entry.valid = true;
  REQUIRE(solo.side.device.set_gid(9, entry));
  CHECK(solo.side.count_events(EventType::kGidChange) == 1);
  CHECK(solo.side.device.gid(9)->gid == entry.gid);
  CHECK_FALSE(solo.side.device.gid(10)->valid);
  CHECK(code_of(solo.side.device.gid(solo.side.device.options().limits.gid_table_length)) == EINVAL);
}

TEST_CASE("states: port events are reported", "[rxe][states][port]") {
  Solo solo;
  solo.side.device.handle_port_state(solo.side.now, false);
  CHECK(solo.side.count_events(EventType::kPortErr) == 1);
  solo.side.device.handle_port_state(solo.side.now, true);
  CHECK(solo.side.count_events(EventType::kPortActive) == 1);
  CHECK(solo.side.device.counters().link_downed == 1);
}

}  // namespace rocelab::test
