// What the event queue holds: a fixed-size value, no function object, no allocation. Ordered by (time, order). `order`
// is made of the creating node's id and that node's own counter, so that ties are broken the same way however the nodes
// are divided among threads: insertion order within a node, node by node across.
#pragma once

#include <cstdint>

namespace rocelab::sim {

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = ~0u;
inline constexpr unsigned kOrderSequenceBits = 40;  ///< events that one node may create: 10^12

struct Event {
  std::uint64_t time_ps = 0;
  std::uint64_t order = 0;     ///< (creator << kOrderSequenceBits) | creator's sequence number
  std::uint64_t argument = 0;  ///< number or pointer; its meaning follows from `kind`
  NodeId target = kNoNode;
  std::uint16_t kind = 0;  ///< each node class numbers its own kinds, those of fabric/port.h excepted
  std::uint16_t port = 0;  ///< of the target, where it applies
};
static_assert(sizeof(Event) == 32);

/// Events are compared by time as unsigned numbers: a simulation starts at 0 and ends before the 213 days are over.
constexpr bool before(const Event& a, const Event& b) {
  return a.time_ps != b.time_ps ? a.time_ps < b.time_ps : a.order < b.order;
}

}  // namespace rocelab::sim
