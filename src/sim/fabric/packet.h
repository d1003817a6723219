// A packet on its way through the simulated fabric: one pooled object (packet_pool.h), passed by pointer with kArrival
// events and owned by whoever holds it. The first cache line is all that a switch touches; the two behind it are what
// the hosts at both ends want to know (packet_headers.h). What few packets have (telemetry, pauses, bytes) lies apart:
// a packet is as small as it can be, because a large fabric holds more of them than any cache.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/time.h"
#include "sim/fabric/packet_headers.h"
#include "sim/kernel/event.h"
#include "wire/packet.h"
#include "wire/telemetry.h"

namespace rocelab::sim {

inline constexpr unsigned kPriorities = 8;  ///< 802.1p classes, 0 to 7

/// Preamble with start delimiter, and the smallest gap between frames (IEEE 802.3, 4.4.2).
inline constexpr std::uint8_t kEthernetGapBytes = 20;

/// The values of the two ECN bits (RFC 3168, 5).
enum class Ecn : std::uint8_t { kNotCapable = 0, kCapable1 = 1, kCapable0 = 2, kMarked = 3 };

/// What a packet is and what has happened to it; set by hosts unless said otherwise.
namespace packet_flag {
inline constexpr std::uint16_t kControl = 1u << 0;     ///< of the link, not of the engine; ends at the next node
inline constexpr std::uint16_t kPfc = 1u << 1;         ///< a pause frame; with kControl. Set by Port
inline constexpr std::uint16_t kProbe = 1u << 2;       ///< looks for deadlocks; with kControl. Set by switches
inline constexpr std::uint16_t kAck = 1u << 3;         ///< acknowledgement, NAK or read response without payload
inline constexpr std::uint16_t kCnp = 1u << 4;         ///< congestion notification packet
inline constexpr std::uint16_t kData = 1u << 5;        ///< carries payload of a message
inline constexpr std::uint16_t kLast = 1u << 6;        ///< the last packet of its message
inline constexpr std::uint16_t kRetransmit = 1u << 7;  ///< was sent before
inline constexpr std::uint16_t kTelemetry = 1u << 8;   ///< switches add a wire::HopTelemetry each
inline constexpr std::uint16_t kTrimmable = 1u << 9;   ///< its payload may be cut instead of the packet dropped
inline constexpr std::uint16_t kTrimmed = 1u << 10;    ///< its payload was cut. Set by switches
inline constexpr std::uint16_t kCorrupt = 1u << 11;    ///< a bit error: the next receiver's FCS fails. Set by links
}  // namespace packet_flag

/// What few packets carry.
struct PacketExtra {
  std::array<wire::HopTelemetry, wire::kTelemetryHopsMax> telemetry;
  wire::AtomicEth atomic_eth;                             ///< by opcode, as PacketHeaders
  std::array<std::uint16_t, kPriorities> pause_quanta{};  ///< kPfc: per enabled priority, 512 bit times each; 0 resumes
  std::uint8_t pause_enable = 0;                          ///< kPfc: bit per priority that the frame speaks of
  std::vector<std::byte> bytes;  ///< real payload or whole frame, by the host's payload mode; the way of a probe
};

struct alignas(64) Packet {
  // The line that switches touch. PacketPool resets it.
  Packet* next = nullptr;           ///< in the queue or the pool that holds it
  std::uint64_t stamp_ps = 0;       ///< when it entered the present queue
  std::uint64_t user = 0;           ///< the sending host's own; nobody else reads it
  std::uint32_t wire_bytes = 0;     ///< everything that takes time on the wire, preamble, FCS and gap included
  std::uint32_t payload_bytes = 0;  ///< of those: what trimming would cut
  NodeId source = kNoNode;          ///< host index
  NodeId destination = kNoNode;     ///< host index
  std::uint32_t flow_hash = 0;      ///< entropy for ECMP: of addresses, UDP source port and QP
  std::uint32_t flow = 0;           ///< connection number for flowlet tables and scripted loss
  std::uint16_t ingress_port = 0;   ///< at the present switch
  std::uint16_t flags = 0;          ///< of packet_flag
  std::uint8_t priority = 0;        ///< 0 to 7
  Ecn ecn = Ecn::kNotCapable;
  std::uint8_t gap_bytes = kEthernetGapBytes;  ///< of wire_bytes: what no buffer and no byte counter sees
  std::uint8_t hops = 0;                       ///< switches passed
  std::uint8_t telemetry_hops = 0;             ///< valid entries of extras->telemetry
  std::uint8_t link_epoch = 0;                 ///< of the link when it left; differs later if the link went down
  std::uint16_t spare = 0;                     ///< keeps the line full

  // Of hosts. Not reset: written by whoever sets the flag that gives it meaning.
  std::unique_ptr<PacketExtra> extras;  ///< made when it is first needed, and kept; its contents are as `headers`
  PacketHeaders headers;                ///< as the engine gave them, its payload's length in `payload_bytes`

  PacketExtra& extra() {
    if (extras == nullptr) [[unlikely]]
      extras = std::make_unique<PacketExtra>();
    return *extras;
  }
  bool has(std::uint16_t flag) const { return (flags & flag) != 0; }
  /// The frame from destination address to FCS: what buffers hold and counters count.
  std::uint32_t frame_bytes() const { return wire_bytes - gap_bytes; }
  bool ecn_capable() const { return ecn != Ecn::kNotCapable; }
};
static_assert(offsetof(Packet, extras) == 64, "what a switch touches is one cache line");
static_assert(sizeof(Packet) == 192);

}  // namespace rocelab::sim
