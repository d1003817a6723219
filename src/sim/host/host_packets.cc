// The way of packets between engine and port: what the engine offers becomes a packet of the fabric, and back.
#include <algorithm>
#include <utility>
#include <vector>

#include "net/frame_codec.h"
#include "sim/host/frame_edge.h"
#include "sim/host/host.h"
#include "sim/host/host_stack.h"
#include "wire/opcode.h"

namespace rocelab::sim {
namespace {

constexpr std::uint32_t kFcsBytes = 4;
constexpr std::uint32_t kFrameBytesMin = 64;  ///< IEEE 802.3, 3.2.8, FCS included
constexpr std::uint8_t kEcnMask = 3;          ///< RFC 3168, 5: the low bits of the traffic class

/// What switches spread flows by: a stand-in for the hash over addresses and UDP ports.
std::uint32_t flow_hash(NodeId source, NodeId destination, const wire::Packet& packet) {
  std::uint64_t x = (std::uint64_t{source} << 32 | destination) * 0x9e37'79b9'7f4a'7c15ull;
  const bool v1 = packet.path.encapsulation == wire::Encapsulation::kRoceV1;
  x ^= (v1 ? packet.bth.destination_qpn : packet.path.udp_source_port) * 0xc2b2'ae3d'27d4'eb4full;
  x *= 0x1656'67b1'9e37'79f9ull;
  return static_cast<std::uint32_t>(x >> 32);
}

std::uint16_t flags_of(const wire::Packet& packet) {
  const wire::Opcode opcode = packet.bth.opcode;
  if (opcode == wire::Opcode::kCnp) return packet_flag::kCnp;
  if (!wire::has_payload(opcode)) return wire::is_response(opcode) ? packet_flag::kAck : std::uint16_t{0};
  return static_cast<std::uint16_t>(packet_flag::kData | (wire::ends_message(opcode) ? packet_flag::kLast : 0));
}

/// Real bytes go with the packet: the application may change them meanwhile.
void copy_payload(const wire::Payload& payload, Packet& out) {
  std::vector<std::byte>& bytes = out.extra().bytes;
  bytes.resize(payload.length);
  std::byte* to = bytes.data();
  if (payload.pieces.empty()) {
    std::copy_n(payload.data, payload.length, to);
  } else {
    for (const wire::Segment& piece : payload.pieces) to = std::copy_n(piece.data, piece.length, to);
  }
}

/// An acknowledgement takes the telemetry of what it acknowledges along; switches add nothing to it.
void carry_echo(const wire::Packet& packet, Packet& out) {
  for (const wire::HopTelemetry& hop : packet.telemetry) out.extra().telemetry[out.telemetry_hops++] = hop;
}

bool is_elided(const wire::Payload& payload) {
  return payload.pieces.empty() ? payload.data == nullptr : payload.pieces.front().data == nullptr;
}

}  // namespace

Packet* HostStack::pull(Context& context, std::uint8_t paused_mask) {
  if (paused_mask != paused_mask_) {
    paused_mask_ = paused_mask;
    device_.set_paused(paused_mask);
  }
  context_ = &context;
  pulled_ = nullptr;
  do {
    device_.poll_transmit(context.now(), *this, 1);
    if (pulled_ == nullptr || pulled_->destination != host_.index_) [[likely]]
      return pulled_;
    loop_back(context, std::exchange(pulled_, nullptr));
  } while (true);
}

/// A packet to this host itself does not leave it: it comes back when its bytes would have left at the port's rate.
void HostStack::loop_back(Context& context, Packet* packet) {
  const HostProfile& profile = host_.options_.profile;
  loop_free_ps_ = std::max(loop_free_ps_, context.now().count_ps()) + host_.port_.rate().time_ps(packet->wire_bytes);
  context.schedule(TimePoint::from_ps(loop_free_ps_) + profile.nic_receive, host_.id(), host_event::kLoopback, 0,
                   reinterpret_cast<std::uintptr_t>(packet));
}

bool HostStack::transmit(const wire::Packet& packet) {
  Packet* out = host_.pools_.at(context_->partition()).allocate();
  if (edge_ != nullptr) [[unlikely]] {
    edge_->encode(packet, *out);
  } else {
    out->headers.pack(packet);
    if (wire::has_atomic_eth(packet.bth.opcode)) [[unlikely]]
      out->extra().atomic_eth = packet.atomic_eth;
    out->headers.real_payload = packet.payload.length != 0 && !is_elided(packet.payload);
    if (out->headers.real_payload) [[unlikely]]
      copy_payload(packet.payload, *out);
  }
  const auto frame = static_cast<std::uint32_t>(net::encoded_size(packet)) + kFcsBytes;
  out->wire_bytes = std::max(frame, kFrameBytesMin) + kEthernetGapBytes;
  out->payload_bytes = packet.payload.length;
  out->source = host_.index_;
  out->destination = host_of(packet.path.destination_gid);
  out->flow_hash = flow_hash(out->source, out->destination, packet);
  out->flow = packet.bth.destination_qpn;
  out->flags = flags_of(packet);
  out->priority = packet.path.priority;
  if (host_.options_.telemetry && (out->flags & packet_flag::kData) != 0) out->flags |= packet_flag::kTelemetry;
  carry_echo(packet, *out);
  out->ecn = packet.path.encapsulation == wire::Encapsulation::kRoceV1
                 ? Ecn::kNotCapable
                 : static_cast<Ecn>(packet.path.traffic_class & kEcnMask);
  ++host_.counters_.tx_packets;
  host_.counters_.tx_payload += packet.payload.length;
  const wire::Transport transport = wire::transport_of(packet.bth.opcode);
  happened_ =
      happened_ || (transport != wire::Transport::kRc && transport != wire::Transport::kSelective);  // done when sent
  pulled_ = out;
  if (edge_ != nullptr) edge_->capture_sent(*context_, *out);
  return true;
}

void HostStack::receive(Context& context, Packet& packet) {
  wire::Packet header;
  if (edge_ != nullptr) [[unlikely]] {
    if (!edge_->decode(context, packet, header)) {
      ++host_.counters_.rx_bad_frames;
      return;
    }
  } else {
    packet.headers.unpack(header);
    if (wire::has_atomic_eth(header.bth.opcode)) [[unlikely]]
      header.atomic_eth = packet.extras->atomic_eth;
    header.payload.length = packet.payload_bytes;
    if (packet.headers.real_payload) [[unlikely]]
      header.payload.data = packet.extras->bytes.data();
    if (packet.ecn == Ecn::kMarked) header.path.traffic_class |= kEcnMask;
  }
  if (packet.telemetry_hops != 0) header.telemetry = {packet.extras->telemetry.data(), packet.telemetry_hops};
  ++host_.counters_.rx_packets;
  host_.counters_.rx_payload += header.payload.length;
  happened_ = true;
  note_arrival(context, header.bth.destination_qpn, packet);
  device_.handle_packet(context.now(), header);
}

}  // namespace rocelab::sim
