// See datagram.h.
#include "net/udp/datagram.h"

#include "roce_v2/encapsulation.h"
#include "roce_v2/icrc_change.h"
#include "wire/bth.h"
#include "wire/bytes.h"
#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/packet.h"
#include "wire/udp.h"

namespace rocelab::net::udp {

namespace {

constexpr std::size_t kIcrcBytes = 4;
constexpr std::size_t kTransportBytesMin = wire::Bth::kSize + kIcrcBytes;
// Places in the IP packet of what the kernel may write otherwise than the frame says.
constexpr std::size_t kIdentificationAt = 4;
constexpr std::size_t kIpv4PortAt = 20, kIpv6PortAt = 40;

bool has_icrc(std::size_t ip_bytes, std::size_t transport_bytes) {
  return transport_bytes >= kTransportBytesMin && transport_bytes % 4 == 0 &&
         ip_bytes + transport_bytes <= roce_v2::kIcrcChangeBytesMax;
}

// The register's lowest byte first (IBTA vol 1, 7.8.1).
std::uint32_t load_icrc(const std::byte* at) { return wire::swap_bytes(wire::load_be<std::uint32_t>(at)); }
void change_icrc(std::byte* at, std::uint32_t change) {
  wire::store_be(at, wire::load_be<std::uint32_t>(at) ^ wire::swap_bytes(change));
}

}  // namespace

std::optional<Departure> take_apart(std::span<std::byte> frame) {
  if (frame.size() < wire::EthernetHeader::kSize) return std::nullopt;
  const auto type = wire::load_be<std::uint16_t>(frame.data() + 12);
  const std::span<std::byte> ip = frame.subspan(wire::EthernetHeader::kSize);
  wire::Path path;
  const bool ipv4 = type == wire::ethertype::kIpv4;
  if (!ipv4 && type != wire::ethertype::kIpv6) return std::nullopt;
  const auto transport = ipv4 ? roce_v2::parse_ipv4(ip, path) : roce_v2::parse_ipv6(ip, path);
  const std::size_t ip_bytes = ipv4 ? roce_v2::kIpv4HeaderBytes : roce_v2::kIpv6HeaderBytes;
  if (!transport || !has_icrc(ip_bytes, transport->size())) return std::nullopt;
  // The socket sends with don't-fragment.
  if (ipv4 && wire::load_be<std::uint16_t>(ip.data() + 6) != wire::Ipv4Header::kDontFragment) return std::nullopt;

  Departure packet;
  packet.source = path.source_gid;
  packet.destination = path.destination_gid;
  packet.traffic_class = path.traffic_class;
  packet.hop_limit = path.hop_limit;
  packet.transport = ip.data() + ip_bytes;
  packet.bytes = transport->size();
  const std::size_t covered = ip_bytes + packet.bytes - kIcrcBytes;
  const auto port_change = static_cast<std::uint16_t>(path.udp_source_port ^ wire::kRoceV2Port);
  if (port_change != 0) {
    const std::uint32_t change = roce_v2::icrc_change(port_change, covered - (ipv4 ? kIpv4PortAt : kIpv6PortAt));
    change_icrc(packet.transport + packet.bytes - kIcrcBytes, change);
  }
  packet.identification = path.ipv4_identification;
  if (ipv4) set_identification(packet, 0);
  return packet;
}

void set_identification(Departure& packet, std::uint16_t identification) {
  const auto difference = static_cast<std::uint16_t>(packet.identification ^ identification);
  if (difference == 0) return;
  const std::size_t distance = roce_v2::kIpv4HeaderBytes + packet.bytes - kIcrcBytes - kIdentificationAt;
  change_icrc(packet.transport + packet.bytes - kIcrcBytes, roce_v2::icrc_change(difference, distance));
  packet.identification = identification;
}

Rebuilt rebuild(const Arrival& arrival, std::byte* transport, std::size_t bytes) {
  const bool ipv4 = arrival.destination.is_ipv4_mapped();
  const std::size_t ip_bytes = ipv4 ? roce_v2::kIpv4HeaderBytes : roce_v2::kIpv6HeaderBytes;
  std::byte* const ip = transport - ip_bytes;
  wire::Path path;
  path.encapsulation = ipv4 ? wire::Encapsulation::kRoceV2Ipv4 : wire::Encapsulation::kRoceV2Ipv6;
  path.source_gid = arrival.source;
  path.destination_gid = arrival.destination;
  path.traffic_class = arrival.traffic_class;
  path.hop_limit = arrival.hop_limit;
  path.udp_source_port = arrival.source_port;

  Rebuilt rebuilt;
  std::optional<std::uint16_t> identification = 0;
  if (has_icrc(ip_bytes, bytes)) {
    roce_v2::emit_headers(path, bytes, ip);
    const std::size_t covered = ip_bytes + bytes - kIcrcBytes;
    const std::uint32_t computed = ipv4 ? roce_v2::icrc_ipv4(ip, covered) : roce_v2::icrc_ipv6(ip, covered);
    const std::uint32_t difference = computed ^ load_icrc(transport + bytes - kIcrcBytes);
    rebuilt.checked = difference == 0;
    if (!rebuilt.checked && ipv4) {
      identification = roce_v2::explain_icrc_change(difference, covered - kIdentificationAt);
      rebuilt.checked = identification.has_value();
    }
  }
  path.ipv4_identification = identification.value_or(0);
  if (!rebuilt.checked || path.ipv4_identification != 0) roce_v2::emit_headers(path, bytes, ip);
  std::byte* const ethernet = ip - wire::EthernetHeader::kSize;
  const wire::EthernetHeader header{{}, {}, ipv4 ? wire::ethertype::kIpv4 : wire::ethertype::kIpv6};
  header.emit({ethernet, wire::EthernetHeader::kSize});
  rebuilt.frame = {ethernet, wire::EthernetHeader::kSize + ip_bytes + bytes};
  return rebuilt;
}

}  // namespace rocelab::net::udp
