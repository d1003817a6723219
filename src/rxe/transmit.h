// What the parts of the transport that build packets have in common: the outcome of offering one to the sink, and the
// named limits of sending.
#pragma once

#include <cstddef>
#include <cstdint>

#include "rxe/device.h"
#include "rxe/engine.h"

namespace rocelab::rxe {

enum class Offer : std::uint8_t {
  kNothing,  ///< there is nothing to say
  kTaken,
  kRefused,  ///< the sink has no room; nothing has changed
};

/// PSNs in flight at most: half of the circle (IBTA vol 1, 9.7.2), so that old and new are told apart.
inline constexpr std::uint64_t kPsnsInFlightMax = 1u << 23;
/// Packets that a QP may send before the next one gets its turn.
inline constexpr std::size_t kBurstPerTurn = 16;
/// Ethernet, IPv4, UDP, BTH, ICRC, FCS and the gap between frames: what congestion control counts beside the payload.
inline constexpr std::uint32_t kWireOverheadBytes = 14 + 20 + 8 + 12 + 4 + 4 + 20;

/// Packets that a message of this length takes: at least one. IBTA vol 1, 9.7.2.
inline std::uint32_t packets_of(std::uint32_t length, std::uint32_t mtu) {
  return length <= mtu ? 1 : (length - 1) / mtu + 1;
}

/// Counts a packet that the sink has taken.
inline void count_sent(Engine& engine, const wire::Packet& packet) {
  ++engine.counters.sent_pkts;
  engine.counters.sent_bytes += packet.payload.length;
}

/// After each word to a QP's congestion control: its own deadline among the QP's.
inline void keep_congestion_timer(Engine& engine, Qp& qp) {
  const auto next = qp.congestion->next_timer();
  if (!next || (qp.timers.armed(Deadline::kCongestion) && qp.timers.at(Deadline::kCongestion) == *next)) return;
  qp.timers.arm(engine.timers, Deadline::kCongestion, *next);
}

/// Offers the next packet of a QP: what the responder owes first, then a request.
Offer poll_qp(Engine& engine, Qp& qp, TimePoint now, TxSink& sink);

}  // namespace rocelab::rxe
