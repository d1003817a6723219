// What a switch counts, as its users read it after (or during) a run. The names are those of counters.cc's
// for_each_counter(), which follow what real switches show per port and priority.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

#include "sim/fabric/switch/state.h"

namespace rocelab::sim {

class Switch;

/// One class at one port: as ingress (rx), as egress (tx, queue).
struct ClassCounters {
  std::uint64_t rx_packets = 0;  ///< good ones, before any decision
  std::uint64_t rx_bytes = 0;    ///< frames
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t ecn_marked = 0;
  std::uint64_t queue_watermark_bytes = 0;     ///< egress queue
  std::uint64_t ingress_watermark_bytes = 0;   ///< charged to the ingress group, headroom included
  std::uint64_t headroom_watermark_bytes = 0;  ///< of that, in the headroom
  std::uint64_t xoffs = 0;                     ///< times that the peer was paused
  std::uint64_t xoff_ps = 0;                   ///< for how long in all
  std::uint64_t pause_frames_rx = 0;           ///< pausing frames from the peer
  std::uint64_t paused_ps = 0;                 ///< for how long in all they kept the class from sending
  RareCounters rare;
};

struct SwitchTotals {
  std::uint64_t rx_packets = 0;  ///< good ones, pause frames excluded
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;  ///< likewise
  std::uint64_t tx_bytes = 0;
  std::uint64_t ecn_marked = 0;
  std::uint64_t xoffs = 0;
  std::uint64_t queued_packets = 0;
  std::uint64_t queued_bytes = 0;
  RareCounters rare;

  std::uint64_t dropped() const;
};

using CounterVisitor = std::function<void(unsigned port, std::string_view name, std::uint64_t value)>;

/// Every counter that is not 0, port by port, under names like "rx_packets_prio3", "drops_buffer_prio3", "pause_tx".
void for_each_counter(const Switch& node, TimePoint now, const CounterVisitor& visit);

}  // namespace rocelab::sim
