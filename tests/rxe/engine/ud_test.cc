// UD and the GSI QP: datagrams with Q_Keys, GRH in front of the payload, address handles (IBTA vol 1, 9.8.3).
#include <cerrno>
#include <memory>
#include <vector>

#include "rxe/vendor_error.h"
#include "tests/rxe/harness/datagram.h"
#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

using rxe::QpState;
using rxe::QpType;
using rxe::WcOpcode;
using rxe::WcStatus;
using wire::Opcode;

namespace {

struct Fixture {
  Pair pair;
  DatagramPair d;
  explicit Fixture(const QpOptions& options = {}, QpType type = QpType::kUd) : d(pair, options, type) {
    REQUIRE(d.valid);
    d.a.memory.fill(1);
    d.b.memory.clear();
  }
};

}  // namespace

TEST_CASE("ud: a datagram arrives behind 40 bytes of GRH and names its sender", "[rxe][ud]") {
  Fixture f;
  REQUIRE(f.d.b.recv(100, 0, kGrh + 64));
  REQUIRE(f.d.a.post(f.d.send(1).with(f.d.a.sge(5, 64))));
  settle(f.pair);
  CHECK(expect_sent(f.d.a, 1).opcode == WcOpcode::kSend);
  const auto received = expect_received(f.d.b, 100);
  CHECK(received.opcode == WcOpcode::kRecv);
  CHECK(received.byte_len == kGrh + 64);
  CHECK(received.src_qp == f.d.a.qpn);
  CHECK((received.flags & rxe::wc_flag::kGrh) != 0);
  CHECK(f.d.b.memory.holds(kGrh, 64, 1, 5));
  CHECK(f.d.b.memory.zero(kGrh + 64, 1000));
  const Lines lines = f.pair.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with("a UD_SEND_ONLY psn 1000 len 64"));
}

TEST_CASE("ud: the GRH area tells the sender's address", "[rxe][ud][grh]") {
  {  // IPv4: a header in the last 20 of the 40 bytes, as Linux's rxe and hardware do
    Fixture f;
    REQUIRE(f.d.b.recv(100, 0, 256));
    REQUIRE(f.d.a.post(f.d.send(1).with(f.d.a.sge(0, 8))));
    settle(f.pair);
    CHECK(expect_received(f.d.b, 100).service_level == 0xa);  // a UDP header behind IPv4, as ConnectX says it
    const std::byte* ip = f.d.b.memory.data() + 20;
    CHECK(static_cast<unsigned>(ip[0]) == 0x45);
    const auto source = gid_of(1, kGidV2Ipv4), destination = gid_of(2, kGidV2Ipv4);
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(static_cast<std::uint8_t>(ip[12 + i]) == source.bytes[12 + i]);
      CHECK(static_cast<std::uint8_t>(ip[16 + i]) == destination.bytes[12 + i]);
    }
  }
  for (const std::uint8_t index : {kGidV2Ipv6, kGidV1Ipv6}) {
    Fixture f({.sgid_index = index});
    REQUIRE(f.d.b.recv(100, 0, 256));
    REQUIRE(f.d.a.post(f.d.send(1).with(f.d.a.sge(0, 8))));
    settle(f.pair);
    CHECK(expect_received(f.d.b, 100).service_level == (index == kGidV2Ipv6 ? 0x9 : 0x0));
    const std::byte* grh = f.d.b.memory.data();
    CHECK(static_cast<unsigned>(grh[0]) >> 4 == 6);
    for (std::size_t i = 0; i < 16; ++i) {
      CHECK(static_cast<std::uint8_t>(grh[8 + i]) == gid_of(1, index).bytes[i]);
      CHECK(static_cast<std::uint8_t>(grh[24 + i]) == gid_of(2, index).bytes[i]);
    }
  }
}

TEST_CASE("ud: pieces may split the GRH and the payload anywhere", "[rxe][ud]") {
  Fixture f;
  const rxe::Sge pieces[] = {f.d.b.sge(0, 10), f.d.b.sge(100, 35), f.d.b.sge(200, 20)};
  REQUIRE(f.d.b.recv(100, pieces));
  REQUIRE(f.d.a.post(f.d.send(1).with(f.d.a.sge(0, 3)).with(f.d.a.sge(3, 20))));
  settle(f.pair);
  CHECK(expect_received(f.d.b, 100).byte_len == kGrh + 23);
  CHECK(f.d.b.memory.holds(130, 5, 1, 0));
  CHECK(f.d.b.memory.holds(200, 18, 1, 5));
  CHECK(f.d.b.memory.zero(218, 2));
}

TEST_CASE("ud: an immediate and an empty datagram arrive", "[rxe][ud][imm]") {
  Fixture f;
  REQUIRE(f.d.b.recv(100, 0, 256));
  REQUIRE(f.d.b.recv(101, 0, kGrh));
  REQUIRE(f.d.a.post(f.d.send(1).with(f.d.a.sge(0, 8)).imm(0x1234'5678)));
  REQUIRE(f.d.a.post(f.d.send(2)));
  settle(f.pair);
  const auto with_imm = expect_received(f.d.b, 100);
  CHECK(with_imm.immediate == 0x1234'5678);
  CHECK((with_imm.flags & rxe::wc_flag::kWithImm) != 0);
  CHECK(expect_received(f.d.b, 101).byte_len == kGrh);
}

TEST_CASE("ud: a wrong Q_Key is dropped and counted", "[rxe][ud][qkey]") {
  Fixture f;
  REQUIRE(f.d.b.recv(100, 0, 256));
  REQUIRE(f.d.a.post(Work::send(1).to(f.d.to_b, f.d.b.qpn, f.d.b.options.qkey + 1).with(f.d.a.sge(0, 8))));
  settle(f.pair);
  expect_sent(f.d.a, 1);
  expect_nothing(f.d.b);
  CHECK(f.pair.b.device.counters().drop_bad_qkey == 1);
  CHECK(f.d.b.memory.zero(0, 256));
}

TEST_CASE("ud: a remote Q_Key with the top bit set means the QP's own", "[rxe][ud][qkey]") {
  Fixture f;
  REQUIRE(f.d.b.recv(100, 0, 256));
  REQUIRE(f.d.a.post(Work::send(1).to(f.d.to_b, f.d.b.qpn, 0x8000'0001).with(f.d.a.sge(0, 8))));
  settle(f.pair);
  expect_sent(f.d.a, 1);
  expect_received(f.d.b, 100);
  CHECK(f.pair.sent.at(0).packet.header().deth.qkey == f.d.a.options.qkey);
}

TEST_CASE("ud: without a receive a datagram is dropped and counted", "[rxe][ud]") {
  Fixture f;
  REQUIRE(f.d.a.post(f.d.send(1).with(f.d.a.sge(0, 8))));
  settle(f.pair);
  expect_sent(f.d.a, 1);
  CHECK(f.pair.b.device.counters().drop_no_receive == 1);
  CHECK(f.d.b.state() == QpState::kRts);
}

TEST_CASE("ud: a datagram longer than its receive does not overrun it", "[rxe][ud]") {
  Fixture f;
  REQUIRE(f.d.b.recv(100, 0, kGrh + 10));
  REQUIRE(f.d.a.post(f.d.send(1).with(f.d.a.sge(0, 11))));
  settle(f.pair);
  expect_sent(f.d.a, 1);
  expect_nothing(f.d.b);
  CHECK(f.pair.b.device.counters().drop_too_long == 1);
  CHECK(f.d.b.memory.zero(kGrh + 10, 1000));
  REQUIRE(f.d.a.post(f.d.send(2).with(f.d.a.sge(0, 10))));  // the receive serves the next one
  settle(f.pair);
  CHECK(expect_received(f.d.b, 100).byte_len == kGrh + 10);
}

TEST_CASE("ud: a datagram of a whole MTU arrives, a longer one is refused", "[rxe][ud]") {
  Fixture f;
  REQUIRE(f.d.b.recv(100, 0, 8192));
  REQUIRE(f.d.a.post(f.d.send(1).with(f.d.a.sge(0, 4096))));
  settle(f.pair);
  expect_sent(f.d.a, 1);
  CHECK(expect_received(f.d.b, 100).byte_len == kGrh + 4096);
  CHECK(f.d.b.memory.holds(kGrh, 4096, 1, 0));
  const auto posted = f.d.a.post(f.d.send(2).with(f.d.a.sge(0, 4097)));
  settle(f.pair);
  if (posted) {
    const auto failed = expect_sent(f.d.a, 2, WcStatus::kLocLenErr);
    CHECK(failed.vendor_err == static_cast<std::uint32_t>(rxe::VendorError::kDatagramBeyondMtu));
  } else {
    CHECK(posted.error().code == EINVAL);
  }
  CHECK(f.pair.count_sent('a', Opcode::kUdSendOnly) == 1);
}

TEST_CASE("ud: only SENDs can be posted", "[rxe][ud]") {
  Fixture f;
  for (Work work : {Work::write(1, f.d.b.remote(0)), Work::read(1, f.d.b.remote(0)),
                    Work::fetch_add(1, f.d.b.remote(0), 1), Work::send(1).invalidating(1)}) {
    CHECK(code_of(f.d.a.post(work.to(f.d.to_b, f.d.b.qpn, 0).with(f.d.a.sge(0, 8)))) == EINVAL);
  }
}

TEST_CASE("ud: memory that is deregistered while the port refuses the datagram is not read", "[rxe][ud]") {
  Fixture f;
  Region gone(f.pair.a.device, f.pair.a.pd, 64);
  REQUIRE(f.d.a.post(f.d.send(1).with(gone.sge(0, 64))));
  f.pair.a.refuse_next = 1;
  REQUIRE(f.pair.a.transmit(1) == 0);
  REQUIRE(f.pair.a.device.dereg_mr(gone.mr().id));
  settle(f.pair);
  const auto failed = expect_sent(f.d.a, 1, WcStatus::kLocProtErr);
  CHECK(failed.vendor_err == static_cast<std::uint32_t>(rxe::VendorError::kLocalUnknownKey));
  CHECK(f.pair.count_sent('a', Opcode::kUdSendOnly) == 0);
}

TEST_CASE("ud: an address handle that is destroyed before the datagram leaves is an error completion",
          "[rxe][ud][ah]") {
  Fixture f;
  f.pair.a.refuse_next = 1;
  REQUIRE(f.d.a.post(f.d.send(1).with(f.d.a.sge(0, 8))));
  REQUIRE(f.pair.a.device.destroy_ah(f.d.to_b));
  settle(f.pair);
  const auto completion = f.d.a.poll(f.d.a.send_cq);
  REQUIRE(completion.has_value());
  if (completion->status != WcStatus::kSuccess) {  // an engine may have copied the path when it was posted
    CHECK(completion->status == WcStatus::kLocQpOpErr);
    CHECK(completion->vendor_err == static_cast<std::uint32_t>(rxe::VendorError::kBadAddressHandle));
  }
}

TEST_CASE("ud: one QP talks to many and hears from many", "[rxe][ud]") {
  Pair pair;
  DatagramPair hub(pair);
  REQUIRE(hub.valid);
  std::vector<std::unique_ptr<Endpoint>> others;
  for (int i = 0; i < 8; ++i) {
    others.push_back(std::make_unique<Endpoint>(pair.b, hub.b.options));
    Endpoint& other = *others.back();
    REQUIRE((other.to_init() && other.to_rtr(1, 0, 0) && other.to_rts()));
    REQUIRE(other.recv(static_cast<std::uint64_t>(i), 0, 256));
    REQUIRE(hub.a.recv(static_cast<std::uint64_t>(i), 0, 256));
    REQUIRE(hub.a.post(
        Work::send(static_cast<std::uint64_t>(i)).to(hub.to_b, other.qpn, other.options.qkey).with(hub.a.sge(0, 8))));
    REQUIRE(other.post(Work::send(1).to(hub.to_a, hub.a.qpn, hub.a.options.qkey).with(other.sge(0, 8))));
  }
  settle(pair);
  for (std::uint64_t i = 0; i < 8; ++i) {
    CHECK(expect_received(*others[i], i).src_qp == hub.a.qpn);
    const auto heard = hub.a.poll(hub.a.recv_cq);
    REQUIRE(heard.has_value());
    CHECK(heard->wr_id == i);
  }
}

TEST_CASE("ud: loss, duplication and corruption lose or repeat datagrams but never change one", "[rxe][ud][loss]") {
  Fixture f;
  f.pair.a_to_b.faults = {.loss = 100, .duplicate = 100, .reorder = 100, .corrupt = 100};
  std::uint64_t heard = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    REQUIRE(f.d.b.recv(i, 0, 256));
    REQUIRE(f.d.b.recv(i, 0, 256));
    f.d.a.memory.fill(i);
    f.d.b.memory.clear();
    REQUIRE(f.d.a.post(f.d.send(i).with(f.d.a.sge(0, 100)).imm(static_cast<std::uint32_t>(i))));
    settle(f.pair);
    expect_sent(f.d.a, i);
    while (const auto received = f.d.b.poll(f.d.b.recv_cq)) {
      ++heard;
      CHECK(received->immediate == i);
      CHECK(f.d.b.memory.holds(kGrh, 100, i, 0));
    }
    // What was not used stays posted; take it back by a reset of the QP now and then.
    if (i % 16 == 15) {
      REQUIRE(f.d.b.to_state(QpState::kReset));
      REQUIRE((f.d.b.to_init() && f.d.b.to_rtr(1, 0, 0) && f.d.b.to_rts()));
    }
  }
  CHECK(heard > 150);
}

TEST_CASE("gsi: QP1 exists once, has number 1, and talks under the well-known Q_Key", "[rxe][gsi]") {
  QpOptions options;
  options.qkey = 0x8001'0000;  // IBTA vol 1, 10.2.5: reserved for QP1
  Fixture f(options, QpType::kGsi);
  CHECK(f.d.a.qpn == rxe::kGsiQpn);
  CHECK(f.d.b.qpn == rxe::kGsiQpn);
  Endpoint second(f.pair.a, f.d.a.options);
  CHECK_FALSE(second.valid());
  REQUIRE(f.d.b.recv(100, 0, kGrh + 256));
  REQUIRE(f.d.a.post(f.d.send(1).with(f.d.a.sge(0, 256))));
  settle(f.pair);
  expect_sent(f.d.a, 1);
  const auto received = expect_received(f.d.b, 100);
  CHECK(received.src_qp == 1);
  CHECK(received.byte_len == kGrh + 256);
  CHECK(f.d.b.memory.holds(kGrh, 256, 1, 0));
  CHECK(f.pair.sent.at(0).packet.header().deth.qkey == 0x8001'0000);
}

TEST_CASE("gsi: a datagram with another Q_Key does not reach QP1", "[rxe][gsi]") {
  QpOptions options;
  options.qkey = 0x8001'0000;
  Fixture f(options, QpType::kGsi);
  REQUIRE(f.d.b.recv(100, 0, kGrh + 256));
  Solo stranger;
  Craft craft = stranger.from_peer(f.d.b, Opcode::kUdSendOnly, 1);
  craft.datagram(0x1111, 7).payload(256, 1);
  f.pair.inject(f.pair.b, craft.view());
  settle(f.pair);
  expect_nothing(f.d.b);
  CHECK(f.pair.b.device.counters().drop_bad_qkey == 1);
}

}  // namespace rocelab::test
