// XRC: initiators, targets, their shared receive queues and domains. An endpoint of the harness has one of each; what
// several of them share, and what is refused, is built by hand.
#include <cerrno>
#include <optional>

#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::EventType;
using rxe::QpState;
using rxe::QpType;
using rxe::WcOpcode;
using rxe::WcStatus;
using wire::Opcode;

namespace {

QpOptions xrc() {
  QpOptions options;
  options.type = QpType::kXrcSend;
  options.mtu = rxe::PathMtu::k512;
  return options;
}

/// One more queue in an endpoint's domain, with a protection domain, a completion queue and memory of its own.
struct Queue {
  Side& side;
  rxe::PdId pd;
  rxe::CqId cq;
  rxe::SrqId srq{};
  std::uint32_t number = 0;
  Region memory;

  Queue(Side& owner, rxe::XrcdId domain)
      : side(owner),
        pd(*owner.device.alloc_pd()),
        cq(*owner.device.create_cq(64, this)),
        memory(owner.device, pd, 16 * 1024) {
    rxe::SrqAttr attr{.max_wr = 16, .max_sge = 2, .limit = 0};
    const auto made = side.device.create_xrc_srq(pd, domain, cq, attr, this);
    REQUIRE(made.has_value());
    srq = *made;
    number = *side.device.srq_number(srq);
    memory.clear();
  }
  void post(std::uint64_t id, std::size_t offset, std::size_t length) {
    const rxe::Sge sge = memory.sge(offset, length);
    REQUIRE(side.device.post_srq_recv(srq, {.wr_id = id, .sges = std::span(&sge, 1)}));
  }
  std::optional<rxe::Completion> poll() {
    rxe::Completion completion;
    if (side.device.poll_cq(cq, std::span(&completion, 1)) == 0) return std::nullopt;
    return completion;
  }
};

/// Posts to a queue of the peer that is not the endpoint's own.
base::Result<void> post_to(Endpoint& from, std::uint32_t number, Work work) {
  rxe::SendRequest request = work.request();
  request.srq_number = number;
  return from.side.device.post_send(from.side.now, from.qpn, request);
}

}  // namespace

TEST_CASE("xrc: SEND, WRITE, READ and atomics do what they do over RC, both ways", "[rxe][xrc]") {
  Pair pair;
  Connection c(pair, xrc());
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  c.b.memory.clear();
  REQUIRE(c.b.recv(1, 0, 4096));
  REQUIRE(c.b.recv(2, 4096, 4096));
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 2000))));
  REQUIRE(c.a.post(Work::write(2, c.b.remote(8192)).with(c.a.sge(2000, 1500)).imm(77)));
  REQUIRE(c.a.post(Work::read(3, c.b.remote(8192)).with(c.a.sge(40'000, 1500))));
  REQUIRE(c.a.post(Work::fetch_add(4, c.b.remote(16'384), 5).with(c.a.sge(48'000, 8))));
  REQUIRE(c.a.post(Work::compare_swap(5, c.b.remote(16'384), 5, 9).with(c.a.sge(48'008, 8))));
  settle(pair);
  for (std::uint64_t id = 1; id <= 5; ++id) expect_sent(c.a, id);
  const rxe::Completion send = expect_received(c.b, 1);
  CHECK(send.byte_len == 2000);
  CHECK(send.src_qp == c.a.qpn);
  CHECK(c.b.memory.holds(0, 2000, 1, 0));
  const rxe::Completion write = expect_received(c.b, 2);
  CHECK(write.opcode == WcOpcode::kRecvRdmaWithImm);
  CHECK(write.immediate == 77);
  CHECK(c.b.memory.holds(8192, 1500, 1, 2000));
  CHECK(c.a.memory.holds(40'000, 1500, 1, 2000));
  CHECK(pair.count_sent('a', Opcode::kXrcSendFirst) == 1);
  CHECK(pair.count_sent('a', Opcode::kXrcRdmaReadRequest) == 1);
  CHECK(pair.count_sent('b', Opcode::kXrcAtomicAcknowledge) == 2);

  REQUIRE(c.a.recv(9, 0, 64));
  REQUIRE(c.b.post(Work::send(8).with(c.b.sge(0, 64))));
  settle(pair);
  expect_sent(c.b, 8);
  expect_received(c.a, 9);
  expect_guards(c);
}

TEST_CASE("xrc: every request names its shared receive queue, no response does", "[rxe][xrc][wire]") {
  Pair pair;
  Connection c(pair, xrc());
  REQUIRE(c.valid);
  REQUIRE(c.b.recv(1, 0, 4096));
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 1200)).imm(3)));
  REQUIRE(c.a.post(Work::read(2, c.b.remote(0)).with(c.a.sge(0, 1200))));
  settle(pair);
  std::size_t requests = 0;
  for (const Recorded& sent : pair.sent) {
    const wire::Packet& packet = sent.packet.header();
    CHECK(wire::transport_of(packet.bth.opcode) == wire::Transport::kXrc);
    CHECK(wire::has_xrceth(packet.bth.opcode) == (sent.from == 'a'));
    if (sent.from != 'a') continue;
    ++requests;
    CHECK(packet.xrc_eth.srq_number == c.a.peer_srq_number);
    CHECK(packet.bth.destination_qpn == c.b.target);
  }
  CHECK(requests == 4);
}

TEST_CASE("xrc: one connection feeds several queues, each with memory and completions of its own", "[rxe][xrc]") {
  Pair pair;
  Connection c(pair, xrc());
  REQUIRE(c.valid);
  c.a.memory.fill(3);
  Queue one(pair.b, c.b.xrcd), two(pair.b, c.b.xrcd);
  CHECK(one.number != two.number);
  one.post(11, 0, 4096);
  two.post(22, 0, 4096);
  REQUIRE(post_to(c.a, two.number, Work::send(1).with(c.a.sge(0, 1300))));
  REQUIRE(post_to(c.a, one.number, Work::send(2).with(c.a.sge(1300, 700))));
  REQUIRE(post_to(c.a, one.number, Work::write(3, one.memory.remote(8192)).with(c.a.sge(0, 600))));
  settle(pair);
  for (std::uint64_t id = 1; id <= 3; ++id) expect_sent(c.a, id);
  const auto at_two = two.poll(), at_one = one.poll();
  REQUIRE((at_one && at_two));
  CHECK(at_two->wr_id == 22);
  CHECK(at_one->wr_id == 11);
  CHECK(at_one->qp_num == c.b.target);
  CHECK(two.memory.holds(0, 1300, 3, 0));
  CHECK(one.memory.holds(0, 700, 3, 1300));
  CHECK(one.memory.holds(8192, 600, 3, 0));
  expect_nothing(c.b);
}

TEST_CASE("xrc: a request reaches the memory of its queue's protection domain alone", "[rxe][xrc][memory]") {
  Pair pair;
  Connection c(pair, xrc());
  REQUIRE(c.valid);
  Queue one(pair.b, c.b.xrcd), two(pair.b, c.b.xrcd);
  REQUIRE(post_to(c.a, two.number, Work::write(1, one.memory.remote(0)).with(c.a.sge(0, 64))));
  settle(pair);
  expect_sent(c.a, 1, WcStatus::kRemAccessErr);
  CHECK(pair.b.count_events(EventType::kQpAccessErr, &c.b) == 1);
}

TEST_CASE("xrc: a READ is answered from its own queue's memory, whatever comes after it", "[rxe][xrc][memory]") {
  Pair pair;
  Connection c(pair, xrc());
  REQUIRE(c.valid);
  Queue one(pair.b, c.b.xrcd), two(pair.b, c.b.xrcd);
  one.memory.fill(7);
  pair.b.refuse_next = 2;  // the responses wait while the next request, for the other queue, is executed
  REQUIRE(post_to(c.a, one.number, Work::read(1, one.memory.remote(0)).with(c.a.sge(0, 2000))));
  REQUIRE(post_to(c.a, two.number, Work::write(2, two.memory.remote(0)).with(c.a.sge(8192, 100))));
  // A change of the table of regions makes the responder look the memory up again.
  pair.b_to_a.faults.delay = base::Duration::us(50);
  const auto other = pair.b.device.reg_mr({.pd = pair.b.pd, .host = nullptr, .length = 64, .iova = 0, .access = 0});
  REQUIRE(other.has_value());
  REQUIRE(pair.b.device.dereg_mr(other->id));
  settle(pair);
  expect_sent(c.a, 1);
  expect_sent(c.a, 2);
  CHECK(c.a.memory.holds(0, 2000, 7, 0));
}

TEST_CASE("xrc: a queue that does not exist, is a plain one or of another domain is an invalid request", "[rxe][xrc]") {
  const int which = GENERATE(0, 1, 2);
  Pair pair;
  Connection c(pair, xrc()), other(pair, xrc());
  REQUIRE((c.valid && other.valid));
  rxe::SrqAttr attr{.max_wr = 4, .max_sge = 1, .limit = 0};
  const auto plain = pair.b.device.create_srq(pair.b.pd, attr, nullptr);
  REQUIRE(plain.has_value());
  CHECK(code_of(pair.b.device.srq_number(*plain)) == EOPNOTSUPP);
  const std::uint32_t numbers[] = {0xffffff, pair.b.device.options().qpn_first + static_cast<std::uint32_t>(*plain),
                                   other.a.peer_srq_number};
  REQUIRE(post_to(c.a, numbers[which], Work::send(1).with(c.a.sge(0, 64))));
  settle(pair);
  expect_sent(c.a, 1, WcStatus::kRemInvReqErr);
  CHECK(pair.b.count_events(EventType::kQpReqErr, &c.b) == 1);
  CHECK(pair.b.device.query_qp(c.b.target)->state == QpState::kErr);
}

TEST_CASE("xrc: a message that changes its queue on the way is an invalid request", "[rxe][xrc][hostile]") {
  Pair pair;
  Connection c(pair, xrc());
  REQUIRE(c.valid);
  Queue other(pair.b, c.b.xrcd);
  REQUIRE(c.b.recv(5, 0, 4096));
  other.post(6, 0, 4096);
  pair.a.out = [&, inner = pair.a.out](const wire::Packet& packet) {
    wire::Packet changed = packet;
    if (packet.bth.opcode == Opcode::kXrcSendMiddle) changed.xrc_eth.srq_number = other.number;
    inner(changed);
  };
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 2000))));
  settle(pair);
  expect_sent(c.a, 1, WcStatus::kRemInvReqErr);
  // The receive that the message had begun to fill is completed where it was posted, though another was named.
  expect_received(c.b, 5, WcStatus::kLocQpOpErr);
  CHECK_FALSE(other.poll().has_value());
}

TEST_CASE("xrc: a queue destroyed in mid-message takes its receive with it, and the message is refused", "[rxe][xrc]") {
  Pair pair;
  Connection c(pair, xrc());
  REQUIRE(c.valid);
  {
    Queue gone(pair.b, c.b.xrcd);
    gone.post(6, 0, 4096);
    pair.a_to_b.drop_if([](const wire::Packet& p) { return p.bth.psn.value() >= 1001; }, 3);
    REQUIRE(post_to(c.a, gone.number, Work::send(1).with(c.a.sge(0, 2000))));
    pair.advance(base::Duration::us(100));
    CHECK(code_of(pair.b.device.destroy_cq(gone.cq)) == EBUSY);
    REQUIRE(pair.b.device.destroy_srq(gone.srq));
    REQUIRE(pair.b.device.destroy_cq(gone.cq));
  }
  settle(pair);
  expect_sent(c.a, 1, WcStatus::kRemInvReqErr);
}

TEST_CASE("xrc: an empty queue means RNR, and a receive posted meanwhile serves", "[rxe][xrc][rnr]") {
  Pair pair;
  Connection c(pair, xrc());
  REQUIRE(c.valid);
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 8))));
  pair.advance(base::Duration::us(50));
  expect_nothing(c.a);
  REQUIRE(c.b.recv(7, 0, 64));
  settle(pair);
  expect_sent(c.a, 1);
  expect_received(c.b, 7);
}

TEST_CASE("xrc: losses are repaired, and what is repeated is executed once", "[rxe][xrc][loss]") {
  Pair pair;
  QpOptions options = xrc();
  options.retry_cnt = 7;
  Connection c(pair, options);
  REQUIRE(c.valid);
  pair.a_to_b.faults.loss = pair.b_to_a.faults.loss = 100;
  pair.a_to_b.faults.duplicate = pair.b_to_a.faults.duplicate = 100;
  c.a.memory.fill(1);
  std::uint64_t* const word = reinterpret_cast<std::uint64_t*>(c.b.memory.data());
  *word = 0;
  for (std::uint64_t id = 0; id < 20; ++id) {
    REQUIRE(c.b.recv(id, 1024 + id * 2048, 2048));
    REQUIRE(c.a.post(Work::send(2 * id).with(c.a.sge(id, 1700))));
    REQUIRE(c.a.post(Work::fetch_add(2 * id + 1, c.b.remote(0), 1).with(c.a.sge(40'000, 8))));
  }
  settle(pair);
  for (std::uint64_t id = 0; id < 40; ++id) expect_sent(c.a, id);
  for (std::uint64_t id = 0; id < 20; ++id) {
    expect_received(c.b, id);
    CHECK(c.b.memory.holds(1024 + id * 2048, 1700, 1, id));
  }
  CHECK(*word == 20);
}

TEST_CASE("xrc: initiators receive nothing, targets send nothing", "[rxe][xrc]") {
  Pair pair;
  Connection c(pair, xrc());
  REQUIRE(c.valid);
  rxe::Device& device = pair.b.device;
  const rxe::Sge sge = c.b.sge(0, 8);
  CHECK(code_of(device.post_recv(pair.now(), c.b.qpn, {.wr_id = 1, .sges = std::span(&sge, 1)})) == EINVAL);
  CHECK(code_of(device.post_recv(pair.now(), c.b.target, {.wr_id = 1, .sges = std::span(&sge, 1)})) == EINVAL);
  CHECK(code_of(device.post_send(pair.now(), c.b.target, Work::send(1).with(sge).request())) == EINVAL);
  // A request that comes to an initiator is not for it.
  wire::Packet stray = pair.sent.empty() ? wire::Packet{} : pair.sent.front().packet.header();
  REQUIRE(c.b.recv(1, 0, 64));
  REQUIRE(c.a.post(Work::send(1).with(c.a.sge(0, 8))));
  pair.a.out = [&, inner = pair.a.out](const wire::Packet& packet) {
    stray = packet;
    inner(packet);
  };
  settle(pair);
  stray.bth.destination_qpn = c.b.qpn;
  const std::uint64_t before = device.counters().drop_wrong_transport;
  pair.inject(pair.b, stray);
  CHECK(device.counters().drop_wrong_transport == before + 1);
}

TEST_CASE("xrc: what a domain holds keeps it, and a wrong part is refused at creation", "[rxe][xrc]") {
  Pair pair;
  rxe::Device& device = pair.a.device;
  Endpoint e(pair.a, xrc());
  REQUIRE(e.valid());
  CHECK(code_of(device.dealloc_xrcd(e.xrcd)) == EBUSY);
  rxe::SrqAttr attr{.max_wr = 4, .max_sge = 1, .limit = 0};
  CHECK(code_of(device.create_xrc_srq(pair.a.pd, rxe::XrcdId{99}, e.recv_cq, attr, nullptr)) == EINVAL);
  CHECK(code_of(device.create_xrc_srq(pair.a.pd, e.xrcd, rxe::CqId{99}, attr, nullptr)) == EINVAL);
  CHECK(code_of(device.create_xrc_srq(rxe::PdId{99}, e.xrcd, e.recv_cq, attr, nullptr)) == EINVAL);
  rxe::QpInit init;
  init.type = QpType::kXrcRecv;
  init.xrcd = rxe::XrcdId{99};
  CHECK(code_of(device.create_qp(init)) == EINVAL);
  init = {};
  init.type = QpType::kRc;
  init.pd = pair.a.pd;
  init.send_cq = init.recv_cq = e.send_cq;
  init.has_srq = true;
  init.srq = e.srq;
  CHECK(code_of(device.create_qp(init)) == EINVAL);
  CHECK(e.destroy());
}

TEST_CASE("xrc: whoever has a target open hears of its events, and the last one closes it", "[rxe][xrc][event]") {
  Pair pair;
  Connection c(pair, xrc());
  REQUIRE(c.valid);
  rxe::Device& device = pair.b.device;
  int second = 0, third = 0;
  REQUIRE(device.open_qp(c.b.target, c.b.xrcd, &second).has_value());
  REQUIRE(device.open_qp(c.b.target, c.b.xrcd, &third).has_value());
  CHECK(code_of(device.open_qp(c.b.target, rxe::XrcdId{77}, &second)) == EINVAL);
  CHECK(code_of(device.open_qp(c.b.qpn, c.b.xrcd, &second)) == EINVAL);
  CHECK(code_of(device.close_qp(c.b.target, &pair)) == EINVAL);
  REQUIRE(post_to(c.a, 0xabcdef, Work::send(1).with(c.a.sge(0, 8))));
  settle(pair);
  CHECK(pair.b.count_events(EventType::kQpReqErr, &c.b) == 1);
  CHECK(pair.b.count_events(EventType::kQpReqErr, &second) == 1);
  CHECK(pair.b.count_events(EventType::kQpReqErr, &third) == 1);
  REQUIRE(device.close_qp(c.b.target, &c.b));
  REQUIRE(device.close_qp(c.b.target, &second));
  CHECK(device.query_qp(c.b.target).has_value());
  REQUIRE(device.close_qp(c.b.target, &third));
  CHECK_FALSE(device.query_qp(c.b.target).has_value());
}

}  // namespace rocelab::test
