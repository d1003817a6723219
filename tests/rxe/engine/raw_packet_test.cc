// Raw packet QPs and the rules that steer frames to them.
#include <array>
#include <cerrno>
#include <cstring>

#include "net/frame_codec.h"
#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::FlowKey;
using rxe::FlowRule;
using rxe::FlowType;
using rxe::QpState;
using rxe::QpType;
using rxe::WcStatus;

namespace {

using Frame = std::vector<std::byte>;

/// Ethernet, IPv4 and UDP headers with these values, and `payload` bytes behind them.
Frame udp_frame(unsigned mac, unsigned address, unsigned port, std::size_t payload = 20) {
  Frame frame(14 + 20 + 8 + payload, std::byte{0x55});
  const auto set = [&](std::size_t at, std::initializer_list<unsigned> bytes) {
    for (const unsigned byte : bytes) frame[at++] = static_cast<std::byte>(byte);
  };
  set(0, {0x02, 0, 0, 0, 0, mac, 0x02, 0, 0, 0, 0, 0x77, 0x08, 0x00});
  set(14, {0x45, 0x10, 0, static_cast<unsigned>(frame.size() - 14), 0, 0, 0x40, 0, 64, 17, 0, 0});
  set(26, {10, 0, 0, 1, 10, 0, 0, address});
  set(34, {0x12, 0x34, port >> 8, port & 0xff, 0, static_cast<unsigned>(8 + payload), 0, 0});
  return frame;
}

FlowRule rule_for(rxe::Qpn qpn, std::uint32_t priority = 0) {
  FlowRule rule;
  rule.qpn = qpn;
  rule.priority = priority;
  return rule;
}

FlowRule& with(FlowRule& rule, std::size_t at, std::initializer_list<unsigned> bytes) {
  for (const unsigned byte : bytes) {
    rule.value.bytes[at] = static_cast<std::byte>(byte);
    rule.mask.bytes[at++] = std::byte{0xff};
  }
  return rule;
}

PairOptions raw_pair() {
  PairOptions options;
  options.a.raw_packets = options.b.raw_packets = true;
  return options;
}

/// A raw packet QP in RTS with `receives` receives of 2 KiB, at multiples of that in its memory.
struct RawEnd {
  Endpoint end;
  explicit RawEnd(Side& side, std::uint64_t receives = 4) : end(side, options()) {
    REQUIRE(end.valid());
    rxe::QpAttr attr;
    attr.state = QpState::kInit;
    REQUIRE(end.modify(attr, rxe::qp_attr::kState | rxe::qp_attr::kPort));
    REQUIRE(end.to_state(QpState::kRtr));
    REQUIRE(end.to_state(QpState::kRts));
    for (std::uint64_t i = 0; i < receives; ++i) REQUIRE(end.recv(i, i * 2048, 2048));
  }
  static QpOptions options() {
    QpOptions made;
    made.type = QpType::kRawPacket;
    return made;
  }
};

bool arrives(Pair& pair, const Frame& frame, bool roce = false) {
  return pair.b.device.handle_frame(pair.now(), frame, roce);
}

}  // namespace

TEST_CASE("raw packet: what is posted leaves as it is, and a frame that is none is refused", "[rxe][raw]") {
  Pair pair(raw_pair());
  RawEnd a(pair.a);
  std::vector<Frame> left;
  pair.a.out = [&](const wire::Packet& packet) {
    CHECK(packet.raw_frame);
    Frame frame(net::encoded_size(packet));
    CHECK(net::encode_frame(packet, frame) == frame.size());
    left.push_back(frame);
  };
  const Frame frame = udp_frame(1, 2, 80);
  std::memcpy(a.end.memory.data(), frame.data(), frame.size());
  REQUIRE(a.end.post(Work::send(1).with(a.end.sge(0, 30)).with(a.end.sge(30, frame.size() - 30))));
  REQUIRE(a.end.post(Work::send(2).inlined(frame.data(), frame.size())));
  settle(pair);
  expect_sent(a.end, 1);
  expect_sent(a.end, 2);
  REQUIRE(left.size() == 2);
  CHECK(left[0] == frame);
  CHECK(left[1] == frame);
  CHECK(code_of(a.end.post(Work::write(3, a.end.remote(0)).with(a.end.sge(0, 64)))) == EINVAL);
  REQUIRE(a.end.post(Work::send(4).with(a.end.sge(0, 13))));
  settle(pair);
  expect_sent(a.end, 4, WcStatus::kLocLenErr);
  CHECK(left.size() == 2);
}

TEST_CASE("raw packet: frames come by rules on every layer, whole", "[rxe][raw][flow]") {
  struct Case {
    std::size_t at;
    std::initializer_list<unsigned> right, wrong;
  };
  const Case cases[] = {{FlowKey::kDestinationMac, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 9}},
                        {FlowKey::kEtherType, {8, 0}, {0x86, 0xdd}},
                        {FlowKey::kSourceIp, {10, 0, 0, 1}, {10, 0, 0, 2}},
                        {FlowKey::kDestinationIp, {10, 0, 0, 2}, {10, 0, 0, 3}},
                        {FlowKey::kTos, {0x10}, {0}},
                        {FlowKey::kProtocol, {17}, {6}},
                        {FlowKey::kDestinationPort, {0, 80}, {0, 81}},
                        {FlowKey::kSourcePort, {0x12, 0x34}, {0x12, 0x35}}};
  Pair pair(raw_pair());
  RawEnd b(pair.b, 16);
  const Frame frame = udp_frame(1, 2, 80);
  std::uint64_t next = 0;
  for (const Case& each : cases) {
    FlowRule wrong = rule_for(b.end.qpn), right = wrong;
    const auto refused = pair.b.device.create_flow(with(wrong, each.at, each.wrong));
    REQUIRE(refused.has_value());
    CHECK_FALSE(arrives(pair, frame));
    const auto taken = pair.b.device.create_flow(with(right, each.at, each.right));
    REQUIRE(taken.has_value());
    CHECK(arrives(pair, frame));
    const rxe::Completion completion = expect_received(b.end, next);
    CHECK(completion.byte_len == frame.size());
    CHECK(std::memcmp(b.end.memory.data() + next * 2048, frame.data(), frame.size()) == 0);
    ++next;
    REQUIRE(pair.b.device.destroy_flow(*refused));
    REQUIRE(pair.b.device.destroy_flow(*taken));
  }
  CHECK_FALSE(arrives(pair, frame));
  expect_nothing(b.end);
  CHECK(b.end.memory.guards_intact());
}

TEST_CASE("raw packet: VLAN tags and IPv6 are looked through, fragments and short frames have no ports",
          "[rxe][raw][flow]") {
  Frame tagged = udp_frame(1, 2, 80);
  const std::byte tag[] = {std::byte{0x81}, std::byte{0}, std::byte{0x60}, std::byte{7}};
  tagged.insert(tagged.begin() + 12, std::begin(tag), std::end(tag));
  FlowKey key = FlowKey::of(tagged);
  CHECK(key.bytes[FlowKey::kVlanTag + 1] == std::byte{7});
  CHECK(key.bytes[FlowKey::kDestinationPort + 1] == std::byte{80});
  CHECK(key.bytes[FlowKey::kLayers] == (FlowKey::kVlan | FlowKey::kIpv4 | FlowKey::kUdp));
  Frame fragment = udp_frame(1, 2, 80);
  fragment[21] = std::byte{1};
  CHECK(FlowKey::of(fragment).bytes[FlowKey::kLayers] == FlowKey::kIpv4);
  Frame six(14 + 40 + 20, std::byte{0});
  six[12] = std::byte{0x86}, six[13] = std::byte{0xdd}, six[14] = std::byte{0x61}, six[15] = std::byte{0x2a};
  six[20] = std::byte{6}, six[54] = std::byte{1}, six[57] = std::byte{2};
  key = FlowKey::of(six);
  CHECK(key.bytes[FlowKey::kLayers] == (FlowKey::kIpv6 | FlowKey::kTcp));
  CHECK(key.bytes[FlowKey::kTos] == std::byte{0x12});
  CHECK(key.bytes[FlowKey::kFlowLabel + 1] == std::byte{0x0a});
  CHECK(key.bytes[FlowKey::kSourcePort] == std::byte{1});
  const Frame whole = udp_frame(1, 2, 80);
  for (std::size_t length = 14; length < whole.size(); ++length) {  // exactly as long as it is allocated
    const Frame part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    static_cast<void>(FlowKey::of(part));
  }
}

TEST_CASE("raw packet: the best priority takes a frame, defaults what is left, sniffers a copy of all",
          "[rxe][raw][flow]") {
  Pair pair(raw_pair());
  RawEnd first(pair.b), second(pair.b), fallback(pair.b), sniffer(pair.b);
  const auto add = [&](FlowRule rule) {
    const auto made = pair.b.device.create_flow(rule);
    REQUIRE(made.has_value());
    return *made;
  };
  FlowRule low = rule_for(second.end.qpn, 5), high = rule_for(first.end.qpn, 1);
  high.tag = 42;
  with(low, FlowKey::kEtherType, {8, 0});
  with(high, FlowKey::kDestinationPort, {0, 80});
  add(low);
  const rxe::FlowId high_id = add(high);
  FlowRule rest = rule_for(fallback.end.qpn);
  rest.type = FlowType::kAllDefault;
  add(rest);
  CHECK_FALSE(pair.b.device.sniffs());
  rest = rule_for(sniffer.end.qpn);
  rest.type = FlowType::kSniffer;
  add(rest);
  CHECK(pair.b.device.sniffs());

  CHECK(arrives(pair, udp_frame(1, 2, 80)));
  CHECK(expect_received(first.end, 0).immediate == 42);
  expect_nothing(second.end);
  CHECK(arrives(pair, udp_frame(1, 2, 81)));
  expect_received(second.end, 0);
  Frame other = udp_frame(1, 2, 80);
  other[12] = std::byte{0x12};
  CHECK(arrives(pair, other));
  expect_received(fallback.end, 0);
  CHECK_FALSE(arrives(pair, udp_frame(1, 2, 80), true));  // a packet of the engine's
  for (std::uint64_t id = 0; id < 4; ++id) expect_received(sniffer.end, id);
  expect_nothing(first.end);

  // A rule that lets pass, and one that drops.
  REQUIRE(pair.b.device.destroy_flow(high_id));
  high.lets_pass = true;
  const rxe::FlowId passing = add(high);
  CHECK(arrives(pair, udp_frame(1, 2, 80)));
  expect_received(first.end, 1);
  expect_received(second.end, 1);
  REQUIRE(pair.b.device.destroy_flow(passing));
  high.lets_pass = false;
  high.drops = true;
  add(high);
  CHECK(arrives(pair, udp_frame(1, 2, 80)));
  expect_nothing(first.end);
  expect_nothing(second.end);
}

TEST_CASE("raw packet: without a receive, or with one that is too short, a frame is dropped and counted",
          "[rxe][raw]") {
  Pair pair(raw_pair());
  RawEnd b(pair.b, 0);
  FlowRule all = rule_for(b.end.qpn);
  REQUIRE(pair.b.device.create_flow(all).has_value());
  CHECK(arrives(pair, udp_frame(1, 2, 80)));
  CHECK(pair.b.device.counters().drop_no_receive == 1);
  REQUIRE(b.end.recv(7, 0, 40));
  CHECK(arrives(pair, udp_frame(1, 2, 80)));
  CHECK(pair.b.device.counters().drop_too_long == 1);
  CHECK_FALSE(arrives(pair, Frame(13)));
  CHECK(arrives(pair, Frame(14)));
  expect_received(b.end, 7);
}

TEST_CASE("raw packet: rules are for raw packet QPs, which they hold; without a wire there are none", "[rxe][raw]") {
  Pair pair(raw_pair());
  RawEnd b(pair.b);
  Endpoint ud(pair.b, QpOptions{});
  CHECK(code_of(pair.b.device.create_flow(rule_for(ud.qpn))) == EINVAL);
  CHECK(code_of(pair.b.device.create_flow(rule_for(0xffff))) == EINVAL);
  const auto rule = pair.b.device.create_flow(rule_for(b.end.qpn));
  REQUIRE(rule.has_value());
  CHECK(code_of(pair.b.device.destroy_qp(b.end.qpn)) == EBUSY);
  REQUIRE(pair.b.device.destroy_flow(*rule));
  CHECK(code_of(pair.b.device.destroy_flow(*rule)) == EINVAL);
  CHECK(b.end.destroy());
  Pair plain;
  rxe::QpInit init;
  init.type = QpType::kRawPacket;
  init.pd = plain.a.pd;
  init.send_cq = init.recv_cq = *plain.a.device.create_cq(4, nullptr);
  CHECK(code_of(plain.a.device.create_qp(init)) == EOPNOTSUPP);
}

}  // namespace rocelab::test
