// The packet as the engine sees it: decoded headers and a view of the payload. Only the edge (net/frame_codec.h) makes
// bytes of it; the simulator passes it on as it is. Which extension headers mean something follows from bth.opcode.
// Owns nothing: payload memory belongs to the application (sending) or to the frame (receiving).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "wire/aeth.h"
#include "wire/atomic_ack_eth.h"
#include "wire/atomic_eth.h"
#include "wire/bth.h"
#include "wire/deth.h"
#include "wire/feth.h"
#include "wire/gid.h"
#include "wire/ieth.h"
#include "wire/imm_dt.h"
#include "wire/mac.h"
#include "wire/reth.h"
#include "wire/telemetry.h"
#include "wire/xrc_eth.h"

namespace rocelab::wire {

/// One piece of a payload. data == nullptr: elided, only the length is known (simulator).
struct Segment {
  const std::byte* data = nullptr;
  std::uint32_t length = 0;
};

struct Payload {
  const std::byte* data = nullptr;  ///< contiguous bytes, when `pieces` is empty
  std::uint32_t length = 0;         ///< of everything, without padding
  std::span<const Segment> pieces;  ///< a gather list whose lengths sum to `length` (transmit side)
};

enum class Encapsulation : std::uint8_t { kRoceV1, kRoceV2Ipv4, kRoceV2Ipv6 };

/// Addressing of a packet; a sender keeps one ready-made per QP or address handle.
struct Path {
  Encapsulation encapsulation = Encapsulation::kRoceV2Ipv4;
  MacAddress source_mac{};
  MacAddress destination_mac{};
  bool has_vlan = false;
  std::uint16_t vlan_id = 0;  ///< 12 bits
  std::uint8_t priority = 0;  ///< PCP, 3 bits; sent only in a VLAN tag
  Gid source_gid;             ///< IPv4 as ::ffff:a.b.c.d
  Gid destination_gid;
  std::uint8_t traffic_class = 0;  ///< DSCP << 2 | ECN
  std::uint32_t flow_label = 0;    ///< 20 bits, IPv6 and GRH
  std::uint8_t hop_limit = 64;     ///< TTL
  std::uint16_t udp_source_port = 0;
  std::uint16_t ipv4_identification = 0;

  friend bool operator==(const Path&, const Path&) = default;
};

struct Packet {
  Path path;
  Bth bth;
  Deth deth;
  Reth reth;
  AtomicEth atomic_eth;
  Aeth aeth;
  AtomicAckEth atomic_ack_eth;
  ImmDt imm_dt;
  Ieth ieth;
  XrcEth xrc_eth;
  Feth feth;
  bool raw_frame = false;  ///< no packet of ours: the payload is a whole Ethernet frame, and nothing else counts
  Payload payload;
  std::span<const HopTelemetry> telemetry;  ///< of the simulated fabric: on a request as noted, on an ACK as echoed
};

/// The headers as one line: "RoCEv2 10.77.0.1 > 10.77.0.2 RC_SEND_ONLY qp 0x12 psn 123 A len 64".
std::string to_string(const Packet& packet);

}  // namespace rocelab::wire
