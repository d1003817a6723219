// RC errors: what the responder refuses (IBTA vol 1, 9.7.4) and what the requester makes of NAKs and wrong responses.
#include "rxe/vendor_error.h"
#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

using rxe::QpState;
using rxe::VendorError;
using rxe::WcStatus;
using wire::NakCode;
using wire::Opcode;

namespace {

struct Fixture {
  Solo solo;
  SoloQp qp;
  explicit Fixture(const QpOptions& options = {}) : qp(solo, options) {
    REQUIRE(qp.ready);
    qp.memory.clear();
  }
  Craft packet(Opcode opcode, std::uint32_t psn = kPeerPsn) { return solo.from_peer(qp, opcode, psn); }
  Craft ack(std::uint32_t psn, wire::Aeth aeth) { return packet(Opcode::kRcAcknowledge, psn).aeth(aeth); }

  /// The last of these packets must be NAKed as an invalid request and take the QP to ERR.
  void invalid(std::initializer_list<Craft> packets) {
    REQUIRE(qp.recv(100, 0, 16 * 1024));
    Lines lines;
    for (const Craft& each : packets) lines = solo.exchange(each);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find(" nak 1 ") != std::string::npos);
    CHECK(qp.state() == QpState::kErr);
    CHECK(solo.side.count_events(rxe::EventType::kQpReqErr, &qp) +
              solo.side.count_events(rxe::EventType::kQpFatal, &qp) +
              solo.side.count_events(rxe::EventType::kQpAccessErr, &qp) <=
          1);
    const auto flushed = qp.poll(qp.recv_cq);
    REQUIRE(flushed.has_value());
    CHECK(flushed->status != WcStatus::kSuccess);
    CHECK(qp.memory.guards_intact());
  }
  /// The packet is dropped: no answer, no change.
  void dropped(const Craft& packet, std::uint64_t rxe::Counters::*counter) {
    const std::uint64_t before = solo.side.device.counters().*counter;
    CHECK(solo.exchange(packet).empty());
    CHECK(solo.side.device.counters().*counter == before + 1);
    CHECK(qp.state() == QpState::kRts);
    CHECK(qp.memory.zero(0, qp.memory.size()));
  }
};

}  // namespace

TEST_CASE("rc errors: a message must begin with FIRST or ONLY", "[rxe][rc][errors][responder]") {
  for (const Opcode opcode :
       {Opcode::kRcSendMiddle, Opcode::kRcSendLast, Opcode::kRcSendLastWithImmediate, Opcode::kRcSendLastWithInvalidate,
        Opcode::kRcRdmaWriteMiddle, Opcode::kRcRdmaWriteLast, Opcode::kRcRdmaWriteLastWithImmediate}) {
    INFO(wire::name(opcode));
    Fixture f;
    f.invalid({f.packet(opcode).payload(1024, 1)});
  }
}

TEST_CASE("rc errors: a message must end before the next begins", "[rxe][rc][errors][responder]") {
  for (const Opcode opcode :
       {Opcode::kRcSendFirst, Opcode::kRcSendOnly, Opcode::kRcRdmaWriteFirst, Opcode::kRcRdmaWriteMiddle,
        Opcode::kRcRdmaWriteOnly, Opcode::kRcRdmaReadRequest, Opcode::kRcFetchAdd}) {
    INFO(wire::name(opcode));
    Fixture f;
    f.invalid(
        {f.packet(Opcode::kRcSendFirst).payload(1024, 1),
         f.packet(opcode, kPeerPsn + 1).payload(wire::has_payload(opcode) ? 1024 : 0, 1).reth(f.qp.remote(0), 8)});
  }
}

TEST_CASE("rc errors: a FIRST or MIDDLE that is not as long as the path MTU is invalid",
          "[rxe][rc][errors][responder]") {
  for (const std::size_t length : {0u, 4u, 1023u, 1025u, 2048u}) {
    INFO("length " << length);
    {
      Fixture f;
      f.invalid({f.packet(Opcode::kRcSendFirst).payload(length, 1)});
    }
    {
      Fixture f;
      f.invalid({f.packet(Opcode::kRcSendFirst).payload(1024, 1),
                 f.packet(Opcode::kRcSendMiddle, kPeerPsn + 1).payload(length, 1)});
    }
    {
      Fixture f;
      f.invalid({f.packet(Opcode::kRcRdmaWriteFirst).reth(f.qp.remote(0), 4096).payload(length, 1)});
    }
  }
}

TEST_CASE("rc errors: an ONLY or LAST longer than the path MTU, or an empty LAST, is invalid",
          "[rxe][rc][errors][responder]") {
  for (const std::size_t length : {0u, 1025u, 4096u}) {
    INFO("length " << length);
    Fixture f;
    f.invalid({f.packet(Opcode::kRcSendFirst).payload(1024, 1),
               f.packet(Opcode::kRcSendLast, kPeerPsn + 1).payload(length, 1)});
    if (length == 0) continue;
    Fixture g;
    g.invalid({g.packet(Opcode::kRcSendOnly).payload(length, 1)});
  }
}

TEST_CASE("rc errors: a WRITE's payload must be as long as its RETH says", "[rxe][rc][errors][responder]") {
  {
    Fixture f;
    f.invalid({f.packet(Opcode::kRcRdmaWriteOnly).reth(f.qp.remote(0), 8).payload(12, 1)});
    CHECK(f.qp.memory.zero(0, 64));
  }
  {
    Fixture f;
    f.invalid({f.packet(Opcode::kRcRdmaWriteOnly).reth(f.qp.remote(0), 16).payload(12, 1)});
  }
  {  // longer than announced
    Fixture f;
    f.invalid({f.packet(Opcode::kRcRdmaWriteFirst).reth(f.qp.remote(0), 1500).payload(1024, 1),
               f.packet(Opcode::kRcRdmaWriteMiddle, kPeerPsn + 1).payload(1024, 1)});
    CHECK(f.qp.memory.zero(1500, 1000));
  }
  {  // shorter than announced
    Fixture f;
    f.invalid({f.packet(Opcode::kRcRdmaWriteFirst).reth(f.qp.remote(0), 3000).payload(1024, 1),
               f.packet(Opcode::kRcRdmaWriteLast, kPeerPsn + 1).payload(10, 1)});
  }
}

TEST_CASE("rc errors: a WRITE or READ longer than 2^31 bytes is invalid", "[rxe][rc][errors][responder]") {
  {
    Fixture f;
    f.invalid({f.packet(Opcode::kRcRdmaWriteFirst).reth(f.qp.remote(0), 0x8000'0001u).payload(1024, 1)});
  }
  Fixture f;
  f.invalid({f.packet(Opcode::kRcRdmaReadRequest).reth(f.qp.remote(0), 0xffff'ffffu)});
}

TEST_CASE("rc errors: a receive too short is an invalid request here and a length error there", "[rxe][rc][errors]") {
  for (const std::size_t length : {65u, 1000u, 5000u}) {
    Pair pair;
    Connection c(pair);
    REQUIRE(c.valid);
    c.b.memory.clear();
    REQUIRE(c.b.recv(100, 0, 64));
    REQUIRE(c.b.recv(101, 0, 64));
    REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, length))));
    settle(pair);
    const auto sent = expect_sent(c.a, 1, WcStatus::kRemInvReqErr);
    CHECK(sent.vendor_err == static_cast<std::uint32_t>(VendorError::kNakInvalidRequest));
    const auto received = expect_received(c.b, 100, WcStatus::kLocLenErr);
    CHECK(received.vendor_err == static_cast<std::uint32_t>(VendorError::kReceiveTooShort));
    expect_received(c.b, 101, WcStatus::kWrFlushErr);
    CHECK(c.a.state() == QpState::kErr);
    CHECK(c.b.state() == QpState::kErr);
    CHECK(c.b.memory.zero(64, c.b.memory.size() - 64));
  }
}

TEST_CASE("rc errors: a receive whose memory is not ours to write is a remote operational error", "[rxe][rc][errors]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  Region read_only(pair.b.device, pair.b.pd, 64, rxe::access::kRemoteRead);
  const rxe::Sge sge = read_only.sge(0, 64);
  REQUIRE(c.b.recv(100, std::span(&sge, 1)));
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 8))));
  settle(pair);
  CHECK(expect_sent(c.a, 1, WcStatus::kRemOpErr).vendor_err ==
        static_cast<std::uint32_t>(VendorError::kNakRemoteOperational));
  expect_received(c.b, 100, WcStatus::kLocProtErr);
  CHECK(read_only.holds(0, 64, 0, 0));
  CHECK(c.b.state() == QpState::kErr);
}

TEST_CASE("rc errors: a bad local key of a SEND or WRITE is a local protection error and nothing is sent",
          "[rxe][rc][errors]") {
  for (const bool write : {false, true}) {
    Fixture f;
    rxe::Sge bad = f.qp.sge(0, 8);
    bad.lkey ^= 1;
    REQUIRE(f.qp.post(write ? Work::write(1, {0x1000, 1}).with(bad) : Work::send(1).with(bad)));
    REQUIRE(f.qp.post(Work::send(2)));
    f.solo.speak();
    CHECK(f.solo.lines().empty());
    CHECK(expect_sent(f.qp, 1, WcStatus::kLocProtErr).vendor_err ==
          static_cast<std::uint32_t>(VendorError::kLocalUnknownKey));
    expect_sent(f.qp, 2, WcStatus::kWrFlushErr);
    CHECK(f.qp.state() == QpState::kErr);
  }
}

TEST_CASE("rc errors: requests before the one with the bad key are finished first", "[rxe][rc][errors]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  rxe::Sge bad = c.a.sge(c.a.memory.size() - 8, 8);
  ++bad.length;
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 8))));
  REQUIRE(c.a.post(Work::write(2, c.b.remote(0)).with(bad)));
  REQUIRE(c.a.post(Work::write(3, c.b.remote(0)).with(c.a.sge(0, 8))));
  settle(pair);
  const auto first = c.a.poll(c.a.send_cq);
  REQUIRE(first.has_value());
  CHECK(first->wr_id == 1);  // delivered, though it may be flushed: what counts is the order
  expect_sent(c.a, 2, WcStatus::kLocProtErr);
  expect_sent(c.a, 3, WcStatus::kWrFlushErr);
}

TEST_CASE("rc errors: NAK codes become the statuses that libibverbs documents", "[rxe][rc][errors][requester]") {
  struct Case {
    NakCode code;
    WcStatus status;
    VendorError detail;
  };
  for (const Case& each :
       {Case{NakCode::kInvalidRequest, WcStatus::kRemInvReqErr, VendorError::kNakInvalidRequest},
        Case{NakCode::kRemoteAccessError, WcStatus::kRemAccessErr, VendorError::kNakRemoteAccess},
        Case{NakCode::kRemoteOperationalError, WcStatus::kRemOpErr, VendorError::kNakRemoteOperational}}) {
    Fixture f;
    for (std::uint64_t id = 1; id <= 3; ++id) REQUIRE(f.qp.post(Work::send(id).with(f.qp.sge(0, 8))));
    f.solo.speak();
    f.solo.deliver(f.ack(1001, wire::Aeth::nak(each.code, 1)));
    expect_sent(f.qp, 1);
    CHECK(expect_sent(f.qp, 2, each.status).vendor_err == static_cast<std::uint32_t>(each.detail));
    CHECK(expect_sent(f.qp, 3, WcStatus::kWrFlushErr).vendor_err ==
          static_cast<std::uint32_t>(VendorError::kFlushedByError));
    CHECK(f.qp.state() == QpState::kErr);
  }
}

TEST_CASE("rc errors: a reserved NAK code does not leave the request hanging", "[rxe][rc][errors][requester]") {
  Fixture f({.retry_cnt = 1});
  REQUIRE(f.qp.post(Work::send(1).with(f.qp.sge(0, 8))));
  f.solo.speak();
  f.solo.deliver(f.ack(1000, wire::Aeth{0x60 | 9, 0}));
  for (int i = 0; i < 10 && f.solo.next_deadline(); ++i) {
  }
  const auto completion = f.qp.poll(f.qp.send_cq);
  REQUIRE(completion.has_value());
  CHECK((completion->status == WcStatus::kBadRespErr || completion->status == WcStatus::kRetryExcErr));
}

TEST_CASE("rc errors: acknowledgements of what was never sent are ignored", "[rxe][rc][errors][requester]") {
  Fixture f;
  REQUIRE(f.qp.post(Work::send(1).with(f.qp.sge(0, 8))));
  f.solo.speak();
  for (const std::uint32_t psn : {1001u, 1500u, 0x80'0000u, 0xff'ffffu, 999u, 0u}) {
    f.solo.deliver(f.ack(psn, wire::Aeth::ack(1)));
    f.solo.deliver(f.ack(psn, wire::Aeth::nak(NakCode::kRemoteAccessError, 1)));
    f.solo.deliver(f.ack(psn, wire::Aeth::rnr_nak(1, 1)));
  }
  CHECK_FALSE(f.qp.poll(f.qp.send_cq).has_value());
  CHECK(f.qp.state() == QpState::kRts);
  f.solo.deliver(f.ack(1000, wire::Aeth::ack(1)));
  expect_sent(f.qp, 1);
}

TEST_CASE("rc errors: responses nobody waits for change nothing", "[rxe][rc][errors][requester]") {
  Fixture f;
  for (const Opcode opcode :
       {Opcode::kRcAcknowledge, Opcode::kRcAtomicAcknowledge, Opcode::kRcRdmaReadResponseOnly,
        Opcode::kRcRdmaReadResponseFirst, Opcode::kRcRdmaReadResponseMiddle, Opcode::kRcRdmaReadResponseLast}) {
    for (const std::uint32_t psn : {999u, 1000u, 1001u}) {
      f.solo.exchange(f.packet(opcode, psn).aeth(wire::Aeth::ack(1)).payload(wire::has_payload(opcode) ? 1024 : 0, 1));
    }
  }
  CHECK(f.qp.state() == QpState::kRts);
  CHECK(f.qp.memory.zero(0, f.qp.memory.size()));
  REQUIRE(f.qp.post(Work::send(1).with(f.qp.sge(0, 8))));
  f.solo.speak();
  f.solo.deliver(f.ack(1000, wire::Aeth::ack(1)));
  expect_sent(f.qp, 1);
}

TEST_CASE("rc errors: a read response of the wrong length is a bad response and writes nothing beyond",
          "[rxe][rc][errors][requester]") {
  struct Case {
    Opcode opcode;
    std::size_t length;
  };
  for (const Case& each : {Case{Opcode::kRcRdmaReadResponseOnly, 63}, Case{Opcode::kRcRdmaReadResponseOnly, 65},
                           Case{Opcode::kRcRdmaReadResponseOnly, 1024}, Case{Opcode::kRcRdmaReadResponseFirst, 1024},
                           Case{Opcode::kRcRdmaReadResponseLast, 64}}) {
    INFO(wire::name(each.opcode) << ' ' << each.length);
    Fixture f({.retry_cnt = 0});
    REQUIRE(f.qp.post(Work::read(1, {0x5000, 7}).with(f.qp.sge(0, 64))));
    f.solo.speak();
    f.solo.deliver(f.packet(each.opcode, 1000).aeth(wire::Aeth::ack(1)).payload(each.length, 1));
    for (int i = 0; i < 10 && f.solo.next_deadline(); ++i) {
    }
    const auto completion = f.qp.poll(f.qp.send_cq);
    REQUIRE(completion.has_value());
    CHECK((completion->status == WcStatus::kBadRespErr || completion->status == WcStatus::kLocLenErr ||
           completion->status == WcStatus::kRetryExcErr));
    CHECK(f.qp.memory.zero(64, f.qp.memory.size() - 64));
  }
}

TEST_CASE("rc errors: a plain ACK does not complete a READ", "[rxe][rc][errors][requester]") {
  Fixture f({.retry_cnt = 1});
  REQUIRE(f.qp.post(Work::read(1, {0x5000, 7}).with(f.qp.sge(0, 64))));
  f.solo.speak();
  f.solo.deliver(f.ack(1000, wire::Aeth::ack(1)));
  f.solo.speak();
  const auto completion = f.qp.poll(f.qp.send_cq);
  if (completion) CHECK(completion->status != WcStatus::kSuccess);
}

TEST_CASE("rc errors: a NAK of a READ says why", "[rxe][rc][errors][requester]") {
  Fixture f;
  REQUIRE(f.qp.post(Work::read(1, {0x5000, 7}).with(f.qp.sge(0, 4000))));
  f.solo.speak();
  f.solo.deliver(f.ack(1000, wire::Aeth::nak(NakCode::kRemoteAccessError, 0)));
  expect_sent(f.qp, 1, WcStatus::kRemAccessErr);
}

TEST_CASE("rc errors: packets for nobody, from strangers or of another service are dropped and counted",
          "[rxe][rc][errors][drop]") {
  Fixture f;
  const Craft good = f.packet(Opcode::kRcRdmaWriteOnly).reth(f.qp.remote(0), 8).payload(8, 1).ack_request();
  f.dropped(Craft(good).qpn(0xabcde), &rxe::Counters::drop_bad_qpn);
  f.dropped(Craft(good).qpn(0), &rxe::Counters::drop_bad_qpn);
  f.dropped(Craft(good).pkey(0x1234), &rxe::Counters::drop_bad_pkey);
  Craft stranger = good;
  stranger.header().path.source_gid = gid_of(9, kGidV2Ipv4);
  f.dropped(stranger, &rxe::Counters::drop_wrong_peer);
  for (const Opcode opcode : {Opcode::kUcRdmaWriteOnly, Opcode::kUdSendOnly, Opcode::kXrcSendOnly}) {
    Craft foreign = good;
    foreign.header().bth.opcode = opcode;
    f.dropped(foreign, &rxe::Counters::drop_wrong_transport);
  }
  CHECK(f.solo.exchange(good) == Lines{"RC_ACKNOWLEDGE psn 5000 ack msn 1"});
}

TEST_CASE("rc errors: opcodes that IBTA does not define are dropped", "[rxe][rc][errors][drop]") {
  Fixture f;
  for (unsigned value = 0; value < 256; ++value) {
    const auto opcode = static_cast<Opcode>(value);
    if (wire::is_valid(opcode)) continue;
    CHECK(f.solo.exchange(f.packet(opcode).payload(8, 1)).empty());
  }
  CHECK(f.qp.state() == QpState::kRts);
}

TEST_CASE("rc errors: after an error the QP answers nothing more", "[rxe][rc][errors][responder]") {
  Fixture f;
  f.invalid({f.packet(Opcode::kRcSendLast).payload(8, 1)});
  CHECK(
      f.solo.exchange(f.packet(Opcode::kRcRdmaWriteOnly, kPeerPsn + 1).reth(f.qp.remote(0), 8).payload(8, 1)).empty());
  CHECK(f.solo.exchange(f.packet(Opcode::kRcRdmaWriteOnly).reth(f.qp.remote(0), 8).payload(8, 1)).empty());
}

}  // namespace rocelab::test
