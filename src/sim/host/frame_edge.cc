// See frame_edge.h.
#include "sim/host/frame_edge.h"

#include <string>
#include <vector>

#include "net/frame_codec.h"
#include "sim/host/host.h"

namespace rocelab::sim {
namespace {

constexpr std::size_t kMacsBytes = 12;
constexpr std::size_t kNetworkOffset = 14;  ///< hosts send no VLAN tags
constexpr unsigned kIpv4 = 4, kIpv6 = 6;
constexpr unsigned kCongestionExperienced = 3;

unsigned u8(std::byte value) { return std::to_integer<unsigned>(value); }

/// A switch has set both ECN bits: what it would have done to the frame. RFC 3168, 5; RFC 1624 for the checksum. The
/// ICRC does not cover these bits (IBTA annex A17.3.3).
void mark(std::span<std::byte> frame) {
  std::byte* ip = frame.data() + kNetworkOffset;
  if (u8(ip[0]) >> 4 == kIpv6) {
    ip[1] |= static_cast<std::byte>(kCongestionExperienced << 4);
    return;
  }
  if (u8(ip[0]) >> 4 != kIpv4 || u8(frame[kMacsBytes]) != 0x08 || u8(frame[kMacsBytes + 1]) != 0x00) return;
  const unsigned before = u8(ip[0]) << 8 | u8(ip[1]);
  ip[1] |= static_cast<std::byte>(kCongestionExperienced);
  const unsigned after = u8(ip[0]) << 8 | u8(ip[1]);
  const unsigned checksum = u8(ip[10]) << 8 | u8(ip[11]);
  unsigned sum = (~checksum & 0xffff) + (~before & 0xffff) + after;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  ip[10] = static_cast<std::byte>(~sum >> 8 & 0xff);
  ip[11] = static_cast<std::byte>(~sum & 0xff);
}

std::string capture_path(std::string_view pattern, const std::string& name) {
  std::string path(pattern);
  const std::size_t at = path.find("%h");
  if (at != std::string::npos) path.replace(at, 2, name);
  return path;
}

}  // namespace

FrameEdge::FrameEdge(const Host& host) {
  if (host.options().capture_path.empty()) return;
  if (auto writer = net::PcapngWriter::create(capture_path(host.options().capture_path, host.name()))) {
    writer_.emplace(std::move(*writer));
    interface_ = writer_->add_interface(host.name());
  }
}

void FrameEdge::encode(const wire::Packet& packet, Packet& out) {
  std::vector<std::byte>& bytes = out.extra().bytes;
  bytes.resize(net::encoded_size(packet));
  bytes.resize(net::encode_frame(packet, bytes));
}

bool FrameEdge::decode(Context& context, Packet& packet, wire::Packet& header) {
  if (packet.ecn == Ecn::kMarked) mark(packet.extras->bytes);
  capture(context, packet, net::CaptureDirection::kInbound);
  return net::decode_frame(packet.extras->bytes, header).has_value();
}

void FrameEdge::capture_sent(Context& context, const Packet& packet) {
  capture(context, packet, net::CaptureDirection::kOutbound);
}

void FrameEdge::capture(Context& context, const Packet& packet, net::CaptureDirection direction) {
  if (writer_) writer_->append(interface_, context.now().count_ps() / 1'000, direction, packet.extras->bytes);
}

}  // namespace rocelab::sim
