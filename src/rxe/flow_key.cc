// See flow_key.h.
#include "rxe/flow_key.h"

#include <cstring>

namespace rocelab::rxe {

namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t kMacsBytes = 12, kVlanBytes = 4, kIpv4Bytes = 20, kIpv6Bytes = 40, kPortsBytes = 4;
constexpr unsigned kEtherTypeVlan = 0x8100, kEtherTypeIpv4 = 0x0800, kEtherTypeIpv6 = 0x86dd;
constexpr unsigned kProtocolTcp = 6, kProtocolUdp = 17;

unsigned number(Bytes bytes, std::size_t at) {
  return std::to_integer<unsigned>(bytes[at]) << 8 | std::to_integer<unsigned>(bytes[at + 1]);
}

void copy(FlowKey& key, std::size_t to, Bytes from, std::size_t at, std::size_t length) {
  std::memcpy(key.bytes.data() + to, from.data() + at, length);
}

void read_ports(FlowKey& key, Bytes rest) {
  const auto protocol = std::to_integer<unsigned>(key.bytes[FlowKey::kProtocol]);
  if ((protocol != kProtocolTcp && protocol != kProtocolUdp) || rest.size() < kPortsBytes) return;
  key.bytes[FlowKey::kLayers] |= protocol == kProtocolTcp ? FlowKey::kTcp : FlowKey::kUdp;
  copy(key, FlowKey::kSourcePort, rest, 0, 2);
  copy(key, FlowKey::kDestinationPort, rest, 2, 2);
}

void read_ipv4(FlowKey& key, Bytes rest) {
  if (rest.size() < kIpv4Bytes || std::to_integer<unsigned>(rest[0]) >> 4 != 4) return;
  key.bytes[FlowKey::kLayers] |= FlowKey::kIpv4;
  key.bytes[FlowKey::kTos] = rest[1];
  key.bytes[FlowKey::kIpFlags] = rest[6] >> 5;
  key.bytes[FlowKey::kTtl] = rest[8];
  key.bytes[FlowKey::kProtocol] = rest[9];
  copy(key, FlowKey::kSourceIp, rest, 12, 4);
  copy(key, FlowKey::kDestinationIp, rest, 16, 4);
  const std::size_t header = (std::to_integer<std::size_t>(rest[0]) & 0xf) * 4;
  const bool later_fragment = (number(rest, 6) & 0x1fff) != 0;
  if (header >= kIpv4Bytes && header <= rest.size() && !later_fragment) read_ports(key, rest.subspan(header));
}

void read_ipv6(FlowKey& key, Bytes rest) {
  if (rest.size() < kIpv6Bytes || std::to_integer<unsigned>(rest[0]) >> 4 != 6) return;
  key.bytes[FlowKey::kLayers] |= FlowKey::kIpv6;
  key.bytes[FlowKey::kTos] = static_cast<std::byte>(number(rest, 0) >> 4 & 0xff);
  copy(key, FlowKey::kFlowLabel, rest, 0, 4);
  key.bytes[FlowKey::kFlowLabel] = std::byte{0};
  key.bytes[FlowKey::kFlowLabel + 1] &= std::byte{0xf};
  key.bytes[FlowKey::kProtocol] = rest[6];
  key.bytes[FlowKey::kTtl] = rest[7];
  copy(key, FlowKey::kSourceIp, rest, 8, 16);
  copy(key, FlowKey::kDestinationIp, rest, 24, 16);
  read_ports(key, rest.subspan(kIpv6Bytes));
}

}  // namespace

FlowKey FlowKey::of(std::span<const std::byte> frame) {
  FlowKey key;
  copy(key, kDestinationMac, frame, 0, kMacsBytes);
  Bytes rest = frame.subspan(kMacsBytes);
  if (number(rest, 0) == kEtherTypeVlan && rest.size() >= kVlanBytes + 2) {
    key.bytes[kLayers] |= kVlan;
    copy(key, kVlanTag, rest, 2, 2);
    rest = rest.subspan(kVlanBytes);
  }
  copy(key, kEtherType, rest, 0, 2);
  const unsigned type = number(rest, 0);
  rest = rest.subspan(2);
  if (type == kEtherTypeIpv4) read_ipv4(key, rest);
  if (type == kEtherTypeIpv6) read_ipv6(key, rest);
  return key;
}

}  // namespace rocelab::rxe
