// RC SEND between two engines: segmentation, contents, completions, immediates, solicited events.
#include <algorithm>
#include <cerrno>

#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::PathMtu;
using rxe::WcOpcode;
using rxe::WcStatus;

TEST_CASE("rc send: a message of one packet arrives and completes at both ends", "[rxe][rc][send]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  c.b.memory.clear();
  REQUIRE(c.b.recv(100, 0, 64));
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 64))));
  settle(pair);
  CHECK(expect_sent(c.a, 1).opcode == WcOpcode::kSend);
  const auto received = expect_received(c.b, 100);
  CHECK(received.opcode == WcOpcode::kRecv);
  CHECK(received.byte_len == 64);
  CHECK((received.flags & (rxe::wc_flag::kWithImm | rxe::wc_flag::kWithInv)) == 0);
  CHECK(c.b.memory.holds(0, 64, 1, 0));
  CHECK(c.b.memory.zero(64, c.b.memory.size() - 64));
  expect_guards(c);
  CHECK(pair.a.device.counters().rdma_sends == 1);
  CHECK(pair.b.device.counters().rdma_recvs == 1);
  CHECK(pair.lines() == Lines{"a RC_SEND_ONLY psn 1000 len 64 ackreq", "b RC_ACKNOWLEDGE psn 1000 ack msn 1"});
}

TEST_CASE("rc send: a message is cut at the path MTU and the last packet asks for the ACK", "[rxe][rc][send]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  REQUIRE(c.b.recv(100, 0, 4096));
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 2500))));
  settle(pair);
  CHECK(pair.lines() == Lines{"a RC_SEND_FIRST psn 1000 len 1024", "a RC_SEND_MIDDLE psn 1001 len 1024",
                              "a RC_SEND_LAST psn 1002 len 452 ackreq", "b RC_ACKNOWLEDGE psn 1002 ack msn 1"});
  CHECK(expect_received(c.b, 100).byte_len == 2500);
  CHECK(c.b.memory.holds(0, 2500, 1, 0));
}

TEST_CASE("rc send: every length around multiples of every path MTU arrives byte by byte", "[rxe][rc][send]") {
  for (const PathMtu mtu : {PathMtu::k256, PathMtu::k512, PathMtu::k1024, PathMtu::k2048, PathMtu::k4096}) {
    PairOptions quiet;
    quiet.record = false;
    Pair pair(quiet);
    Connection c(pair, {.mtu = mtu});
    REQUIRE(c.valid);
    const std::size_t m = rxe::mtu_bytes(mtu);
    std::uint64_t salt = 1;
    for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}, m - 1, m, m + 1,
                                     2 * m - 1, 2 * m, 2 * m + 1, 7 * m + 13}) {
      INFO("mtu " << m << " length " << length);
      c.a.memory.fill(++salt);
      c.b.memory.clear();
      REQUIRE(c.b.recv(100, 32, length));
      REQUIRE(c.a.post(Work::send(1).with(c.a.sge(16, length))));
      settle(pair);
      expect_sent(c.a, 1);
      CHECK(expect_received(c.b, 100).byte_len == length);
      CHECK(c.b.memory.holds(32, length, salt, 16));
      CHECK(c.b.memory.zero(0, 32));
      CHECK(c.b.memory.zero(32 + length, c.b.memory.size() - 32 - length));
    }
    expect_guards(c);
  }
}

TEST_CASE("rc send: a long message asks for an ACK every 64 packets", "[rxe][rc][send][ack]") {
  Pair pair;
  Connection c(pair, {.mtu = PathMtu::k256});
  REQUIRE(c.valid);
  REQUIRE(c.a.post(Work::write(1, c.b.remote(0)).with(c.a.sge(0, 200 * 256))));
  settle(pair);
  std::vector<std::uint32_t> asking;
  for (const Recorded& record : pair.sent) {
    if (record.from == 'a' && record.packet.header().bth.ack_request) {
      asking.push_back(record.packet.header().bth.psn.value() - 1000);
    }
  }
  CHECK(asking == std::vector<std::uint32_t>{63, 127, 191, 199});
}

TEST_CASE("rc send: no sge and a zero-length sge both make a zero-length message", "[rxe][rc][send]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  REQUIRE(c.b.recv(100, 0, 64));
  REQUIRE(c.b.recv(101, {}));
  REQUIRE(c.a.post(Work::send(1)));
  REQUIRE(c.a.post(Work::send(2).with(c.a.sge(0, 0))));
  settle(pair);
  expect_sent(c.a, 1);
  expect_sent(c.a, 2);
  CHECK(expect_received(c.b, 100).byte_len == 0);
  CHECK(expect_received(c.b, 101).byte_len == 0);
}

TEST_CASE("rc send: pieces are gathered and scattered at any boundary", "[rxe][rc][send]") {
  Pair pair;
  Connection c(pair, {.mtu = PathMtu::k256});
  REQUIRE(c.valid);
  c.a.memory.fill(3);
  c.b.memory.clear();
  const rxe::Sge scatter[] = {c.b.sge(1000, 1), c.b.sge(2000, 255), c.b.sge(3000, 0), c.b.sge(4000, 300),
                              c.b.sge(5000, 500)};
  REQUIRE(c.b.recv(100, scatter));
  REQUIRE(c.a.post(Work::send(1)
                       .with(c.a.sge(10, 7))
                       .with(c.a.sge(17, 0))
                       .with(c.a.sge(17, 250))
                       .with(c.a.sge(267, 513))
                       .with(c.a.sge(780, 1))));
  settle(pair);
  expect_sent(c.a, 1);
  CHECK(expect_received(c.b, 100).byte_len == 771);
  CHECK(c.b.memory.holds(1000, 1, 3, 10));
  CHECK(c.b.memory.holds(2000, 255, 3, 11));
  CHECK(c.b.memory.holds(4000, 300, 3, 266));
  CHECK(c.b.memory.holds(5000, 215, 3, 566));
  CHECK(c.b.memory.zero(5215, 285));
}

TEST_CASE("rc send: an immediate arrives with the receive's completion", "[rxe][rc][send][imm]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  REQUIRE(c.b.recv(100, 0, 4096));
  REQUIRE(c.b.recv(101, 0, 4096));
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 8)).imm(0xdead'beef)));
  REQUIRE(c.a.post(Work::send(2).with(c.a.sge(0, 3000)).imm(7)));
  settle(pair);
  for (const auto& [id, imm] : {std::pair{100u, 0xdead'beefu}, std::pair{101u, 7u}}) {
    const auto received = expect_received(c.b, id);
    CHECK(received.opcode == WcOpcode::kRecv);
    CHECK(received.flags == rxe::wc_flag::kWithImm);
    CHECK(received.immediate == imm);
  }
}

TEST_CASE("rc send: unsignalled requests complete silently, sq_sig_all signals all", "[rxe][rc][send]") {
  for (const bool all : {false, true}) {
    Pair pair;
    Connection c(pair, {.sq_sig_all = all});
    REQUIRE(c.valid);
    for (std::uint64_t id = 1; id <= 4; ++id) {
      REQUIRE(c.b.recv(100 + id, 0, 64));
      Work work = Work::send(id).with(c.a.sge(0, 8));
      REQUIRE(c.a.post(id == 3 ? work : work.unsignaled()));
    }
    settle(pair);
    for (std::uint64_t id = 1; id <= 4; ++id) {
      if (all || id == 3) expect_sent(c.a, id);
      expect_received(c.b, 100 + id);
    }
    expect_nothing(c.a);
  }
}

TEST_CASE("rc send: many messages arrive in order and their ACKs are coalesced", "[rxe][rc][send][ack]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  for (std::uint64_t id = 1; id <= 60; ++id) {
    c.a.memory.set_word(id * 8, id);
    REQUIRE(c.b.recv(100 + id, id * 8, 8));
    REQUIRE(c.a.post(Work::send(id).with(c.a.sge(id * 8, 8))));
  }
  settle(pair);
  for (std::uint64_t id = 1; id <= 60; ++id) {
    expect_sent(c.a, id);
    expect_received(c.b, 100 + id);
    CHECK(c.b.memory.word(id * 8) == id);
  }
  CHECK(pair.count_sent('b', wire::Opcode::kRcAcknowledge) < 60);
  CHECK(pair.sent.back().packet.header().aeth.msn == 60);
}

TEST_CASE("rc send: a full send queue is ENOMEM, and completing makes room", "[rxe][rc][send]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  const auto cap = pair.a.device.query_qp(c.a.qpn)->cap;
  CHECK(cap.max_send_wr >= 64);
  std::uint64_t posted = 0;
  base::Result<void> result;
  for (; posted <= cap.max_send_wr; ++posted) {
    result = c.a.post(Work::send(posted).with(c.a.sge(0, 8)));
    if (!result) break;
  }
  CHECK(posted == cap.max_send_wr);
  CHECK(code_of(result) == ENOMEM);
  CHECK(pair.b.device.query_qp(c.b.qpn)->cap.max_recv_wr >= posted);
  for (std::uint64_t i = 0; i < posted; ++i) REQUIRE(c.b.recv(i, 0, 8));
  settle(pair);
  expect_sent(c.a, 0);
  REQUIRE(c.a.post(Work::send(1000).with(c.a.sge(0, 8))));
}

TEST_CASE("rc send: more pieces than max_send_sge or max_recv_sge are EINVAL", "[rxe][rc][send]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  const auto cap = pair.a.device.query_qp(c.a.qpn)->cap;
  Work work = Work::send(1);
  std::vector<rxe::Sge> sges;
  for (std::uint32_t i = 0; i <= std::max(cap.max_send_sge, cap.max_recv_sge); ++i) {
    work.with(c.a.sge(0, 1));
    sges.push_back(c.a.sge(0, 1));
  }
  CHECK(code_of(c.a.post(work)) == EINVAL);
  CHECK(code_of(c.a.recv(1, sges)) == EINVAL);
}

TEST_CASE("rc send: a solicited event wakes who armed for solicited ones, another message does not",
          "[rxe][rc][send][cq]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  for (std::uint64_t id = 100; id < 103; ++id) REQUIRE(c.b.recv(id, 0, 4096));
  REQUIRE(pair.b.device.req_notify_cq(c.b.recv_cq, true));
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 8))));
  settle(pair);
  CHECK(pair.b.count_events(rxe::EventType::kCompletion, &c.b.recv_cq) == 0);
  REQUIRE(c.a.post(Work::send(2).with(c.a.sge(0, 3000)).solicited()));
  settle(pair);
  CHECK(pair.b.count_events(rxe::EventType::kCompletion, &c.b.recv_cq) == 1);
  REQUIRE(c.a.post(Work::send(3).with(c.a.sge(0, 8)).solicited()));
  settle(pair);
  CHECK(pair.b.count_events(rxe::EventType::kCompletion, &c.b.recv_cq) == 1);
  const auto lines = pair.lines();
  CHECK(std::count_if(lines.begin(), lines.end(), [](const auto& line) { return line.ends_with(" se"); }) == 2);
}

TEST_CASE("rc send: it works the same over RoCE v2 with IPv4 and IPv6 and over RoCE v1", "[rxe][rc][send]") {
  for (const std::uint8_t index : {kGidV2Ipv4, kGidV2Ipv6, kGidV1Ipv4, kGidV1Ipv6}) {
    INFO("gid index " << int{index});
    Pair pair;
    Connection c(pair, {.sgid_index = index});
    REQUIRE(c.valid);
    c.a.memory.fill(5);
    REQUIRE(c.b.recv(100, 0, 4096));
    REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 2000))));
    settle(pair);
    expect_sent(c.a, 1);
    expect_received(c.b, 100);
    CHECK(c.b.memory.holds(0, 2000, 5, 0));
    for (const Recorded& record : pair.sent) {
      const auto encapsulation = record.packet.header().path.encapsulation;
      CHECK((encapsulation == wire::Encapsulation::kRoceV1) == (index == kGidV1Ipv4 || index == kGidV1Ipv6));
      CHECK((encapsulation == wire::Encapsulation::kRoceV2Ipv6) == (index == kGidV2Ipv6));
    }
  }
}

TEST_CASE("rc send: the UDP source port is the same for all packets of a QP, as entropy of its pair",
          "[rxe][rc][send]") {
  Pair pair;
  Connection c(pair), d(pair);
  REQUIRE((c.valid && d.valid));
  for (Connection* connection : {&c, &d}) {
    REQUIRE(connection->b.recv(100, 0, 8192));
    REQUIRE(connection->a.post(Work::send(1).with(connection->a.sge(0, 5000))));
  }
  settle(pair);
  std::uint16_t port_c = 0;
  for (const Recorded& record : pair.sent) {
    if (record.from != 'a' || record.packet.header().bth.destination_qpn != c.b.qpn) continue;
    const std::uint16_t port = record.packet.header().path.udp_source_port;
    CHECK(port >= 0xc000);
    if (port_c == 0) port_c = port;
    CHECK(port == port_c);
  }
  CHECK(port_c != 0);
}

TEST_CASE("rc send: both directions at once do not disturb each other", "[rxe][rc][send]") {
  Pair pair;
  Connection c(pair, {.mtu = PathMtu::k256});
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  c.b.memory.fill(2);
  for (std::uint64_t id = 0; id < 20; ++id) {
    REQUIRE(c.a.recv(100 + id, 32'768 + id * 1000, 1000));
    REQUIRE(c.b.recv(100 + id, 32'768 + id * 1000, 1000));
    REQUIRE(c.a.post(Work::send(id).with(c.a.sge(id * 1000, 1000))));
    REQUIRE(c.b.post(Work::send(id).with(c.b.sge(id * 1000, 1000))));
  }
  settle(pair);
  for (std::uint64_t id = 0; id < 20; ++id) {
    for (Endpoint* e : {&c.a, &c.b}) {
      expect_sent(*e, id);
      expect_received(*e, 100 + id);
    }
  }
  CHECK(c.b.memory.holds(32'768, 20'000, 1, 0));
  CHECK(c.a.memory.holds(32'768, 20'000, 2, 0));
  expect_guards(c);
}

}  // namespace rocelab::test
