// UDP ports on loopback addresses: frames go over and come out as they were, in batches and one by one; hostile and
// unsendable ones do not; groups.
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "base/rng.h"
#include "tests/net/udp_lab.h"
#include "wire/udp.h"

namespace rocelab::net::udp {

namespace {

constexpr std::uint32_t kQpn = 0x010005;

void exchange(const wire::Gid& a, const wire::Gid& b, Batching batching) {
  UdpOptions left = options_of(a), right = options_of(b);
  left.batching = right.batching = batching;
  const auto one = make_port(left), two = make_port(right);
  std::uint32_t number = 0, expected = 0;
  // Runs of one length, lengths that change within a run, single packets; both directions.
  for (const std::size_t burst : {1u, 2u, 31u, 64u, 7u}) {
    for (const std::size_t bytes : {0u, 1u, 64u, 1024u, 4096u}) {
      for (std::size_t i = 0; i < burst; ++i) {
        const TestPacket packet(a, b, kQpn, number, i % 7 == 6 ? bytes / 2 : bytes);
        REQUIRE(send(*one, packet.packet));
        ++number;
        if (i % 16 == 15) one->tx_flush();
      }
      one->tx_flush();
      REQUIRE_FALSE(one->tx_waiting());
      while (expected != number) {
        const auto all = receive(*two);
        REQUIRE_FALSE(all.empty());
        for (const Received& received : all) {
          REQUIRE(received.packet.bth.psn == wire::Psn(expected));
          REQUIRE(received.checked);
          const TestPacket sent(a, b, kQpn, expected, received.payload.size());
          REQUIRE(received.payload == sent.payload);
          REQUIRE(received.packet.path.source_gid == a);
          REQUIRE(received.packet.path.destination_gid == b);
          ++expected;
        }
      }
    }
  }
  CHECK(one->counters().tx_frames == number);
  CHECK(one->counters().tx_dropped == 0);
  CHECK(two->counters().rx_frames == number);
  CHECK(two->counters().rx_dropped == 0);
  const TestPacket back(b, a, kQpn, 1);
  REQUIRE(send(*two, back.packet));
  two->tx_flush();
  CHECK(receive(*one).size() == 1);
}

bool has_ipv6() {
  UdpOptions options = options_of(wire::parse_gid("::1").value());
  return UdpPort::create(options).has_value();
}

/// A socket that sends what it likes to a port.
void throw_at(const wire::Gid& to, const std::vector<std::byte>& bytes) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(wire::kRoceV2Port);
  address.sin_addr.s_addr = htonl(to.ipv4());
  sendto(fd, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  close(fd);
}

}  // namespace

TEST_CASE("udp: frames cross in order with their bytes, in runs that the kernel cuts", "[net][udp]") {
  exchange(loopback_gid(1), loopback_gid(2), Batching::kSegments);
}

TEST_CASE("udp: frames cross in order with their bytes, one datagram each", "[net][udp]") {
  exchange(loopback_gid(1), loopback_gid(2), Batching::kDatagrams);
}

TEST_CASE("udp: IPv6 frames cross too", "[net][udp]") {
  if (!has_ipv6()) {
    WARN("no IPv6 here");
    return;
  }
  // One address is all that a machine has: a port talks to itself.
  const wire::Gid self = wire::parse_gid("::1").value();
  const auto port = make_port(options_of(self));
  for (std::uint32_t number = 0; number < 40; ++number) {
    TestPacket packet(self, self, kQpn, number, 600);
    packet.packet.path.traffic_class = 0x2a;
    packet.packet.path.flow_label = 0x12345;
    REQUIRE(send(*port, packet.packet));
  }
  port->tx_flush();
  std::uint32_t expected = 0;
  for (const Received& received : receive(*port)) {
    CHECK(received.packet.bth.psn == wire::Psn(expected++));
    CHECK(received.checked);
    CHECK(received.packet.path.traffic_class == 0x2a);
  }
  CHECK(expected == 40);
}

TEST_CASE("udp: traffic class and hop limit arrive as they were sent", "[net][udp]") {
  const auto one = make_port(options_of(loopback_gid(1))), two = make_port(options_of(loopback_gid(2)));
  const std::array<std::pair<std::uint8_t, std::uint8_t>, 4> values = {{{0, 64}, {0x6a, 64}, {0x01, 7}, {0x03, 255}}};
  for (const auto& [traffic_class, hop_limit] : values) {
    TestPacket packet(loopback_gid(1), loopback_gid(2), kQpn, 1);
    packet.packet.path.traffic_class = traffic_class;
    packet.packet.path.hop_limit = hop_limit;
    REQUIRE(send(*one, packet.packet));
    one->tx_flush();
    const auto all = receive(*two);
    REQUIRE(all.size() == 1);
    CHECK(all[0].packet.path.traffic_class == traffic_class);
    CHECK(all[0].packet.path.hop_limit == hop_limit);
  }
}

TEST_CASE("udp: frames that are not ours to send are dropped and counted", "[net][udp]") {
  const auto port = make_port(options_of(loopback_gid(1)));
  TestPacket foreign(loopback_gid(9), loopback_gid(2), kQpn, 1);  // not our address
  REQUIRE(send(*port, foreign.packet));
  TestPacket v1(loopback_gid(1), loopback_gid(2), kQpn, 2);
  v1.packet.path.encapsulation = wire::Encapsulation::kRoceV1;
  REQUIRE(send(*port, v1.packet));
  std::byte* const room = port->tx_reserve(1000);
  REQUIRE(room != nullptr);
  std::memset(room, 0xa5, 1000);
  port->tx_commit(1000);
  CHECK(port->tx_flush() == 3);  // nobody waits for them
  CHECK(port->counters().tx_dropped == 3);
  CHECK(port->tx_reserve(port->frame_bytes_max() + 1) == nullptr);
}

TEST_CASE("udp: an address without a route costs its own frames only", "[net][udp]") {
  const auto one = make_port(options_of(loopback_gid(1))), two = make_port(options_of(loopback_gid(2)));
  const wire::Gid nowhere = wire::Gid::from_ipv4(240u << 24 | 1);  // class E; loopback sources may not leave anyway
  for (std::uint32_t i = 0; i < 10; ++i) {
    REQUIRE(send(*one, TestPacket(loopback_gid(1), i % 2 == 0 ? nowhere : loopback_gid(2), kQpn, i).packet));
  }
  CHECK(one->tx_flush() == 10);
  CHECK(one->counters().tx_dropped == 5);
  CHECK(receive(*two).size() == 5);
}

TEST_CASE("udp: whatever is thrown at the port, right packets still get through", "[net][udp]") {
  base::Rng rng(1, "hostile");
  const auto one = make_port(options_of(loopback_gid(1))), two = make_port(options_of(loopback_gid(2)));
  for (std::uint32_t round = 0; round < 60; ++round) {
    for (const std::size_t most : {0u, 3u, 24u, 40u, 2000u, 9000u, 60'000u}) {
      std::vector<std::byte> bytes(most == 0 ? 0 : rng.next() % (most + 1));
      for (std::byte& b : bytes) b = static_cast<std::byte>(rng.next());
      if (bytes.size() >= 4 && round % 3 == 0) {  // as probes begin
        bytes[0] = std::byte{0xff}, bytes[1] = std::byte{0x0f}, bytes[2] = std::byte{0x73}, bytes[3] = std::byte{0x70};
      }
      throw_at(loopback_gid(2), bytes);
    }
    REQUIRE(send(*one, TestPacket(loopback_gid(1), loopback_gid(2), kQpn, round).packet));
    one->tx_flush();
    const auto all = receive(*two);
    REQUIRE(all.size() == 1);
    REQUIRE(all[0].packet.bth.psn == wire::Psn(round));
  }
}

TEST_CASE("udp: a second host on an address is refused, with a reason", "[net][udp]") {
  const auto port = make_port(options_of(loopback_gid(1)));
  const auto second = UdpPort::create(options_of(loopback_gid(1)));
  REQUIRE_FALSE(second);
  CHECK(second.error().find("another program has it") != std::string::npos);
  const auto foreign = UdpPort::create(options_of(wire::Gid::from_ipv4(0xc6336401)));  // 198.51.100.1
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().find("this machine does not have the address") != std::string::npos);
}

TEST_CASE("udp: groups are heard while somebody listens, and our own words do not come back", "[net][udp]") {
  const auto one = make_port(options_of(loopback_gid(1))), two = make_port(options_of(loopback_gid(2)));
  const wire::Gid group = wire::Gid::from_ipv4(0xef010203);  // 239.1.2.3
  const auto say = [&](std::uint32_t number) {
    if (!send(*one, TestPacket(loopback_gid(1), group, 0xffffff, number).packet)) return false;
    one->tx_flush();
    return one->counters().tx_dropped == 0;
  };
  const std::array groups = {group};
  one->listen_to(groups);
  two->listen_to(groups);
  if (!say(1)) {
    WARN("no multicast on loopback addresses here");
    return;
  }
  const auto heard = receive(*two);
  if (heard.empty()) {
    WARN("no multicast on loopback addresses here");
    return;
  }
  CHECK(heard[0].packet.path.destination_gid == group);
  CHECK(receive(*one, false).empty());
  two->listen_to({});
  REQUIRE(say(2));
  CHECK(receive(*two, false).empty());
}

}  // namespace rocelab::net::udp
