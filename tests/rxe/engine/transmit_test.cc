// The engine towards its owner: sinks that refuse, bursts, fairness, elided memory, PSN wrap, congestion control.
#include <algorithm>
#include <memory>
#include <vector>

#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

using rxe::CongestionControl;
using rxe::WcStatus;
using wire::Opcode;

TEST_CASE("sink: a refused packet is offered again unchanged and nothing else went on", "[rxe][sink]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  REQUIRE(qp.post(Work::write(1, {0x1000, 1}).with(qp.sge(0, 3000))));
  for (int i = 0; i < 3; ++i) {
    solo.side.refuse_next = 1;
    solo.side.transmit(16);
    CHECK(solo.side.device.has_transmit());
  }
  CHECK(solo.side.refused == 3);
  CHECK(solo.side.device.counters().sent_pkts == solo.sent.size());
  solo.speak();
  const Lines lines = solo.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].starts_with("RC_RDMA_WRITE_FIRST psn 1000"));
  CHECK(lines[2].starts_with("RC_RDMA_WRITE_LAST psn 1002"));
}

TEST_CASE("sink: a refused acknowledgement is not lost", "[rxe][sink]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  solo.deliver(
      solo.from_peer(qp, Opcode::kRcRdmaWriteOnly, kPeerPsn).reth(qp.remote(0), 8).payload(8, 1).ack_request());
  solo.side.refuse_next = 2;
  for (int i = 0; i < 4; ++i) solo.side.transmit(16);
  CHECK(solo.lines() == Lines{"RC_ACKNOWLEDGE psn 5000 ack msn 1"});
}

TEST_CASE("sink: one that refuses every third packet changes nothing that arrives", "[rxe][sink]") {
  Pair pair;
  Connection c(pair, {.mtu = rxe::PathMtu::k256});
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  pair.a.refuse_per_mille = pair.b.refuse_per_mille = 333;
  REQUIRE(c.b.recv(100, 0, 20'000));
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 20'000))));
  REQUIRE(c.a.post(Work::write(2, c.b.remote(30'000)).with(c.a.sge(0, 5'000))));
  REQUIRE(c.a.post(Work::read(3, c.b.remote(0)).with(c.a.sge(40'000, 5'000))));
  REQUIRE(c.a.post(Work::fetch_add(4, c.b.remote(0), 0).with(c.a.sge(60'000, 8))));
  settle(pair);
  for (std::uint64_t id = 1; id <= 4; ++id) expect_sent(c.a, id);
  CHECK(c.b.memory.holds(0, 20'000, 1, 0));
  CHECK(c.b.memory.holds(30'000, 5'000, 1, 0));
  CHECK(c.a.memory.holds(40'000, 5'000, 1, 0));
  CHECK(pair.a.refused > 10);
  CHECK(pair.a.device.counters().duplicate_request == 0);
}

TEST_CASE("transmit: an owner can tell when nothing but acknowledgements waits", "[rxe][transmit]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  const rxe::Device& device = solo.side.device;
  CHECK_FALSE(device.only_acks_wait());
  const auto write = [&](std::uint32_t psn) {
    return solo.from_peer(qp, Opcode::kRcRdmaWriteOnly, psn).reth(qp.remote(0), 8).payload(8, 1).ack_request();
  };
  solo.deliver(write(kPeerPsn));
  CHECK(device.only_acks_wait());
  REQUIRE(qp.post(Work::write(1, {0x1000, 1}).with(qp.sge(0, 8))));
  CHECK(device.has_transmit());
  CHECK_FALSE(device.only_acks_wait());                                // a request as well
  solo.side.device.poll_transmit(solo.side.now, solo.side, 16, true);  // the request does not wait for it
  CHECK(solo.lines() == Lines{"RC_RDMA_WRITE_ONLY psn 1000 dma 8 len 8 ackreq"});
  CHECK(device.only_acks_wait());
  solo.speak();
  CHECK(solo.lines() == Lines{"RC_ACKNOWLEDGE psn 5000 ack msn 1"});
  CHECK_FALSE(device.has_transmit());
  solo.deliver(solo.from_peer(qp, Opcode::kRcRdmaReadRequest, kPeerPsn + 1).reth(qp.remote(0), 8));
  CHECK(device.has_transmit());
  CHECK_FALSE(device.only_acks_wait());  // somebody waits for the data
  solo.speak();
  CHECK_FALSE(device.only_acks_wait());
}

TEST_CASE("transmit: QPs take turns, so that a long message does not hold up a short one", "[rxe][transmit]") {
  Pair pair;
  Connection big(pair), small(pair);
  REQUIRE((big.valid && small.valid));
  REQUIRE(big.a.post(Work::write(1, big.b.remote(0)).with(big.a.sge(0, 60'000))));
  REQUIRE(small.a.post(Work::write(2, small.b.remote(0)).with(small.a.sge(0, 8))));
  pair.a.transmit(32);
  const auto short_one = std::find_if(pair.sent.begin(), pair.sent.end(), [&](const Recorded& record) {
    return record.packet.header().bth.destination_qpn == small.b.qpn;
  });
  CHECK(short_one != pair.sent.end());
  settle(pair);
}

TEST_CASE("transmit: a QP's own answers go before its requests", "[rxe][transmit]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  REQUIRE(qp.post(Work::write(1, {0x1000, 1}).with(qp.sge(0, 30'000))));
  solo.deliver(
      solo.from_peer(qp, Opcode::kRcRdmaWriteOnly, kPeerPsn).reth(qp.remote(0), 8).payload(8, 1).ack_request());
  REQUIRE(solo.side.transmit(1) == 1);
  CHECK(solo.lines() == Lines{"RC_ACKNOWLEDGE psn 5000 ack msn 1"});
}

TEST_CASE("transmit: never more than the burst are taken, and the counters agree", "[rxe][transmit]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  REQUIRE(qp.post(Work::write(1, {0x1000, 1}).with(qp.sge(0, 8000))));
  CHECK(solo.side.transmit(0) == 0);
  CHECK(solo.side.transmit(1) == 1);
  CHECK(solo.side.transmit(3) == 3);
  CHECK(solo.sent.size() == 4);
  solo.speak();
  CHECK(solo.side.device.counters().sent_pkts == 8);
  CHECK(solo.side.device.counters().sent_bytes == 8000);
}

TEST_CASE("psn: messages, reads and atomics cross the wrap of 24 bits", "[rxe][psn]") {
  for (const std::uint32_t start : {0xff'ffffu, 0xff'fffeu, 0xff'fffcu, 0x7f'ffffu, 0x80'0000u}) {
    INFO("first PSN " << start);
    Pair pair;
    QpOptions options;
    options.psn = start;
    Connection c(pair, options);
    REQUIRE(c.valid);
    c.a.memory.fill(1);
    REQUIRE(c.b.recv(100, 0, 8192));
    REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 3000))));
    REQUIRE(c.a.post(Work::read(2, c.b.remote(0)).with(c.a.sge(20'000, 3000)).fenced()));
    REQUIRE(c.a.post(Work::fetch_add(3, c.b.remote(40'000), 1).with(c.a.sge(60'000, 8))));
    REQUIRE(c.a.post(Work::write(4, c.b.remote(30'000)).with(c.a.sge(0, 5000))));
    settle(pair);
    for (std::uint64_t id = 1; id <= 4; ++id) expect_sent(c.a, id);
    expect_received(c.b, 100);
    CHECK(c.b.memory.holds(0, 3000, 1, 0));
    CHECK(c.a.memory.holds(20'000, 3000, 1, 0));
    CHECK(c.b.memory.holds(30'000, 5000, 1, 0));
  }
}

TEST_CASE("psn: losses around the wrap are repaired", "[rxe][psn][loss]") {
  for (std::uint32_t lost = 0; lost < 8; ++lost) {
    Pair pair;
    QpOptions options;
    options.psn = 0xff'fffc;
    Connection c(pair, options);
    REQUIRE(c.valid);
    c.a.memory.fill(1);
    pair.a_to_b.drop_if(
        [psn = (0xff'fffcu + lost) & 0xff'ffff](const wire::Packet& p) { return p.bth.psn.value() == psn; });
    pair.b_to_a.drop_if(
        [psn = (0xff'fffcu + lost) & 0xff'ffff](const wire::Packet& p) { return p.bth.psn.value() == psn; });
    REQUIRE(c.b.recv(100, 0, 8192));
    REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 4096))));
    REQUIRE(c.a.post(Work::read(2, c.b.remote(0)).with(c.a.sge(20'000, 4096)).fenced()));
    settle(pair);
    expect_sent(c.a, 1);
    expect_sent(c.a, 2);
    expect_received(c.b, 100);
    CHECK(c.a.memory.holds(20'000, 4096, 1, 0));
  }
}

TEST_CASE("elided: memory without bytes carries lengths through every operation", "[rxe][elided]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  const rxe::MrInit init{
      .pd = pair.a.pd, .host = nullptr, .length = 1ull << 32, .iova = 0x10'0000, .access = kAllAccess};
  const auto here = pair.a.device.reg_mr(init);
  rxe::MrInit there_init = init;
  there_init.pd = pair.b.pd;
  const auto there = pair.b.device.reg_mr(there_init);
  REQUIRE((here && there));
  const rxe::Sge source{0x10'0000, 10'000, here->lkey}, sink{0x10'0000, 10'000, there->lkey};
  REQUIRE(c.b.recv(100, std::span(&sink, 1)));
  REQUIRE(c.b.recv(101, std::span(&sink, 1)));
  REQUIRE(c.a.post(Work::send(1).with(source)));
  REQUIRE(c.a.post(Work::write(2, {0x20'0000, there->rkey}).with(source).imm(3)));
  REQUIRE(c.a.post(Work::read(3, {0x30'0000, there->rkey}).with(source)));
  settle(pair);
  for (std::uint64_t id = 1; id <= 3; ++id) expect_sent(c.a, id);
  CHECK(expect_received(c.b, 100).byte_len == 10'000);
  CHECK(expect_received(c.b, 101).byte_len == 10'000);
  for (const Recorded& record : pair.sent) {
    if (record.packet.header().payload.length != 0) CHECK(record.packet.elided());
  }
  REQUIRE(c.a.post(Work::write(4, {(1ull << 32) + 0x10'0000 - 1, there->rkey}).with(source)));
  settle(pair);
  expect_sent(c.a, 4, WcStatus::kRemAccessErr);
}

namespace {

PairOptions with_congestion_control(CongestionControl kind) {
  PairOptions options;
  options.a.congestion_control = options.b.congestion_control = kind;
  options.a.link_bits_per_s = options.b.link_bits_per_s = 10'000'000'000;
  return options;
}

/// How long 40 messages take when `marked` per mille of the packets meet congestion.
base::Duration transfer_time(CongestionControl kind, std::uint32_t marked, std::uint64_t& cnps) {
  Pair pair(with_congestion_control(kind));
  Connection c(pair);
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  pair.a_to_b.faults.ecn = marked;
  const base::TimePoint start = pair.now();
  for (std::uint64_t id = 0; id < 40; ++id) {
    REQUIRE(c.a.post(Work::write(id, c.b.remote(0)).with(c.a.sge(0, 60'000))));
  }
  settle(pair);
  for (std::uint64_t id = 0; id < 40; ++id) expect_sent(c.a, id);
  CHECK(c.b.memory.holds(0, 60'000, 1, 0));
  cnps = pair.count_sent('b', Opcode::kCnp);
  CHECK(pair.b.device.counters().cnp_sent == cnps);
  CHECK(pair.a.device.counters().cnp_handled == cnps);
  return pair.now() - start;
}

}  // namespace

TEST_CASE("congestion: marked packets are answered by CNPs and slow the sender down", "[rxe][congestion]") {
  std::uint64_t cnps = 0, none = 0;
  const base::Duration marked = transfer_time(CongestionControl::kDcqcn, 500, cnps);
  const base::Duration unmarked = transfer_time(CongestionControl::kDcqcn, 0, none);
  CHECK(cnps > 0);
  CHECK(none == 0);
  CHECK(marked > unmarked);
}

TEST_CASE("congestion: without congestion control no packet is ECN-capable and none is marked", "[rxe][congestion]") {
  std::uint64_t cnps = 0;
  transfer_time(CongestionControl::kNone, 1000, cnps);
  CHECK(cnps == 0);
}

TEST_CASE("congestion: a CNP names the QP, carries no request and is not acknowledged", "[rxe][congestion]") {
  Solo solo([] {
    rxe::DeviceOptions options = device_options(1);
    options.congestion_control = CongestionControl::kDcqcn;
    return options;
  }());
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  Craft marked = solo.from_peer(qp, Opcode::kRcRdmaWriteOnly, kPeerPsn).reth(qp.remote(0), 8).payload(8, 1);
  marked.header().path.traffic_class = 3;
  solo.deliver(marked);
  solo.speak();
  std::size_t cnps = 0;
  for (const OwnedPacket& packet : solo.sent) {
    if (packet.header().bth.opcode != Opcode::kCnp) continue;
    ++cnps;
    CHECK(packet.header().bth.destination_qpn == kPeerQpn);
    CHECK(packet.header().bth.becn);
    CHECK_FALSE(packet.header().bth.ack_request);
  }
  CHECK(cnps == 1);
  CHECK(solo.side.device.counters().ecn_marked_rcvd == 1);
}

TEST_CASE("congestion: a CNP from nowhere changes nothing but its counter", "[rxe][congestion]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  CHECK(solo.exchange(solo.from_peer(qp, Opcode::kCnp, 0)).empty());
  CHECK(solo.exchange(solo.from_peer(qp, Opcode::kCnp, 0).qpn(0x77'7777)).empty());
  CHECK(qp.state() == rxe::QpState::kRts);
}

TEST_CASE("many: 1,000 QPs in one engine exchange and lose nothing", "[rxe][many]") {
  PairOptions options;
  options.record = false;
  options.wire_exact = false;
  Pair pair(options);
  pair.a_to_b.faults.loss = 5;
  std::vector<std::unique_ptr<Connection>> all;
  QpOptions qp;
  qp.buffer_bytes = 4096;
  qp.cqe = 16;
  qp.retry_cnt = 7;
  qp.cap = {.max_send_wr = 4, .max_recv_wr = 4, .max_send_sge = 1, .max_recv_sge = 1, .max_inline_data = 0};
  for (std::uint64_t i = 0; i < 1000; ++i) {
    qp.psn = static_cast<std::uint32_t>(i * 12'345) & 0xff'ffff;
    all.push_back(std::make_unique<Connection>(pair, qp));
    REQUIRE(all.back()->valid);
    all.back()->a.memory.fill(i);
    all.back()->b.memory.fill(i + 5000);
  }
  for (std::uint64_t round = 0; round < 3; ++round) {
    for (auto& c : all) {
      REQUIRE(c->b.recv(round, 0, 1500));
      REQUIRE(c->a.post(Work::send(1).with(c->a.sge(0, 1500))));
      REQUIRE(c->b.post(Work::write(2, c->a.remote(2048)).with(c->b.sge(2048, 1500))));
      REQUIRE(c->a.post(Work::read(3, c->b.remote(2048)).with(c->a.sge(3600, 400))));
    }
    REQUIRE(pair.drive(20'000'000));
    for (std::uint64_t i = 0; i < 1000; ++i) {
      Connection& c = *all[i];
      if (!c.b.memory.holds(0, 1500, i, 0) || !c.a.memory.holds(2048, 1500, i + 5000, 2048) ||
          !c.a.memory.holds(3600, 400, i + 5000, 2048)) {
        FAIL("connection " << i << " has wrong bytes in round " << round);
      }
      expect_sent(c.a, 1);
      expect_sent(c.a, 3);
      expect_sent(c.b, 2);
      expect_received(c.b, round);
    }
  }
  CHECK(pair.a.complaint.empty());
  CHECK_FALSE(pair.a.device.next_timeout().has_value());
}

}  // namespace rocelab::test
