// See responder.h.
#include "net/tap/responder.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "wire/bytes.h"
#include "wire/ethernet.h"

namespace rocelab::net::tap {

namespace {

constexpr std::uint16_t kArp = 0x0806;
constexpr std::size_t kEthernet = wire::EthernetHeader::kSize;
// ARP for IPv4 over Ethernet: types and lengths, operation, sender's MAC and address, target's MAC and address.
constexpr std::size_t kArpBytes = kEthernet + 28;
constexpr std::size_t kSenderMac = kEthernet + 8, kSender = kEthernet + 14;
constexpr std::size_t kTargetMac = kEthernet + 18, kTarget = kEthernet + 24;
constexpr std::uint64_t kArpTypes = 0x0001'0800'0604;
constexpr std::uint16_t kRequest = 1, kReply = 2;
// IPv6 header, then ICMPv6: type, code, checksum, flags, target, and an option with a MAC.
constexpr std::size_t kIp = kEthernet, kIcmp = kIp + 40, kIcmpTarget = kIcmp + 8, kOption = kIcmp + 24;
constexpr std::size_t kSolicitationBytes = kOption, kDiscoveryBytes = kOption + 8;
constexpr std::uint8_t kIcmpv6 = 58, kSolicitation = 135, kAdvertisement = 136;
constexpr std::uint8_t kSourceOption = 1, kTargetOption = 2;
constexpr std::uint32_t kSolicitedAndOverride = 0x6000'0000, kOverride = 0x2000'0000;

wire::Gid gid_at(const std::byte* from) {
  wire::Gid gid;
  std::memcpy(gid.bytes.data(), from, gid.bytes.size());
  return gid;
}
void put(const wire::Gid& gid, std::byte* to) { std::memcpy(to, gid.bytes.data(), gid.bytes.size()); }
void put(const wire::MacAddress& mac, std::byte* to) { std::memcpy(to, mac.data(), mac.size()); }

FrameBytes arp(std::uint16_t operation, const wire::MacAddress& sender_mac, std::uint32_t sender) {
  FrameBytes frame(kArpBytes);
  put(sender_mac, frame.data() + 6);
  wire::store_be<std::uint16_t>(frame.data() + 12, kArp);
  wire::store_be<std::uint64_t>(frame.data() + kEthernet, kArpTypes << 16 | operation);
  put(sender_mac, frame.data() + kSenderMac);
  wire::store_be<std::uint32_t>(frame.data() + kSender, sender);
  return frame;
}

/// RFC 8200, 8.1: over a pseudo-header and the message, whose checksum field is zero.
std::uint16_t icmp_checksum(const std::byte* ip, std::size_t icmp_bytes) {
  std::uint64_t sum = icmp_bytes + kIcmpv6;
  for (std::size_t i = 0; i < 32; i += 2) sum += wire::load_be<std::uint16_t>(ip + 8 + i);
  for (std::size_t i = 0; i < icmp_bytes; i += 2) sum += wire::load_be<std::uint16_t>(ip + 40 + i);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

struct Discovery {
  std::uint8_t type;
  std::uint32_t flags;
  wire::Gid source, destination, target;
  std::uint8_t option;
};
FrameBytes discovery(const Discovery& what, const wire::MacAddress& to, const wire::MacAddress& from) {
  FrameBytes frame(kDiscoveryBytes);
  constexpr std::uint16_t kIcmpBytes = kDiscoveryBytes - kIcmp;
  put(to, frame.data());
  put(from, frame.data() + 6);
  wire::store_be<std::uint16_t>(frame.data() + 12, wire::ethertype::kIpv6);
  std::byte* const ip = frame.data() + kIp;
  ip[0] = std::byte{0x60};
  wire::store_be<std::uint16_t>(ip + 4, kIcmpBytes);
  ip[6] = std::byte{kIcmpv6};
  ip[7] = std::byte{255};
  put(what.source, ip + 8);
  put(what.destination, ip + 24);
  frame[kIcmp] = std::byte{what.type};
  wire::store_be<std::uint32_t>(frame.data() + kIcmp + 4, what.flags);
  put(what.target, frame.data() + kIcmpTarget);
  frame[kOption] = std::byte{what.option};
  frame[kOption + 1] = std::byte{1};
  put(from, frame.data() + kOption + 2);
  wire::store_be<std::uint16_t>(frame.data() + kIcmp + 2, icmp_checksum(ip, kIcmpBytes));
  return frame;
}

/// RFC 4291, 2.7.1: the group in which the owner of an address listens, or all nodes.
wire::Gid group_of(const wire::Gid* address) {
  wire::Gid group;
  group.bytes = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  if (address == nullptr) return group;
  group.bytes[11] = 1;
  group.bytes[12] = 0xff;
  std::copy(address->bytes.begin() + 13, address->bytes.end(), group.bytes.begin() + 13);
  return group;
}
wire::MacAddress mac_of_group(const wire::Gid& group) {
  return {0x33, 0x33, group.bytes[12], group.bytes[13], group.bytes[14], group.bytes[15]};
}

bool is_arp(std::span<const std::byte> frame, std::uint16_t operation) {
  return frame.size() >= kArpBytes &&
         wire::load_be<std::uint64_t>(frame.data() + kEthernet) == (kArpTypes << 16 | operation);
}

bool is_discovery(std::span<const std::byte> frame, std::uint8_t type, std::size_t bytes) {
  if (frame.size() < bytes) return false;
  const std::byte* const ip = frame.data() + kIp;
  return wire::load_u8(ip) >> 4 == 6 && wire::load_u8(ip + 6) == kIcmpv6 && wire::load_u8(ip + 7) == 255 &&
         wire::load_u8(ip + 40) == type && wire::load_u8(ip + 41) == 0;
}

}  // namespace

bool Responder::is_ours(const wire::Gid& gid) const {
  return std::find(addresses_.begin(), addresses_.end(), gid) != addresses_.end();
}

FrameBytes Responder::take(std::span<const std::byte> frame) const {
  if (frame.size() < kEthernet) return {};
  const auto type = wire::load_be<std::uint16_t>(frame.data() + 12);
  if (type == kArp) return take_arp(frame);
  const bool asked = type == wire::ethertype::kIpv6 && is_discovery(frame, kSolicitation, kSolicitationBytes);
  return asked ? take_solicitation(frame) : FrameBytes{};
}

bool Responder::hear(std::span<const std::byte> frame) {
  if (frame.size() < kEthernet) return false;
  const auto type = wire::load_be<std::uint16_t>(frame.data() + 12);
  if (type == kArp) {
    if (!is_arp(frame, kReply) ||
        !is_ours(wire::Gid::from_ipv4(wire::load_be<std::uint32_t>(frame.data() + kTarget)))) {
      return false;
    }
    learn(wire::Gid::from_ipv4(wire::load_be<std::uint32_t>(frame.data() + kSender)), frame.data() + kSenderMac);
    return true;
  }
  if (type != wire::ethertype::kIpv6 || !is_discovery(frame, kAdvertisement, kDiscoveryBytes)) return false;
  const bool has_mac =
      wire::load_u8(frame.data() + kOption) == kTargetOption && wire::load_u8(frame.data() + kOption + 1) == 1;
  if (!has_mac || !is_ours(gid_at(frame.data() + kIp + 24))) return false;
  learn(gid_at(frame.data() + kIcmpTarget), frame.data() + kOption + 2);
  return true;
}

FrameBytes Responder::take_arp(std::span<const std::byte> frame) const {
  if (!is_arp(frame, kRequest)) return {};
  const auto target = wire::load_be<std::uint32_t>(frame.data() + kTarget);
  if (!is_ours(wire::Gid::from_ipv4(target))) return {};
  FrameBytes reply = arp(kReply, mac_, target);
  std::memcpy(reply.data(), frame.data() + 6, 6);
  std::memcpy(reply.data() + kTargetMac, frame.data() + kSenderMac, 10);  // the asker's MAC and address
  return reply;
}

FrameBytes Responder::take_solicitation(std::span<const std::byte> frame) const {
  const wire::Gid target = gid_at(frame.data() + kIcmpTarget), asker = gid_at(frame.data() + kIp + 8);
  if (!is_ours(target) || target.is_ipv4_mapped()) return {};
  wire::MacAddress to;
  std::memcpy(to.data(), frame.data() + 6, to.size());
  // Who checks for duplicates has no address yet: all nodes (RFC 4861, 7.2.4).
  const bool nameless = asker.is_zero();
  return discovery({kAdvertisement, nameless ? kOverride : kSolicitedAndOverride, target,
                    nameless ? group_of(nullptr) : asker, target, kTargetOption},
                   to, mac_);
}

void Responder::learn(const wire::Gid& neighbour, const std::byte* mac) {
  const auto asked = neighbours_.find(neighbour);
  if (asked == neighbours_.end() || (wire::load_u8(mac) & 1) != 0) return;
  wire::MacAddress learned;
  std::memcpy(learned.data(), mac, learned.size());
  asked->second = learned;
}

std::optional<wire::MacAddress> Responder::find(const wire::Gid& neighbour) const {
  const auto known = neighbours_.find(neighbour);
  return known == neighbours_.end() ? std::nullopt : known->second;
}

FrameBytes Responder::ask(const wire::Gid& neighbour, const wire::Gid& source) {
  if (neighbour.is_multicast() || neighbour.is_zero() || neighbour.is_ipv4_mapped() != source.is_ipv4_mapped())
    return {};
  if (!neighbours_.contains(neighbour)) {
    if (neighbours_.size() >= kNeighboursMax) neighbours_.clear();  // all will be asked for again
    neighbours_[neighbour] = std::nullopt;
  }
  if (neighbour.is_ipv4_mapped()) {
    FrameBytes request = arp(kRequest, mac_, source.ipv4());
    std::fill_n(request.begin(), 6, std::byte{0xff});
    wire::store_be<std::uint32_t>(request.data() + kTarget, neighbour.ipv4());
    return request;
  }
  const wire::Gid group = group_of(&neighbour);
  return discovery({kSolicitation, 0, source, group, neighbour, kSourceOption}, mac_of_group(group), mac_);
}

}  // namespace rocelab::net::tap
