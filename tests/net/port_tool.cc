// port_tool: one thing at a time with the ports of src/net, for the tests in namespaces (namespaces_test.py) and the
// capture test. Each mode prints what it found, one line a fact, and exits with 0 when it could do its work.
//   packet-listen INTERFACE COUNT     prints "ready", then one line for each of COUNT RoCE frames: number,
//   encapsulation,
//                                     VLAN id or -, and whether it decoded; sleeps on wait_fd() meanwhile
//   packet-send INTERFACE MAC COUNT VLAN   sends COUNT packets to MAC, taking turns between the encapsulations
//   packet-open INTERFACE             opens the port and prints frame_bytes_max and whether the link is up
//   packet-watch INTERFACE            sends all the time and prints "up" and "down" as the link changes, until it has
//                                     been down for good (the interface is gone)
//   neighbour INTERFACE ADDRESS MS    resolves
//   capture FILE COUNT                sends COUNT packets through a loopback port with a tap
#include <net/if.h>
#include <poll.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "net/capture_port.h"
#include "net/dpdk/af_packet_port.h"
#include "net/frame_codec.h"
#include "net/loopback_port.h"
#include "net/neighbour.h"
#include "net/pcapng_writer.h"
#include "wire/mac.h"

namespace rocelab::net {
namespace {

using wire::Encapsulation;

std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Packet `n` of a sender: an RC SEND ONLY with n as PSN and a payload of n bytes (at most 1024).
wire::Packet make_packet(std::uint32_t n, const wire::MacAddress& destination, std::uint16_t vlan,
                         const std::vector<std::byte>& payload) {
  wire::Packet packet;
  packet.path.encapsulation = static_cast<Encapsulation>(n % 3);
  packet.path.source_mac = {0x02, 0, 0, 0, 0, 0x01};
  packet.path.destination_mac = destination;
  packet.path.has_vlan = vlan != 0;
  packet.path.vlan_id = vlan;
  packet.path.priority = 3;
  if (packet.path.encapsulation == Encapsulation::kRoceV2Ipv4) {
    packet.path.source_gid = wire::Gid::from_ipv4(0x0a4d0001);
    packet.path.destination_gid = wire::Gid::from_ipv4(0x0a4d0002);
  } else {
    packet.path.source_gid = *wire::parse_gid("fd00:4d::1");
    packet.path.destination_gid = *wire::parse_gid("fd00:4d::2");
  }
  packet.path.udp_source_port = 0xc000;
  packet.bth.opcode = wire::Opcode::kRcSendOnly;
  packet.bth.destination_qpn = 0x123;
  packet.bth.psn = wire::Psn(n);
  packet.payload = {payload.data(), n % 1025, {}};
  return packet;
}

bool send(Port& port, const wire::Packet& packet) {
  const std::size_t bytes = encoded_size(packet);
  std::byte* const room = port.tx_reserve(bytes);
  if (room == nullptr) return false;
  port.tx_commit(encode_frame(packet, {room, bytes}));
  return true;
}

std::unique_ptr<Port> open_port(const std::string& interface) {
  auto port = dpdk::AfPacketPort::create({.interface = interface});
  if (port) return std::move(*port);
  std::printf("%s\n", port.error().c_str());
  return nullptr;
}

int packet_listen(const std::string& interface, std::uint64_t count) {
  const auto port = open_port(interface);
  if (port == nullptr) return 1;
  std::printf("ready\n");
  std::fflush(stdout);
  std::array<Frame, kBurstMax> frames;
  for (std::uint64_t came = 0; came < count;) {
    pollfd wait{port->wait_fd(), POLLIN, 0};
    if (poll(&wait, 1, -1) < 0) return 1;
    const std::size_t burst = port->rx_burst(frames);
    for (std::size_t i = 0; i < burst; ++i, ++came) {
      wire::Packet packet;
      const auto decoded = decode_frame(frames[i], packet);
      const std::string vlan = packet.path.has_vlan ? std::to_string(packet.path.vlan_id) : "-";
      std::printf("%u %u %s %s\n", packet.bth.psn.value(), static_cast<unsigned>(packet.path.encapsulation),
                  vlan.c_str(), decoded ? "good" : "bad");
    }
    port->rx_release();
  }
  std::fflush(stdout);
  return 0;
}

int packet_send(const std::string& interface, const std::string& mac, std::uint64_t count, std::uint64_t vlan) {
  const auto port = open_port(interface);
  const auto destination = wire::parse_mac(mac);
  if (port == nullptr || !destination) return 1;
  const std::vector<std::byte> payload(1024, std::byte{0x5a});
  std::uint64_t given = 0;
  for (std::uint32_t n = 0; n < count;) {
    if (send(*port, make_packet(n, *destination, static_cast<std::uint16_t>(vlan), payload))) ++n;
    given += port->tx_flush();
  }
  while (port->tx_waiting()) given += port->tx_flush();
  std::printf("sent %llu, own frames seen ", static_cast<unsigned long long>(given));
  std::array<Frame, kBurstMax> frames;
  std::printf("%zu\n", port->rx_burst(frames));
  port->rx_release();
  return 0;
}

int packet_open(const std::string& interface) {
  const auto port = open_port(interface);
  if (port == nullptr) return 1;
  std::printf("frame_bytes_max %zu link %s\n", port->frame_bytes_max(), port->link_up() ? "up" : "down");
  return 0;
}

int packet_watch(const std::string& interface) {
  const auto port = open_port(interface);
  if (port == nullptr) return 1;
  const std::vector<std::byte> payload(1024, std::byte{0x5a});
  std::array<Frame, kBurstMax> frames;
  bool up = false;
  while (up || if_nametoindex(interface.c_str()) != 0) {
    for (std::uint32_t n = 0; n < 200; ++n) send(*port, make_packet(n, {0x02, 0, 0, 0, 0, 0x02}, 0, payload));
    port->tx_flush();
    port->rx_burst(frames);
    port->rx_release();
    if (port->link_up() == up) continue;
    up = !up;
    std::printf("%s\n", up ? "up" : "down");
    std::fflush(stdout);
  }
  // Gone: nothing is left to wait for, and a frame is dropped instead of making its sender wait.
  const std::uint64_t dropped = port->counters().tx_dropped;
  for (std::uint32_t n = 0; n < 5000; ++n) {
    if (!send(*port, make_packet(n, {0x02, 0, 0, 0, 0, 0x02}, 0, payload))) return 1;
    port->tx_flush();
  }
  std::printf("dropped %s\n", port->counters().tx_dropped > dropped ? "some" : "none");
  return 0;
}

int neighbour(const std::string& interface, const std::string& address, std::uint64_t timeout_ms) {
  NeighbourQuery query;
  query.interface = interface;
  query.timeout = base::Duration::ms(static_cast<std::int64_t>(timeout_ms));
  if (const auto gid = wire::parse_gid(address)) query.destination = *gid;
  const auto mac = resolve_neighbour_text(query);
  std::printf("%s\n", mac ? wire::to_string(*mac).c_str() : mac.error().c_str());
  return mac ? 0 : 1;
}

int capture(const std::string& file, std::uint64_t count) {
  auto writer = PcapngWriter::create(file);
  if (!writer) return 1;
  CapturePort port(std::make_unique<LoopbackPort>(64), std::make_shared<PcapngWriter>(std::move(*writer)));
  const std::vector<std::byte> payload(1024, std::byte{0x5a});
  std::array<Frame, kBurstMax> frames;
  for (std::uint32_t n = 0; n < count; ++n) {
    if (!send(port, make_packet(n, {0x02, 0, 0, 0, 0, 0x02}, 0, payload))) return 1;
    port.tx_flush();
    if (port.rx_burst(frames) != 1) return 1;
    port.rx_release();
  }
  return 0;
}

int run(const std::vector<std::string>& words) {
  const std::string mode = words.empty() ? "" : words[0];
  if (mode == "packet-listen" && words.size() == 3) return packet_listen(words[1], number(words[2]));
  if (mode == "packet-send" && words.size() == 5) {
    return packet_send(words[1], words[2], number(words[3]), number(words[4]));
  }
  if (mode == "packet-open" && words.size() == 2) return packet_open(words[1]);
  if (mode == "packet-watch" && words.size() == 2) return packet_watch(words[1]);
  if (mode == "neighbour" && words.size() == 4) return neighbour(words[1], words[2], number(words[3]));
  if (mode == "capture" && words.size() == 3) return capture(words[1], number(words[2]));
  std::fprintf(stderr, "port_tool: unknown mode or wrong number of arguments\n");
  return 2;
}

}  // namespace
}  // namespace rocelab::net

int main(int argc, char** argv) { return rocelab::net::run({argv + 1, argv + argc}); }
