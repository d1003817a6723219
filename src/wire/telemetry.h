// What a switch notes on a packet that passes it (in-band network telemetry, INT): one record a hop, as HPCC reads them
// (Li et al., "HPCC: High Precision Congestion Control", SIGCOMM 2019, section 3.1). Filled by the simulated fabric,
// echoed by the responder with the acknowledgement, read by the requester's congestion control. Not encoded in frames.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocelab::wire {

/// Hops that are noted at most; later ones are not.
inline constexpr std::size_t kTelemetryHopsMax = 8;

struct HopTelemetry {
  std::uint64_t timestamp_ps = 0;  ///< when the packet began to leave, by the switch's clock
  std::uint64_t tx_bytes = 0;      ///< that this egress port had sent until then, this packet not included
  std::uint32_t queue_bytes = 0;   ///< that wait at the egress port behind this packet
  std::uint32_t rate_mbps = 0;     ///< of the egress link, in 10^6 bits/s
};
static_assert(sizeof(HopTelemetry) == 24);

}  // namespace rocelab::wire
