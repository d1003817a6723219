// Which egress port a packet takes at a switch. One object serves all switches of a fabric: the forwarding tables are
// shared and read-only, the little state that a policy needs (salt, chance, flowlets) is kept per switch in its own
// cache lines and touched by that switch alone. Tables after each scripted failure are computed before the run and take
// effect at their time, so a run on several threads decides as a run on one.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace rocelab::sim {

inline constexpr unsigned kNoRoute = 0xffff;  ///< from Routing::egress(): count the packet as unreachable and drop it

enum class RoutingPolicy : std::uint8_t {
  kEcmp,   ///< a flow keeps to one of the shortest paths, by hash of its entropy; REPS is this with entropy per packet
  kSpray,  ///< each packet takes a random one of the shortest paths
  kFlowlet,   ///< a flow may change its path after a pause longer than the gap
  kAdaptive,  ///< a flow moves to the shortest queue among its ports when its own is longer by more than the hysteresis
};

/// What the adaptive policy sees of a switch: bytes queued at each egress port. `stride` is the distance in bytes from
/// one port's number to the next port's, so that the number may be a member of a port structure.
struct QueueView {
  const std::uint32_t* queued_bytes = nullptr;
  std::uint32_t stride = sizeof(std::uint32_t);
  std::uint32_t at(unsigned port) const {
    return *reinterpret_cast<const std::uint32_t*>(reinterpret_cast<const char*>(queued_bytes) +
                                                   static_cast<std::size_t>(stride) * port);
  }
};

/// What of a packet decides its way.
struct RouteKey {
  std::uint32_t destination = 0;  ///< host index
  std::uint32_t flow_hash = 0;    ///< entropy of the flow, or of the packet where the host sprays
};

}  // namespace rocelab::sim
