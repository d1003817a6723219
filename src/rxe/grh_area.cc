// See grh_area.h.
#include "rxe/grh_area.h"

#include <span>

#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/udp.h"

namespace rocelab::rxe {

namespace {

constexpr std::size_t kIcrcBytes = 4;

/// BTH to ICRC of a datagram.
std::size_t transport_bytes(const wire::Packet& packet) {
  const std::size_t immediate = wire::has_immediate(packet.bth.opcode) ? wire::ImmDt::kSize : 0;
  const std::size_t padded = (packet.payload.length + 3u) & ~std::size_t{3};
  return wire::Bth::kSize + wire::Deth::kSize + immediate + padded + kIcrcBytes;
}

}  // namespace

std::array<std::byte, kGrhBytes> grh_area(const wire::Packet& packet) {
  std::array<std::byte, kGrhBytes> area{};
  const wire::Path& path = packet.path;
  if (path.encapsulation == wire::Encapsulation::kRoceV2Ipv4) {
    wire::Ipv4Header header;
    header.traffic_class = path.traffic_class;
    header.total_length =
        static_cast<std::uint16_t>(wire::Ipv4Header::kSize + wire::UdpHeader::kSize + transport_bytes(packet));
    header.identification = path.ipv4_identification;
    header.ttl = path.hop_limit;
    header.source = path.source_gid.ipv4();
    header.destination = path.destination_gid.ipv4();
    header.emit(std::span(area).subspan(kGrhBytes - wire::Ipv4Header::kSize));
    return area;
  }
  const bool v1 = path.encapsulation == wire::Encapsulation::kRoceV1;
  wire::Ipv6Header header;
  header.traffic_class = path.traffic_class;
  header.flow_label = path.flow_label;
  header.payload_length = static_cast<std::uint16_t>((v1 ? 0 : wire::UdpHeader::kSize) + transport_bytes(packet));
  header.next_header = v1 ? wire::Ipv6Header::kNextTransport : wire::Ipv6Header::kNextUdp;
  header.hop_limit = path.hop_limit;
  header.source = path.source_gid;
  header.destination = path.destination_gid;
  header.emit(area);
  return area;
}

std::uint8_t grh_area_kind(const wire::Path& path) {
  constexpr std::uint8_t kUdp = 8, kIpv6 = 1, kIpv4 = 2;
  switch (path.encapsulation) {
    case wire::Encapsulation::kRoceV2Ipv4:
      return kUdp | kIpv4;
    case wire::Encapsulation::kRoceV2Ipv6:
      return kUdp | kIpv6;
    case wire::Encapsulation::kRoceV1:
      break;
  }
  return 0;
}

}  // namespace rocelab::rxe
