// Multicast datagrams: who hears them, who does not.
#include <cerrno>

#include "tests/rxe/harness/datagram.h"
#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::QpType;

namespace {

wire::Gid group() { return *wire::parse_gid("239.1.2.3"); }

struct Fixture {
  Pair pair;
  DatagramPair d;
  rxe::AhId to_group{};
  Fixture() : d(pair) {
    REQUIRE(d.valid);
    d.a.memory.fill(1);
    rxe::AddressVector av = route_to(2, kGidV2Ipv4);
    av.dgid = group();
    const auto ah = pair.a.device.create_ah(pair.a.pd, av);
    REQUIRE(ah.has_value());
    to_group = *ah;
  }
  Work send(std::uint64_t id) { return Work::send(id).to(to_group, rxe::kMulticastQpn, d.a.options.qkey); }
};

}  // namespace

TEST_CASE("multicast: every attached QP of the peer gets its own copy", "[rxe][multicast]") {
  Fixture f;
  Endpoint second(f.pair.b, f.d.b.options), third(f.pair.b, f.d.b.options);
  for (Endpoint* e : {&second, &third}) REQUIRE((e->to_init() && e->to_rtr(1, 0, 0) && e->to_rts()));
  for (Endpoint* e : {&f.d.b, &second, &third}) {
    e->memory.clear();
    REQUIRE(e->recv(100, 0, 256));
  }
  REQUIRE(f.pair.b.device.attach_mcast(f.d.b.qpn, group()));
  REQUIRE(f.pair.b.device.attach_mcast(second.qpn, group()));
  REQUIRE(f.d.a.post(f.send(1).with(f.d.a.sge(0, 64))));
  settle(f.pair);
  expect_sent(f.d.a, 1);
  for (Endpoint* e : {&f.d.b, &second}) {
    const auto received = expect_received(*e, 100);
    CHECK(received.byte_len == kGrh + 64);
    CHECK(received.src_qp == f.d.a.qpn);
    CHECK(e->memory.holds(kGrh, 64, 1, 0));
    expect_nothing(*e);
  }
  expect_nothing(third);
  CHECK(f.pair.sent.size() == 1);
  CHECK(f.pair.sent[0].packet.header().path.destination_mac == wire::MacAddress{0x01, 0x00, 0x5e, 1, 2, 3});
}

TEST_CASE("multicast: a group without listeners is dropped and counted", "[rxe][multicast]") {
  Fixture f;
  REQUIRE(f.d.b.recv(100, 0, 256));
  REQUIRE(f.d.a.post(f.send(1).with(f.d.a.sge(0, 64))));
  settle(f.pair);
  expect_sent(f.d.a, 1);
  expect_nothing(f.d.b);
  CHECK(f.pair.b.device.counters().drop_not_attached == 1);
}

TEST_CASE("multicast: the sender's own device hears it too, the sending QP does not", "[rxe][multicast]") {
  Fixture f;
  Endpoint neighbour(f.pair.a, f.d.a.options);
  REQUIRE((neighbour.to_init() && neighbour.to_rtr(2, 0, 0) && neighbour.to_rts()));
  REQUIRE(f.pair.a.device.attach_mcast(neighbour.qpn, group()));
  REQUIRE(f.pair.a.device.attach_mcast(f.d.a.qpn, group()));
  REQUIRE(neighbour.recv(100, 0, 256));
  REQUIRE(f.d.a.recv(101, 0, 256));
  REQUIRE(f.d.a.post(f.send(1).with(f.d.a.sge(0, 64))));
  settle(f.pair);
  expect_sent(f.d.a, 1);
  expect_received(neighbour, 100);
  expect_nothing(neighbour);
  expect_nothing(f.d.a);
  CHECK(neighbour.memory.holds(kGrh, 64, 1, 0));
}

TEST_CASE("multicast: after detaching a QP hears nothing more", "[rxe][multicast]") {
  Fixture f;
  REQUIRE(f.d.b.recv(100, 0, 256));
  REQUIRE(f.pair.b.device.attach_mcast(f.d.b.qpn, group()));
  REQUIRE(f.pair.b.device.detach_mcast(f.d.b.qpn, group()));
  REQUIRE(f.d.a.post(f.send(1).with(f.d.a.sge(0, 64))));
  settle(f.pair);
  expect_nothing(f.d.b);
}

TEST_CASE("multicast: a wrong Q_Key and a missing receive drop the copy of that QP alone", "[rxe][multicast]") {
  Fixture f;
  QpOptions other = f.d.b.options;
  other.qkey = 0x2222;
  Endpoint wrong_key(f.pair.b, other), no_receive(f.pair.b, f.d.b.options);
  for (Endpoint* e : {&wrong_key, &no_receive}) {
    REQUIRE((e->to_init() && e->to_rtr(1, 0, 0) && e->to_rts()));
    REQUIRE(f.pair.b.device.attach_mcast(e->qpn, group()));
  }
  REQUIRE(wrong_key.recv(100, 0, 256));
  REQUIRE(f.d.b.recv(101, 0, 256));
  REQUIRE(f.pair.b.device.attach_mcast(f.d.b.qpn, group()));
  REQUIRE(f.d.a.post(f.send(1).with(f.d.a.sge(0, 64))));
  settle(f.pair);
  expect_received(f.d.b, 101);
  expect_nothing(wrong_key);
  CHECK(f.pair.b.device.counters().drop_bad_qkey == 1);
  CHECK(f.pair.b.device.counters().drop_no_receive == 1);
}

TEST_CASE("multicast: connected QPs cannot join, and an attached QP cannot be destroyed", "[rxe][multicast]") {
  Fixture f;
  Connection c(f.pair);
  REQUIRE(c.valid);
  CHECK(code_of(f.pair.a.device.attach_mcast(c.a.qpn, group())) == EINVAL);
  CHECK(code_of(f.pair.a.device.attach_mcast(f.d.a.qpn, gid_of(2, kGidV2Ipv4))) == EINVAL);
  CHECK(code_of(f.pair.a.device.attach_mcast(0x99'9999, group())) == EINVAL);
  CHECK(code_of(f.pair.a.device.detach_mcast(f.d.a.qpn, group())) == EINVAL);
  REQUIRE(f.pair.a.device.attach_mcast(f.d.a.qpn, group()));
  CHECK(code_of(f.pair.a.device.destroy_qp(f.d.a.qpn)) == EBUSY);
  REQUIRE(f.pair.a.device.detach_mcast(f.d.a.qpn, group()));
  CHECK(f.pair.a.device.destroy_qp(f.d.a.qpn).has_value());
}

}  // namespace rocelab::test
