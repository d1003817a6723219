// UDP ports on loopback addresses of the test's own, and packets for them.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "net/frame_codec.h"
#include "net/udp/udp_port.h"
#include "tests/support/catch.h"
#include "wire/packet.h"

namespace rocelab::net::udp {

/// 127.x.y.z with x and y from the process number: tests may run beside each other.
inline wire::Gid loopback_gid(std::uint8_t last) {
  const auto pid = static_cast<std::uint32_t>(getpid());
  return wire::Gid::from_ipv4(127u << 24 | (pid % 253 + 1) << 16 | (pid / 253 % 253 + 1) << 8 | last);
}

inline std::unique_ptr<Port> make_port(const UdpOptions& options) {
  auto made = UdpPort::create(options);
  INFO((made ? "" : made.error()));
  REQUIRE(made.has_value());
  return std::move(*made);
}

inline UdpOptions options_of(const wire::Gid& gid) {
  UdpOptions options;
  options.name = "test";
  options.addresses = {{gid, 0}};
  return options;
}

/// A SEND ONLY to a QP; its payload tells `number`.
struct TestPacket {
  TestPacket(const wire::Gid& from, const wire::Gid& to, std::uint32_t qpn, std::uint32_t number,
             std::size_t bytes = 64)
      : payload(bytes) {
    packet.path.encapsulation =
        to.is_ipv4_mapped() ? wire::Encapsulation::kRoceV2Ipv4 : wire::Encapsulation::kRoceV2Ipv6;
    packet.path.source_gid = from;
    packet.path.destination_gid = to;
    packet.path.udp_source_port = static_cast<std::uint16_t>(0xc000 + number % 1000);
    packet.bth.opcode = wire::Opcode::kRcSendOnly;
    packet.bth.destination_qpn = qpn;
    packet.bth.psn = wire::Psn(number & 0xffffff);
    for (std::size_t i = 0; i < bytes; ++i) payload[i] = static_cast<std::byte>(number * 31 + i);
    packet.payload = {payload.data(), static_cast<std::uint32_t>(bytes), {}};
  }
  std::vector<std::byte> payload;
  wire::Packet packet;
};

inline bool send(Port& port, const wire::Packet& packet) {
  const std::size_t bytes = encoded_size(packet);
  std::byte* room = port.tx_reserve(bytes);
  if (room == nullptr) {
    port.tx_flush();
    room = port.tx_reserve(bytes);
  }
  if (room == nullptr) return false;
  port.tx_commit(encode_frame(packet, {room, bytes}));
  return true;
}

/// Received packets, payloads copied.
struct Received {
  wire::Packet packet;
  std::vector<std::byte> payload;
  bool checked = false;
};

/// What has arrived; waits for the first a while (a failing test only), then takes what is there.
inline std::vector<Received> receive(Port& port, bool wait = true) {
  std::vector<Received> all;
  std::array<Frame, kBurstMax> frames;
  for (;;) {
    const std::size_t count = port.rx_burst(frames);
    for (std::size_t i = 0; i < count; ++i) {
      Received received;
      received.checked = (port.rx_checked() >> i & 1) != 0;
      if (!decode_frame(frames[i], received.packet)) continue;
      received.payload.assign(received.packet.payload.data,
                              received.packet.payload.data + received.packet.payload.length);
      all.push_back(std::move(received));
    }
    port.rx_release();
    if (count != 0) continue;
    if (!all.empty() || !wait) return all;
    pollfd fd{port.wait_fd(), POLLIN, 0};
    if (poll(&fd, 1, 2000) == 0) return all;
  }
}

}  // namespace rocelab::net::udp
