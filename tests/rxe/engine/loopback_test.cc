// One engine whose QPs talk to each other, or to themselves: what a process does with itself over the loopback port.
#include <deque>

#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

using rxe::QpState;
using rxe::QpType;

namespace {

/// A Solo whose packets come back to it.
struct Loop {
  Solo solo;
  std::deque<OwnedPacket> flying;

  Loop() {
    solo.side.out = [this](const wire::Packet& packet) { flying.emplace_back(packet); };
  }
  bool connect(Endpoint& from, const Endpoint& to) {
    rxe::QpAttr rtr = from.rtr_attr(1, to.qpn, to.options.psn);
    return from.valid() && from.to_init() && from.modify(rtr, from.rtr_mask()) && from.to_rts();
  }
  void settle() {
    for (int i = 0; i < 100'000; ++i) {
      const std::size_t taken = solo.side.transmit(16);
      if (taken == 0 && flying.empty()) break;
      while (!flying.empty()) {
        const OwnedPacket packet = std::move(flying.front());
        flying.pop_front();
        solo.deliver(packet.view());
      }
    }
    CHECK(flying.empty());
    CHECK_FALSE(solo.side.device.next_timeout().has_value());
  }
};

}  // namespace

TEST_CASE("loopback: two QPs of one device exchange all kinds of messages", "[rxe][loopback]") {
  for (const std::uint8_t index : Numbers{0, 1, 2, 3}) {
    Loop loop;
    QpOptions options;
    options.sgid_index = index;
    QpOptions other = options;
    other.psn = 77;
    Endpoint a(loop.solo.side, options), b(loop.solo.side, other);
    REQUIRE((loop.connect(a, b) && loop.connect(b, a)));
    a.memory.fill(1);
    b.memory.clear();
    REQUIRE(b.recv(100, 0, 5000));
    REQUIRE(a.post(Work::send(1).with(a.sge(0, 5000))));
    REQUIRE(a.post(Work::write(2, b.remote(8000)).with(a.sge(0, 5000))));
    REQUIRE(a.post(Work::read(3, b.remote(8000)).with(a.sge(20'000, 5000)).fenced()));
    REQUIRE(a.post(Work::fetch_add(4, b.remote(20'000), 5).with(a.sge(40'000, 8))));
    loop.settle();
    for (const std::uint64_t id : {1u, 2u, 3u, 4u}) expect_sent(a, id);
    expect_received(b, 100);
    CHECK(b.memory.holds(0, 5000, 1, 0));
    CHECK(b.memory.holds(8000, 5000, 1, 0));
    CHECK(a.memory.holds(20'000, 5000, 1, 0));
    CHECK(b.memory.word(20'000) == 5);
  }
}

TEST_CASE("loopback: a QP may be connected to itself", "[rxe][loopback]") {
  Loop loop;
  Endpoint self(loop.solo.side, {});
  REQUIRE(loop.connect(self, self));
  self.memory.fill(1);
  for (std::uint64_t id = 0; id < 10; ++id) {
    REQUIRE(self.recv(100 + id, 30'000 + 3000 * id, 3000));
    REQUIRE(self.post(Work::send(id).with(self.sge(3000 * id, 3000))));
    REQUIRE(self.post(Work::read(50 + id, self.remote(0)).with(self.sge(62'000, 1500))));
  }
  loop.settle();
  for (std::uint64_t id = 0; id < 10; ++id) {
    expect_sent(self, id);
    expect_sent(self, 50 + id);
    expect_received(self, 100 + id);
  }
  CHECK(self.memory.holds(30'000, 30'000, 1, 0));
  CHECK(self.memory.holds(62'000, 1500, 1, 0));
}

TEST_CASE("loopback: an error of one end does not confuse the other, both being of one device", "[rxe][loopback]") {
  Loop loop;
  Endpoint a(loop.solo.side, {}), b(loop.solo.side, {});
  REQUIRE((loop.connect(a, b) && loop.connect(b, a)));
  REQUIRE(a.post(Work::write(1, {0, 1}).with(a.sge(0, 64))));
  REQUIRE(b.recv(100, 0, 64));
  loop.settle();
  expect_sent(a, 1, rxe::WcStatus::kRemAccessErr);
  expect_received(b, 100, rxe::WcStatus::kWrFlushErr);
  CHECK(a.state() == QpState::kErr);
  CHECK(b.state() == QpState::kErr);
}

TEST_CASE("loopback: a datagram may come back to its own QP", "[rxe][loopback][ud]") {
  Loop loop;
  QpOptions options;
  options.type = QpType::kUd;
  Endpoint self(loop.solo.side, options);
  REQUIRE((self.valid() && self.to_init() && self.to_rtr(1, 0, 0) && self.to_rts()));
  const auto ah = loop.solo.side.device.create_ah(loop.solo.side.pd, route_to(1, kGidV2Ipv4));
  REQUIRE(ah.has_value());
  self.memory.fill(1);
  REQUIRE(self.recv(100, 8192, 256));
  REQUIRE(self.post(Work::send(1).to(*ah, self.qpn, options.qkey).with(self.sge(0, 200))));
  loop.settle();
  expect_sent(self, 1);
  CHECK(expect_received(self, 100).src_qp == self.qpn);
  CHECK(self.memory.holds(8192 + 40, 200, 1, 0));
}

}  // namespace rocelab::test
