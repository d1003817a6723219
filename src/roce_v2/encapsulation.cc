// See encapsulation.h.
#include "roce_v2/encapsulation.h"

#include "wire/bytes.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/udp.h"

namespace rocelab::roce_v2 {

using wire::Encapsulation;
using wire::FrameError;

void emit_headers(const wire::Path& path, std::size_t transport_bytes, std::byte* out) {
  const auto udp_length = static_cast<std::uint16_t>(wire::UdpHeader::kSize + transport_bytes);
  std::size_t ip_size = wire::Ipv4Header::kSize;
  if (path.encapsulation == Encapsulation::kRoceV2Ipv4) {
    wire::Ipv4Header ip;
    ip.traffic_class = path.traffic_class;
    ip.total_length = static_cast<std::uint16_t>(wire::Ipv4Header::kSize + udp_length);
    ip.identification = path.ipv4_identification;
    ip.ttl = path.hop_limit;
    ip.source = path.source_gid.ipv4();
    ip.destination = path.destination_gid.ipv4();
    ip.emit({out, wire::Ipv4Header::kSize});
  } else {
    ip_size = wire::Ipv6Header::kSize;
    wire::Ipv6Header ip;
    ip.traffic_class = path.traffic_class;
    ip.flow_label = path.flow_label;
    ip.payload_length = udp_length;
    ip.hop_limit = path.hop_limit;
    ip.source = path.source_gid;
    ip.destination = path.destination_gid;
    ip.emit({out, wire::Ipv6Header::kSize});
  }
  const wire::UdpHeader udp{path.udp_source_port, wire::kRoceV2Port, udp_length, 0};
  udp.emit({out + ip_size, wire::UdpHeader::kSize});
}

namespace {

/// Whether the UDP header that begins at that offset is addressed to another port. Whose packet it is comes before what
/// is wrong with it: the rest of a network's traffic is not ours to judge and to count.
bool other_port(std::span<const std::byte> bytes, std::size_t udp) {
  return bytes.size() >= udp + 4 && wire::load_be<std::uint16_t>(bytes.data() + udp + 2) != wire::kRoceV2Port;
}

// `udp_bytes` is what the IP header says follows it.
tl::expected<std::span<const std::byte>, FrameError> parse_udp(std::span<const std::byte> udp_bytes, wire::Path& path) {
  if (udp_bytes.size() < wire::UdpHeader::kSize) return tl::make_unexpected(FrameError::kTruncated);
  const auto udp = wire::UdpHeader::parse(udp_bytes);
  if (udp.length != udp_bytes.size()) return tl::make_unexpected(FrameError::kBadLength);
  path.udp_source_port = udp.source_port;
  return udp_bytes.subspan(wire::UdpHeader::kSize);
}

}  // namespace

tl::expected<std::span<const std::byte>, FrameError> parse_ipv4(std::span<const std::byte> bytes, wire::Path& path) {
  constexpr std::uint16_t kOffset = 0x1fff;
  constexpr std::uint16_t kMoreFragments = 0x2000;
  if (bytes.size() < wire::Ipv4Header::kSize) return tl::make_unexpected(FrameError::kTruncated);
  const auto ip = wire::Ipv4Header::parse(bytes);
  const std::size_t header_bytes = 4u * (wire::load_u8(bytes.data()) & 0x0fu);
  // A later fragment has no ports; nobody may fragment RoCE (it is sent with DF), so it is somebody else's.
  if (ip.protocol != wire::kIpProtocolUdp || (ip.flags_and_offset & kOffset) != 0 || other_port(bytes, header_bytes)) {
    return tl::make_unexpected(FrameError::kNotRoce);
  }
  if (!wire::Ipv4Header::valid(bytes) || (ip.flags_and_offset & kMoreFragments) != 0) {
    return tl::make_unexpected(FrameError::kBadIpHeader);
  }
  if (ip.total_length < wire::Ipv4Header::kSize) return tl::make_unexpected(FrameError::kBadLength);
  if (ip.total_length > bytes.size()) return tl::make_unexpected(FrameError::kTruncated);
  path.encapsulation = Encapsulation::kRoceV2Ipv4;
  path.source_gid = wire::Gid::from_ipv4(ip.source);
  path.destination_gid = wire::Gid::from_ipv4(ip.destination);
  path.traffic_class = ip.traffic_class;
  path.flow_label = 0;
  path.hop_limit = ip.ttl;
  path.ipv4_identification = ip.identification;
  return parse_udp(bytes.subspan(wire::Ipv4Header::kSize, ip.total_length - wire::Ipv4Header::kSize), path);
}

tl::expected<std::span<const std::byte>, FrameError> parse_ipv6(std::span<const std::byte> bytes, wire::Path& path) {
  if (bytes.size() < wire::Ipv6Header::kSize) return tl::make_unexpected(FrameError::kTruncated);
  if (!wire::Ipv6Header::valid(bytes)) return tl::make_unexpected(FrameError::kBadIpHeader);
  const auto ip = wire::Ipv6Header::parse(bytes);
  if (ip.next_header != wire::Ipv6Header::kNextUdp || other_port(bytes, wire::Ipv6Header::kSize)) {
    return tl::make_unexpected(FrameError::kNotRoce);
  }
  if (ip.payload_length > bytes.size() - wire::Ipv6Header::kSize) return tl::make_unexpected(FrameError::kTruncated);
  path.encapsulation = Encapsulation::kRoceV2Ipv6;
  path.source_gid = ip.source;
  path.destination_gid = ip.destination;
  path.traffic_class = ip.traffic_class;
  path.flow_label = ip.flow_label;
  path.hop_limit = ip.hop_limit;
  path.ipv4_identification = 0;
  return parse_udp(bytes.subspan(wire::Ipv6Header::kSize, ip.payload_length), path);
}

}  // namespace rocelab::roce_v2
