// The memory of a switch, laid out for the path of a packet: a line per egress port besides its Port, a line per egress
// queue, a line per ingress group. Queues and groups of a class exist from the class's first packet on.
#pragma once

#include <array>
#include <cstdint>

#include "qos/ets_scheduler.h"
#include "qos/shared_buffer.h"
#include "sim/fabric/packet.h"
#include "sim/fabric/port.h"

namespace rocelab::sim {

/// A port and how its egress side stands.
struct alignas(64) SwitchPort {
  Port port;
  std::uint32_t queued_bytes = 0;  ///< in all its queues; first here: routing's QueueView points at it
  std::uint8_t ready = 0;          ///< classes whose queue is not empty, a bit each
  std::uint8_t xoff_sent = 0;      ///< classes for which the peer has been told to pause
  std::uint8_t dropping = 0;       ///< classes whose queue a watchdog has closed
  std::uint8_t marker = 0;         ///< index into the switch's markers
  bool renewal_pending = false;    ///< a kRenewPauses is scheduled
  qos::EtsScheduler ets;
};
static_assert(sizeof(SwitchPort) == 192);

/// One class at one egress port.
struct alignas(64) EgressQueue {
  Packet* head = nullptr;
  Packet* tail = nullptr;
  std::uint32_t bytes = 0;
  std::uint32_t packets = 0;
  std::uint32_t watermark_bytes = 0;   ///< the most that `bytes` has been
  std::uint32_t window_max_bytes = 0;  ///< the same since the last sample
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t ecn_marked = 0;
};

/// One class at one ingress port.
struct alignas(64) IngressGroup {
  qos::BufferGroup buffer;
  qos::BufferGroupLimits limits;
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint32_t watermark_bytes = 0;           ///< the most that was charged, headroom included
  std::uint32_t headroom_watermark_bytes = 0;  ///< the most that was in the headroom
  bool xoff = false;                           ///< the peer has been told to pause: as in the port's xoff_sent
};
static_assert(sizeof(EgressQueue) == 64 && sizeof(IngressGroup) == 64);

/// Why a packet was dropped.
enum class DropReason : std::uint8_t {
  kUnroutable,  ///< nowhere to send it, or it has passed too many switches. At the ingress port, as kHeadroom
  kHeadroom,    ///< lossless, and neither threshold nor headroom had room: an error of the configuration
  kBuffer,      ///< lossy, and the queue or the pool was full. At the egress port, as all below
  kLinkDown,    ///< the link by which it was to leave is down
  kWatchdog,    ///< the PFC watchdog has closed the queue
};
inline constexpr unsigned kDropReasons = 5;

/// Rare things, counted per port and class once they have happened anywhere in the switch.
struct RareCounters {
  std::array<std::uint64_t, kDropReasons> drops{};
  std::uint64_t trimmed = 0;        ///< packets whose payload was cut at this egress port
  std::uint64_t trimmed_bytes = 0;  ///< that were cut
  std::uint64_t dropped_bytes = 0;  ///< frames, for all reasons
  std::uint64_t xoffs = 0;          ///< times that the peer was told to pause (renewals not counted)
  std::uint64_t xoff_since_ps = 0;  ///< while it is paused
  std::uint64_t xoff_total_ps = 0;  ///< the present pause not included
};

}  // namespace rocelab::sim
