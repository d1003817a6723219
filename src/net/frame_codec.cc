// See frame_codec.h. Which headers follow a BTH is read from the opcode table's bits, once a packet; every other part
// of a frame is laid out by the encapsulations (roce_v1/, roce_v2/).
#include "net/frame_codec.h"

#include <array>
#include <cstring>

#include "roce_v1/encapsulation.h"
#include "roce_v2/encapsulation.h"
#include "wire/ethernet.h"

namespace rocelab::net {

using wire::Encapsulation;
using wire::FrameError;
using wire::Packet;

namespace {

/// IBTA vol 1, 9.2.1: no path MTU is larger.
constexpr std::size_t kPayloadBytesMax = 4096;

std::uint32_t opcode_bits(wire::Opcode opcode) { return wire::detail::kOpcodeTable[static_cast<std::uint8_t>(opcode)]; }

/// Bytes between the BTH and the payload, for every opcode.
constexpr std::array<std::uint8_t, 256> make_extension_sizes() {
  std::array<std::uint8_t, 256> sizes{};
  for (std::size_t value = 0; value < sizes.size(); ++value) {
    const auto opcode = static_cast<wire::Opcode>(value);
    std::size_t size = 0;
    if (has_xrceth(opcode)) size += wire::XrcEth::kSize;
    if (has_deth(opcode)) size += wire::Deth::kSize;
    if (has_feth(opcode)) size += wire::Feth::kSize;
    if (has_reth(opcode)) size += wire::Reth::kSize;
    if (has_atomic_eth(opcode)) size += wire::AtomicEth::kSize;
    if (has_aeth(opcode)) size += wire::Aeth::kSize;
    if (has_atomic_ack_eth(opcode)) size += wire::AtomicAckEth::kSize;
    if (has_immediate(opcode)) size += wire::ImmDt::kSize;
    if (has_ieth(opcode)) size += wire::Ieth::kSize;
    if (opcode == wire::Opcode::kCnp) size += kCnpReservedBytes;
    sizes[value] = static_cast<std::uint8_t>(size);
  }
  return sizes;
}
constexpr std::array<std::uint8_t, 256> kExtensionSizes = make_extension_sizes();

std::size_t extension_size(wire::Opcode opcode) { return kExtensionSizes[static_cast<std::uint8_t>(opcode)]; }

std::size_t network_size(Encapsulation encapsulation) {
  switch (encapsulation) {
    case Encapsulation::kRoceV1:
      return roce_v1::kHeaderBytes;
    case Encapsulation::kRoceV2Ipv4:
      return roce_v2::kIpv4HeaderBytes;
    case Encapsulation::kRoceV2Ipv6:
      return roce_v2::kIpv6HeaderBytes;
  }
  return 0;
}

std::size_t link_size(const wire::Path& path) {
  return wire::EthernetHeader::kSize + (path.has_vlan ? wire::VlanTag::kSize : 0);
}

std::size_t padding(std::size_t payload_bytes) { return (0 - payload_bytes) & 3; }

/// BTH to ICRC, both included.
std::size_t transport_size(const Packet& packet) {
  const std::size_t payload = packet.payload.length;
  return wire::Bth::kSize + extension_size(packet.bth.opcode) + payload + padding(payload) + kIcrcBytes;
}

void emit_link(const wire::Path& path, std::byte* out) {
  std::uint16_t type = wire::ethertype::kRoceV1;
  if (path.encapsulation == Encapsulation::kRoceV2Ipv4) type = wire::ethertype::kIpv4;
  if (path.encapsulation == Encapsulation::kRoceV2Ipv6) type = wire::ethertype::kIpv6;
  const wire::EthernetHeader ethernet{path.destination_mac, path.source_mac,
                                      path.has_vlan ? wire::ethertype::kVlan : type};
  ethernet.emit({out, wire::EthernetHeader::kSize});
  if (!path.has_vlan) return;
  const wire::VlanTag tag{path.priority, false, path.vlan_id, type};
  tag.emit({out + wire::EthernetHeader::kSize, wire::VlanTag::kSize});
}

/// Writes the header's bytes at `out` and returns where the next one goes.
template <class Header>
std::byte* append(const Header& header, std::byte* out) {
  header.emit({out, Header::kSize});
  return out + Header::kSize;
}

/// What follows the BTH, in the order of IBTA vol 1, 5.2.1 (each opcode has a few of them).
std::byte* emit_extensions(const Packet& packet, std::byte* out) {
  using namespace wire::detail;
  const std::uint32_t bits = opcode_bits(packet.bth.opcode);
  if (bits & (kXrcEth | kDeth | kFeth)) [[unlikely]] {
    if (bits & kXrcEth) out = append(packet.xrc_eth, out);
    if (bits & kDeth) out = append(packet.deth, out);
    if (bits & kFeth) out = append(packet.feth, out);
  }
  if (bits & kReth) out = append(packet.reth, out);
  if (bits & kAtomicEth) out = append(packet.atomic_eth, out);
  if (bits & kAeth) out = append(packet.aeth, out);
  if (bits & kAtomicAckEth) out = append(packet.atomic_ack_eth, out);
  if (bits & kImmediate) out = append(packet.imm_dt, out);
  if (bits & kIeth) out = append(packet.ieth, out);
  if (packet.bth.opcode == wire::Opcode::kCnp) {
    std::memset(out, 0, kCnpReservedBytes);
    out += kCnpReservedBytes;
  }
  return out;
}

template <class Header>
const std::byte* take(Header& header, const std::byte* from) {
  header = Header::parse({from, Header::kSize});
  return from + Header::kSize;
}

/// The counterpart of emit_extensions; the caller has checked that extension_size() bytes are there.
void parse_extensions(const std::byte* from, Packet& packet) {
  using namespace wire::detail;
  const std::uint32_t bits = opcode_bits(packet.bth.opcode);
  if (bits & (kXrcEth | kDeth | kFeth)) [[unlikely]] {
    if (bits & kXrcEth) from = take(packet.xrc_eth, from);
    if (bits & kDeth) from = take(packet.deth, from);
    if (bits & kFeth) from = take(packet.feth, from);
  }
  if (bits & kReth) from = take(packet.reth, from);
  if (bits & kAtomicEth) from = take(packet.atomic_eth, from);
  if (bits & kAeth) from = take(packet.aeth, from);
  if (bits & kAtomicAckEth) from = take(packet.atomic_ack_eth, from);
  if (bits & kImmediate) from = take(packet.imm_dt, from);
  if (bits & kIeth) take(packet.ieth, from);
}

std::byte* copy_payload(const wire::Payload& payload, std::byte* out) {
  if (payload.pieces.empty()) {
    if (payload.length != 0) std::memcpy(out, payload.data, payload.length);
    return out + payload.length;
  }
  for (const wire::Segment& piece : payload.pieces) {
    if (piece.length != 0) std::memcpy(out, piece.data, piece.length);
    out += piece.length;
  }
  return out;
}

std::uint32_t icrc(Encapsulation encapsulation, const std::byte* network, std::size_t bytes_before_icrc) {
  switch (encapsulation) {
    case Encapsulation::kRoceV1:
      return roce_v1::icrc(network, bytes_before_icrc);
    case Encapsulation::kRoceV2Ipv4:
      return roce_v2::icrc_ipv4(network, bytes_before_icrc);
    case Encapsulation::kRoceV2Ipv6:
      return roce_v2::icrc_ipv6(network, bytes_before_icrc);
  }
  return 0;
}

// The CRC leaves the register's lowest byte first (IBTA vol 1, 7.8.1), unlike every other field.
void store_icrc(std::byte* out, std::uint32_t crc) { wire::store_be(out, wire::swap_bytes(crc)); }
std::uint32_t load_icrc(const std::byte* p) { return wire::swap_bytes(wire::load_be<std::uint32_t>(p)); }

tl::unexpected<FrameError> fail(FrameError error) { return tl::make_unexpected(error); }

/// Ethernet and the VLAN tag. On success `rest` starts at the network header and `type` names it.
tl::expected<void, FrameError> parse_link(std::span<const std::byte> frame, wire::Path& path, std::uint16_t& type,
                                          std::span<const std::byte>& rest) {
  if (frame.size() < wire::EthernetHeader::kSize) return fail(FrameError::kTruncated);
  // EthernetHeader::parse in place: its addresses would go through a temporary.
  std::memcpy(path.destination_mac.data(), frame.data(), path.destination_mac.size());
  std::memcpy(path.source_mac.data(), frame.data() + 6, path.source_mac.size());
  type = wire::load_be<std::uint16_t>(frame.data() + 12);
  path.has_vlan = type == wire::ethertype::kVlan;
  path.vlan_id = 0;
  path.priority = 0;
  rest = frame.subspan(wire::EthernetHeader::kSize);
  if (!path.has_vlan) return {};
  if (rest.size() < wire::VlanTag::kSize) return fail(FrameError::kTruncated);
  const auto tag = wire::VlanTag::parse(rest);
  path.vlan_id = tag.id;
  path.priority = tag.priority;
  type = tag.type;
  rest = rest.subspan(wire::VlanTag::kSize);
  return {};
}

tl::expected<std::span<const std::byte>, FrameError> parse_network(std::uint16_t type, std::span<const std::byte> bytes,
                                                                   wire::Path& path) {
  switch (type) {
    case wire::ethertype::kIpv4:
      return roce_v2::parse_ipv4(bytes, path);
    case wire::ethertype::kIpv6:
      return roce_v2::parse_ipv6(bytes, path);
    case wire::ethertype::kRoceV1:
      return roce_v1::parse(bytes, path);
    default:
      return fail(FrameError::kNotRoce);
  }
}

/// BTH, extension headers and payload; `transport` ends in the ICRC, which is not looked at.
tl::expected<void, FrameError> parse_transport(std::span<const std::byte> transport, Packet& packet) {
  if (transport.size() < wire::Bth::kSize + kIcrcBytes) return fail(FrameError::kTruncated);
  packet.bth.read(transport);
  if (packet.bth.version != 0) return fail(FrameError::kBadVersion);
  if (!is_valid(packet.bth.opcode)) return fail(FrameError::kUnknownOpcode);
  const std::size_t headers = wire::Bth::kSize + extension_size(packet.bth.opcode);
  if (transport.size() < headers + kIcrcBytes) return fail(FrameError::kTruncated);
  const std::size_t rest = transport.size() - headers - kIcrcBytes;  // payload and padding
  if (!has_payload(packet.bth.opcode) && (rest != 0 || packet.bth.pad_count != 0)) return fail(FrameError::kBadPad);
  if (packet.bth.pad_count > rest) return fail(FrameError::kBadPad);
  // IBTA vol 1, 9.2.3: the padding fills up to four bytes; the other headers are multiples of four.
  if (rest % 4 != 0) return fail(FrameError::kBadLength);
  const std::size_t payload = rest - packet.bth.pad_count;
  if (payload > kPayloadBytesMax) return fail(FrameError::kBadLength);
  parse_extensions(transport.data() + wire::Bth::kSize, packet);
  packet.payload = {transport.data() + headers, static_cast<std::uint32_t>(payload), {}};
  return {};
}

}  // namespace

std::size_t encoded_size(const Packet& packet) {
  if (packet.raw_frame) [[unlikely]]
    return packet.payload.length;
  return link_size(packet.path) + network_size(packet.path.encapsulation) + transport_size(packet);
}

std::size_t encode_frame(const Packet& packet, std::span<std::byte> out) {
  const wire::Path& path = packet.path;
  if (packet.raw_frame) [[unlikely]]
    return static_cast<std::size_t>(copy_payload(packet.payload, out.data()) - out.data());
  const std::size_t transport_bytes = transport_size(packet);
  const std::size_t pad = padding(packet.payload.length);
  std::byte* const network = out.data() + link_size(path);
  std::byte* const transport = network + network_size(path.encapsulation);

  emit_link(path, out.data());
  if (path.encapsulation == Encapsulation::kRoceV1) {
    roce_v1::emit_headers(path, transport_bytes, network);
  } else {
    roce_v2::emit_headers(path, transport_bytes, network);
  }
  wire::Bth bth = packet.bth;
  bth.pad_count = static_cast<std::uint8_t>(pad);
  std::byte* end = append(bth, transport);
  end = emit_extensions(packet, end);
  end = copy_payload(packet.payload, end);
  std::memset(end, 0, pad);
  end += pad;
  store_icrc(end, icrc(path.encapsulation, network, static_cast<std::size_t>(end - network)));
  return static_cast<std::size_t>(end + kIcrcBytes - out.data());
}

namespace {

/// Everything but the ICRC. `network` is where it starts to count, `end` where it lies.
tl::expected<void, FrameError> parse_frame(std::span<const std::byte> frame, Packet& packet, const std::byte*& network,
                                           const std::byte*& end) {
  std::uint16_t type = 0;
  std::span<const std::byte> rest;
  if (const auto link = parse_link(frame, packet.path, type, rest); !link) return link;
  const auto transport = parse_network(type, rest, packet.path);
  if (!transport) return fail(transport.error());
  if (const auto parsed = parse_transport(*transport, packet); !parsed) return parsed;
  end = transport->data() + transport->size() - kIcrcBytes;
  network = rest.data();
  return {};
}

}  // namespace

tl::expected<void, FrameError> decode_frame(std::span<const std::byte> frame, Packet& packet) {
  const std::byte* network = nullptr;
  const std::byte* end = nullptr;
  if (const auto parsed = parse_frame(frame, packet, network, end); !parsed) return parsed;
  if (load_icrc(end) != icrc(packet.path.encapsulation, network, static_cast<std::size_t>(end - network))) {
    return fail(FrameError::kBadIcrc);
  }
  return {};
}

tl::expected<void, FrameError> decode_checked_frame(std::span<const std::byte> frame, Packet& packet) {
  const std::byte* network = nullptr;
  const std::byte* end = nullptr;
  return parse_frame(frame, packet, network, end);
}

}  // namespace rocelab::net
