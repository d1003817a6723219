// The headers of a wire::Packet as a packet of the fabric carries them: those that its opcode has, in two cache lines
// instead of four, without payload and telemetry. The sending host packs, the receiving host unpacks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wire/opcode.h"
#include "wire/packet.h"

namespace rocelab::sim {

struct PacketHeaders {
  wire::Bth bth;
  wire::ImmDt imm_dt;
  wire::Ieth ieth;
  wire::XrcEth xrc_eth;
  wire::Feth feth;
  bool real_payload = false;  ///< the payload goes along in the packet's bytes
  std::byte extension[16];    ///< RETH, DETH, or AETH with the value of an atomic: no packet has two of them
  wire::Path path;

  /// All but the header of atomic requests, which is the caller's to carry.
  void pack(const wire::Packet& packet) {
    const wire::Opcode opcode = packet.bth.opcode;
    bth = packet.bth;
    imm_dt = packet.imm_dt;
    ieth = packet.ieth;
    xrc_eth = packet.xrc_eth;
    feth = packet.feth;
    path = packet.path;
    if (wire::has_reth(opcode)) {
      put(packet.reth, 0);
    } else if (wire::has_aeth(opcode)) {
      put(packet.aeth, 0);
      put(packet.atomic_ack_eth, sizeof packet.aeth);
    } else if (wire::has_deth(opcode)) {
      put(packet.deth, 0);
    }
  }
  /// Headers that the opcode does not have are left as they are.
  void unpack(wire::Packet& packet) const {
    const wire::Opcode opcode = bth.opcode;
    packet.bth = bth;
    packet.imm_dt = imm_dt;
    packet.ieth = ieth;
    packet.xrc_eth = xrc_eth;
    packet.feth = feth;
    packet.path = path;
    if (wire::has_reth(opcode)) {
      take(packet.reth, 0);
    } else if (wire::has_aeth(opcode)) {
      take(packet.aeth, 0);
      take(packet.atomic_ack_eth, sizeof packet.aeth);
    } else if (wire::has_deth(opcode)) {
      take(packet.deth, 0);
    }
  }

 private:
  template <class Header>
  void put(const Header& header, std::size_t at) {
    static_assert(sizeof header <= sizeof extension);
    std::memcpy(extension + at, &header, sizeof header);
  }
  template <class Header>
  void take(Header& header, std::size_t at) const {
    std::memcpy(&header, extension + at, sizeof header);
  }
};
static_assert(sizeof(wire::Aeth) + sizeof(wire::AtomicAckEth) <= 16);

namespace detail {

/// Do extension headers that share a place ever come together?
constexpr bool extensions_are_apart() {
  for (unsigned value = 0; value < 256; ++value) {
    const auto opcode = static_cast<wire::Opcode>(value);
    const bool answer = wire::has_aeth(opcode) || wire::has_atomic_ack_eth(opcode);
    if (int{wire::has_reth(opcode)} + int{answer} + int{wire::has_deth(opcode)} > 1) return false;
    if (wire::has_atomic_ack_eth(opcode) && !wire::has_aeth(opcode)) return false;
  }
  return true;
}

/// Does not compile when a wire::Packet gets another member: it has to be carried here too, or its bytes elsewhere.
/// Raw frames are not: simulated devices make no QPs for them (rxe::DeviceOptions::raw_packets).
inline void knows_every_member(const wire::Packet& packet) {
  [[maybe_unused]] const auto& [path, bth, deth, reth, atomic_eth, aeth, atomic_ack_eth, imm_dt, ieth, xrc_eth, feth,
                                raw_frame, payload, telemetry] = packet;
}

}  // namespace detail
static_assert(detail::extensions_are_apart());

}  // namespace rocelab::sim
