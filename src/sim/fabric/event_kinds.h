// The kinds of event that every node of the fabric understands: those of its ports. Each node class numbers its own
// kinds from kFirstOfNode.
#pragma once

#include <cstdint>

namespace rocelab::sim::event_kind {

inline constexpr std::uint16_t kArrival = 1;       ///< argument: Packet*, now the target's; its last bit is there
inline constexpr std::uint16_t kPortFree = 2;      ///< the port has sent what it was sending
inline constexpr std::uint16_t kPauseExpired = 3;  ///< a received pause may have run out
inline constexpr std::uint16_t kLinkState = 4;     ///< argument: 0 down, 1 up; to both ends at the same time
inline constexpr std::uint16_t kBitErrors = 5;     ///< argument: new rate in errors per 10^18 bits, of what leaves here
inline constexpr std::uint16_t kFirstOfNode = 16;

}  // namespace rocelab::sim::event_kind
