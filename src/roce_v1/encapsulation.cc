// See encapsulation.h.
#include "roce_v1/encapsulation.h"

#include "wire/icrc.h"
#include "wire/ipv6.h"

namespace rocelab::roce_v1 {

using wire::FrameError;

void emit_headers(const wire::Path& path, std::size_t transport_bytes, std::byte* out) {
  wire::Grh grh;
  grh.traffic_class = path.traffic_class;
  grh.flow_label = path.flow_label;
  grh.payload_length = static_cast<std::uint16_t>(transport_bytes);  // IBTA vol 1, 8.3.4: the ICRC included
  grh.next_header = wire::Grh::kNextTransport;
  grh.hop_limit = path.hop_limit;
  grh.source = path.source_gid;
  grh.destination = path.destination_gid;
  grh.emit({out, wire::Grh::kSize});
}

tl::expected<std::span<const std::byte>, FrameError> parse(std::span<const std::byte> bytes, wire::Path& path) {
  if (bytes.size() < wire::Grh::kSize) return tl::make_unexpected(FrameError::kTruncated);
  const auto grh = wire::Grh::parse(bytes);
  if (!wire::Grh::valid(bytes) || grh.next_header != wire::Grh::kNextTransport) {
    return tl::make_unexpected(FrameError::kBadIpHeader);
  }
  if (grh.payload_length > bytes.size() - wire::Grh::kSize) return tl::make_unexpected(FrameError::kTruncated);
  path.encapsulation = wire::Encapsulation::kRoceV1;
  path.source_gid = grh.source;
  path.destination_gid = grh.destination;
  path.traffic_class = grh.traffic_class;
  path.flow_label = grh.flow_label;
  path.hop_limit = grh.hop_limit;
  path.udp_source_port = 0;
  path.ipv4_identification = 0;
  return bytes.subspan(wire::Grh::kSize, grh.payload_length);
}

std::uint32_t icrc(const std::byte* grh, std::size_t bytes_before_icrc) {
  static constexpr auto kMask = [] {
    wire::IcrcMask<kHeaderBytes + wire::Bth::kSize> mask;
    mask.mask(0, 0x0f).mask(1).mask(2).mask(3);  // traffic class, flow label
    mask.mask(7);                                // hop limit
    mask.mask(kHeaderBytes + 4);                 // BTH: FECN, BECN, reserved
    return mask;
  }();
  return kMask.icrc(grh, bytes_before_icrc);
}

}  // namespace rocelab::roce_v1
