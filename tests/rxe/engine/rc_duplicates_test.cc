// RC responder and duplicates (IBTA vol 1, 9.7.5.1.2): SEND and WRITE are acknowledged again and not executed, READ is
// executed again, ATOMIC is answered from what was recorded.
#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

using rxe::QpState;
using wire::Opcode;

namespace {

struct Fixture {
  Solo solo;
  SoloQp qp;
  explicit Fixture(const QpOptions& options = {}) : qp(solo, options) {
    REQUIRE(qp.ready);
    qp.memory.clear();
  }
  Craft packet(Opcode opcode, std::uint32_t psn) { return solo.from_peer(qp, opcode, psn); }
};

}  // namespace

TEST_CASE("duplicates: a SEND is acknowledged again, not delivered again", "[rxe][rc][duplicate]") {
  Fixture f;
  REQUIRE(f.qp.recv(100, 0, 64));
  REQUIRE(f.qp.recv(101, 64, 64));
  const Craft send = f.packet(Opcode::kRcSendOnly, kPeerPsn).payload(16, 1).ack_request();
  CHECK(f.solo.exchange(send) == Lines{"RC_ACKNOWLEDGE psn 5000 ack msn 1"});
  CHECK(f.solo.exchange(send) == Lines{"RC_ACKNOWLEDGE psn 5000 ack msn 1"});
  expect_received(f.qp, 100);
  expect_nothing(f.qp);
  CHECK(f.qp.memory.zero(64, 64));
  CHECK(f.solo.side.device.counters().duplicate_request == 1);
}

TEST_CASE("duplicates: a WRITE is acknowledged again and does not undo later changes", "[rxe][rc][duplicate]") {
  Fixture f;
  const Craft write =
      f.packet(Opcode::kRcRdmaWriteOnly, kPeerPsn).reth(f.qp.remote(0), 16).payload(16, 1).ack_request();
  CHECK(f.solo.exchange(write) == Lines{"RC_ACKNOWLEDGE psn 5000 ack msn 1"});
  CHECK(f.qp.memory.holds(0, 16, 1, 0));
  f.qp.memory.set_word(0, 0x1234);
  CHECK(f.solo.exchange(write) == Lines{"RC_ACKNOWLEDGE psn 5000 ack msn 1"});
  CHECK(f.qp.memory.word(0) == 0x1234);
}

TEST_CASE("duplicates: an old one is answered with the newest acknowledged PSN", "[rxe][rc][duplicate]") {
  Fixture f;
  for (std::uint32_t i = 0; i < 4; ++i) {
    f.solo.exchange(
        f.packet(Opcode::kRcRdmaWriteOnly, kPeerPsn + i).reth(f.qp.remote(8 * i), 8).payload(8, 1).ack_request());
  }
  CHECK(f.solo.exchange(
            f.packet(Opcode::kRcRdmaWriteOnly, kPeerPsn + 1).reth(f.qp.remote(8), 8).payload(8, 1).ack_request()) ==
        Lines{"RC_ACKNOWLEDGE psn 5003 ack msn 4"});
}

TEST_CASE("duplicates: the ACK of an old WRITE never names the PSN of a READ or an atomic", "[rxe][rc][duplicate]") {
  Fixture f;
  const Craft write = f.packet(Opcode::kRcRdmaWriteOnly, kPeerPsn).reth(f.qp.remote(8), 8).payload(8, 1).ack_request();
  const Craft atomic = f.packet(Opcode::kRcFetchAdd, kPeerPsn + 1).atomic(f.qp.remote(0), 1);
  const Craft read = f.packet(Opcode::kRcRdmaReadRequest, kPeerPsn + 2).reth(f.qp.remote(0), 64);
  CHECK(f.solo.exchange(write) == Lines{"RC_ACKNOWLEDGE psn 5000 ack msn 1"});
  f.solo.exchange(atomic);
  CHECK(f.solo.exchange(write) == Lines{"RC_ACKNOWLEDGE psn 5000 ack msn 2"});
  f.solo.exchange(read);
  CHECK(f.solo.exchange(write) == Lines{"RC_ACKNOWLEDGE psn 5000 ack msn 3"});
}

TEST_CASE("duplicates: first packets of a message that is still arriving do not disturb it", "[rxe][rc][duplicate]") {
  Fixture f;
  REQUIRE(f.qp.recv(100, 0, 8192));
  const Craft first = f.packet(Opcode::kRcSendFirst, kPeerPsn).payload(1024, 1, 0);
  const Craft middle = f.packet(Opcode::kRcSendMiddle, kPeerPsn + 1).payload(1024, 1, 1024);
  const Craft last = f.packet(Opcode::kRcSendLast, kPeerPsn + 2).payload(100, 1, 2048).ack_request();
  for (const Craft* packet : {&first, &middle, &first, &middle, &last, &first, &last}) f.solo.exchange(*packet);
  CHECK(expect_received(f.qp, 100).byte_len == 2148);
  expect_nothing(f.qp);
  CHECK(f.qp.memory.holds(0, 2148, 1, 0));
}

TEST_CASE("duplicates: a READ is executed again, not NAKed", "[rxe][rc][duplicate][read]") {
  Fixture f;
  f.qp.memory.fill(1);
  const Craft read = f.packet(Opcode::kRcRdmaReadRequest, kPeerPsn).reth(f.qp.remote(0), 64);
  const Lines answer{"RC_RDMA_READ_RESPONSE_ONLY psn 5000 ack msn 1 len 64"};
  CHECK(f.solo.exchange(read) == answer);
  f.qp.memory.fill(2);
  f.solo.deliver(read);
  f.solo.speak();
  REQUIRE(f.solo.sent.size() == 1);
  CHECK(f.solo.sent[0].payload()[5] == pattern(2, 5));
  CHECK(f.solo.lines() == answer);
}

TEST_CASE("duplicates: a READ may ask again for its remainder only", "[rxe][rc][duplicate][read]") {
  Fixture f;
  f.qp.memory.fill(1);
  CHECK(f.solo.exchange(f.packet(Opcode::kRcRdmaReadRequest, kPeerPsn).reth(f.qp.remote(0), 4000)).size() == 4);
  f.solo.deliver(f.packet(Opcode::kRcRdmaReadRequest, kPeerPsn + 2).reth(f.qp.remote(2048), 4000 - 2048));
  f.solo.speak();
  REQUIRE(f.solo.sent.size() == 2);
  CHECK(f.solo.sent[0].payload()[0] == pattern(1, 2048));
  const Lines lines = f.solo.lines();
  CHECK(lines[0].starts_with("RC_RDMA_READ_RESPONSE_FIRST psn 5002"));
  CHECK(lines[1].starts_with("RC_RDMA_READ_RESPONSE_LAST psn 5003"));
}

TEST_CASE("duplicates: a READ that asks for what the first one did not is not answered with it",
          "[rxe][rc][duplicate][read]") {
  Fixture f;
  f.qp.memory.fill(1);
  Region secret(f.solo.side.device, f.solo.side.pd, 64, rxe::access::kLocalWrite);
  f.solo.exchange(f.packet(Opcode::kRcRdmaReadRequest, kPeerPsn).reth(f.qp.remote(0), 64));
  f.solo.deliver(f.packet(Opcode::kRcRdmaReadRequest, kPeerPsn).reth(secret.remote(0), 64));
  f.solo.deliver(f.packet(Opcode::kRcRdmaReadRequest, kPeerPsn).reth(f.qp.remote(0), 1 << 20));
  f.solo.speak();
  std::size_t bytes = 0;
  for (const OwnedPacket& packet : f.solo.sent) bytes += packet.payload().size();
  CHECK(bytes <= 128);
  for (const OwnedPacket& packet : f.solo.sent) {
    for (std::size_t i = 0; i < packet.payload().size(); ++i) REQUIRE(packet.payload()[i] == pattern(1, i));
  }
}

TEST_CASE("duplicates: an ATOMIC is answered with the recorded value and not executed again",
          "[rxe][rc][duplicate][atomic]") {
  Fixture f;
  f.qp.memory.set_word(0, 10);
  const Craft add = f.packet(Opcode::kRcFetchAdd, kPeerPsn).atomic(f.qp.remote(0), 5);
  for (int i = 0; i < 3; ++i) {
    f.solo.deliver(add);
    f.solo.speak();
    REQUIRE(f.solo.sent.size() == 1);
    CHECK(f.solo.sent[0].header().bth.opcode == Opcode::kRcAtomicAcknowledge);
    CHECK(f.solo.sent[0].header().atomic_ack_eth.original == 10);
    f.solo.lines();
    CHECK(f.qp.memory.word(0) == 15);
  }
}

TEST_CASE("duplicates: max_dest_rd_atomic ATOMICs are remembered, each with its own value",
          "[rxe][rc][duplicate][atomic]") {
  Fixture f({.max_dest_rd_atomic = 4});
  f.qp.memory.set_word(0, 0);
  for (std::uint32_t i = 0; i < 4; ++i) {
    f.solo.exchange(f.packet(Opcode::kRcFetchAdd, kPeerPsn + i).atomic(f.qp.remote(0), 1));
  }
  for (std::uint32_t i = 0; i < 4; ++i) {
    f.solo.deliver(f.packet(Opcode::kRcFetchAdd, kPeerPsn + i).atomic(f.qp.remote(0), 1));
    f.solo.speak();
    REQUIRE_FALSE(f.solo.sent.empty());
    CHECK(f.solo.sent.back().header().atomic_ack_eth.original == i);
    f.solo.lines();
  }
  CHECK(f.qp.memory.word(0) == 4);
}

TEST_CASE("duplicates: an ATOMIC too old to be remembered is dropped, never executed", "[rxe][rc][duplicate][atomic]") {
  Fixture f({.max_dest_rd_atomic = 1});
  f.qp.memory.set_word(0, 0);
  for (std::uint32_t i = 0; i < 5; ++i) {
    f.solo.exchange(f.packet(Opcode::kRcFetchAdd, kPeerPsn + i).atomic(f.qp.remote(0), 1));
  }
  f.solo.deliver(f.packet(Opcode::kRcFetchAdd, kPeerPsn).atomic(f.qp.remote(0), 1));
  f.solo.speak();
  for (const OwnedPacket& packet : f.solo.sent) CHECK(packet.header().bth.opcode != Opcode::kRcAtomicAcknowledge);
  CHECK(f.qp.memory.word(0) == 5);
  CHECK(f.qp.state() == QpState::kRts);
}

TEST_CASE("duplicates: a duplicate with another operation on the PSN of an ATOMIC gets no answer of it",
          "[rxe][rc][duplicate][atomic]") {
  Fixture f;
  f.qp.memory.set_word(0, 10);
  f.solo.exchange(f.packet(Opcode::kRcFetchAdd, kPeerPsn).atomic(f.qp.remote(0), 5));
  f.solo.exchange(f.packet(Opcode::kRcCompareSwap, kPeerPsn).atomic(f.qp.remote(8), 1, 0));
  CHECK(f.qp.memory.word(0) == 15);
  CHECK(f.qp.memory.word(8) == 0);
}

}  // namespace rocelab::test
