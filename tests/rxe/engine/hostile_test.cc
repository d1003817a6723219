// What a hostile peer may send: whatever the packets contain, no byte outside what a key allows changes, nothing from
// elsewhere leaks, every request still completes once, and the engine comes to rest.
#include <algorithm>
#include <set>
#include <vector>

#include "base/rng.h"
#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

using rxe::QpState;
using rxe::QpType;
using wire::Opcode;

namespace {

/// A packet with random opcode, PSN near the window, lengths, keys and addresses.
Craft random_packet(Solo& solo, const Endpoint& to, base::Rng& rng, const Region& window) {
  static constexpr unsigned kKnown[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b,
                                        0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x17};
  const auto service = static_cast<unsigned>(to.options.type == QpType::kRc   ? 0
                                             : to.options.type == QpType::kUc ? 0x20
                                                                              : 0x60);
  unsigned opcode = static_cast<unsigned>(rng.below(256));
  if (rng.chance(9, 10)) opcode = service | kKnown[rng.below(std::size(kKnown))];
  std::uint32_t psn = kPeerPsn + static_cast<std::uint32_t>(rng.below(8)) - 2;
  if (rng.chance(1, 2)) psn = 1000 + static_cast<std::uint32_t>(rng.below(8)) - 2;
  if (rng.chance(1, 10)) psn = static_cast<std::uint32_t>(rng.next());
  Craft craft = solo.from_peer(to, static_cast<Opcode>(opcode), psn);
  static constexpr std::size_t kLengths[] = {0, 1, 8, 255, 256, 257, 1000, 4096, 9000};
  craft.payload(kLengths[rng.below(std::size(kLengths))], 77);
  Remote remote = window.remote(rng.below(window.size()));
  if (rng.chance(1, 3)) remote.addr += rng.next();
  if (rng.chance(1, 5)) remote.rkey = static_cast<std::uint32_t>(rng.next());
  if (rng.chance(1, 5)) remote.rkey = to.memory.mr().rkey;
  std::uint32_t length = static_cast<std::uint32_t>(craft.view().payload.length);
  if (rng.chance(1, 3)) length = static_cast<std::uint32_t>(rng.next());
  craft.reth(remote, length).atomic(remote, rng.next(), rng.next()).invalidate(remote.rkey);
  craft.aeth({static_cast<std::uint8_t>(rng.next()), static_cast<std::uint32_t>(rng.next()) & 0xff'ffff});
  if (rng.chance(1, 2)) craft.aeth(wire::Aeth::ack(1));
  craft.ack_request(rng.chance(1, 2)).imm(static_cast<std::uint32_t>(rng.next()));
  craft.header().bth.solicited = rng.chance(1, 2);
  craft.header().bth.fecn = rng.chance(1, 8);
  craft.header().path.traffic_class = static_cast<std::uint8_t>(rng.below(4));
  if (rng.chance(1, 20)) craft.qpn(static_cast<std::uint32_t>(rng.next()) & 0xff'ffff);
  if (rng.chance(1, 20)) craft.datagram(static_cast<std::uint32_t>(rng.next()), 5);
  return craft;
}

void bombard(QpType type, std::uint64_t seed) {
  base::Rng rng(seed, "hostile");
  Solo solo;
  QpOptions options;
  options.type = type;
  options.mtu = rxe::PathMtu::k256;
  options.buffer_bytes = 16 * 1024;
  SoloQp qp(solo, options);
  REQUIRE(qp.ready);
  // `secret` has no remote rights, `window` has all; receives and reads use the first half of the QP's own buffer.
  Region secret(solo.side.device, solo.side.pd, 4096, rxe::access::kLocalWrite);
  Region window(solo.side.device, solo.side.pd, 4096);
  secret.fill(11);
  qp.memory.fill(12);
  std::set<std::uint64_t> sent, received;
  std::uint64_t posted_sends = 0, posted_receives = 0;
  for (int i = 0; i < 300; ++i) {
    if (i % 10 == 0 && qp.recv(posted_receives, 0, 4096)) ++posted_receives;
    if (i % 25 == 0 && type == QpType::kRc && qp.post(Work::read(posted_sends, {1, 1}).with(qp.sge(4096, 700)))) {
      ++posted_sends;
    }
    if (i % 40 == 0 && type != QpType::kUd && qp.post(Work::send(posted_sends).with(qp.sge(8192, 700)))) {
      ++posted_sends;
    }
    solo.deliver(random_packet(solo, qp, rng, window));
    if (rng.chance(3, 4)) solo.speak();
    if (rng.chance(1, 50)) solo.advance(base::Duration::ms(100));
    solo.lines();
  }
  if (type != QpType::kUd || qp.state() != QpState::kErr) REQUIRE(qp.to_state(QpState::kErr));
  solo.advance(base::Duration::s(10));
  while (const auto completion = qp.poll(qp.send_cq)) REQUIRE(sent.insert(completion->wr_id).second);
  while (const auto completion = qp.poll(qp.recv_cq)) REQUIRE(received.insert(completion->wr_id).second);
  REQUIRE(sent.size() == posted_sends);
  REQUIRE(received.size() == posted_receives);
  CHECK(secret.holds(0, 4096, 11, 0));
  CHECK(secret.guards_intact());
  CHECK(window.guards_intact());
  CHECK(qp.memory.guards_intact());
  CHECK(qp.memory.holds(8192, 8192, 12, 8192));
  CHECK_FALSE(solo.side.device.next_timeout().has_value());
  CHECK_FALSE(solo.side.device.has_transmit());
  CHECK(solo.side.complaint.empty());
}

}  // namespace

TEST_CASE("hostile: 600 storms of random packets at RC, UC and UD QPs change nothing they may not", "[rxe][hostile]") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    bombard(QpType::kRc, seed);
    bombard(QpType::kUc, seed);
    bombard(QpType::kUd, seed);
  }
}

TEST_CASE("hostile: a READ never brings bytes of memory that its key does not name", "[rxe][hostile]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  Region secret(solo.side.device, solo.side.pd, 4096, rxe::access::kLocalWrite);
  Region window(solo.side.device, solo.side.pd, 4096);
  base::Rng rng(5, "read");
  std::uint32_t psn = kPeerPsn;
  for (int i = 0; i < 200; ++i) {
    Remote remote = rng.chance(1, 2) ? secret.remote(0) : window.remote(0);
    if (rng.chance(1, 2)) remote.rkey = window.mr().rkey;
    remote.addr += rng.below(8192);
    const auto length = static_cast<std::uint32_t>(rng.below(6000));
    solo.deliver(solo.from_peer(qp, Opcode::kRcRdmaReadRequest, psn).reth(remote, length));
    solo.speak();
    std::size_t bytes = 0;
    for (const OwnedPacket& packet : solo.sent) bytes += packet.payload().size();
    const bool allowed = remote.rkey == window.mr().rkey && remote.addr >= window.iova() &&
                         remote.addr + length <= window.iova() + window.size();
    CHECK(bytes == (allowed ? length : 0));
    solo.lines();
    if (qp.state() == QpState::kErr) {
      REQUIRE(qp.to_state(QpState::kReset));
      REQUIRE((qp.to_init() && qp.to_rtr(2, kPeerQpn, kPeerPsn) && qp.to_rts()));
      psn = kPeerPsn;
    } else {
      psn += std::max<std::uint32_t>(1, (length + 1023) / 1024);
    }
  }
}

TEST_CASE("hostile: an ACK that claims more than was sent completes nothing", "[rxe][hostile]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  for (std::uint64_t id = 0; id < 10; ++id) REQUIRE(qp.post(Work::write(id, {1, 1}).with(qp.sge(0, 3000))));
  solo.side.transmit(4);
  for (std::uint32_t psn = 1004; psn < 1040; ++psn) {
    solo.deliver(solo.from_peer(qp, Opcode::kRcAcknowledge, psn).aeth(wire::Aeth::ack(10)));
  }
  expect_nothing(qp);
  solo.deliver(solo.from_peer(qp, Opcode::kRcAcknowledge, 1002).aeth(wire::Aeth::ack(1)));
  expect_sent(qp, 0);
  expect_nothing(qp);
}

TEST_CASE("hostile: packets with elided payload and a length alone are as harmless", "[rxe][hostile]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  qp.memory.fill(3);
  Craft craft = solo.from_peer(qp, Opcode::kRcRdmaWriteOnly, kPeerPsn).reth(qp.remote(0), 64);
  wire::Packet packet = craft.view();
  packet.payload = {};
  packet.payload.length = 64;
  solo.deliver(packet);
  solo.speak();
  CHECK(qp.memory.guards_intact());
  CHECK(qp.memory.holds(64, 1000, 3, 64));
}

}  // namespace rocelab::test
