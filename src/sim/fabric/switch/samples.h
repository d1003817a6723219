// What a switch looks like at regular moments: queues, pauses and traffic of its ports. Only what is not zero is kept,
// and only while something happens, so an idle switch costs no events and no memory.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/fabric/packet.h"
#include "sim/kernel/context.h"

namespace rocelab::sim {

/// One egress queue at the end of an interval.
struct QueueLengthSample {
  std::uint64_t at_ps = 0;
  std::uint32_t bytes = 0;
  std::uint32_t bytes_max = 0;  ///< highest in the interval
  std::uint16_t port = 0;
  std::uint8_t priority = 0;
};

/// How long a class of a port was kept from sending in the interval.
struct PausedSample {
  std::uint64_t start_ps = 0;
  std::uint64_t end_ps = 0;
  std::uint64_t paused_ps = 0;
  std::uint64_t frames = 0;  ///< pausing frames received
  std::uint16_t port = 0;
  std::uint8_t priority = 0;
};

/// What a port sent, or, where the peer is a host, received in the interval; preamble and gaps included.
struct TrafficSample {
  std::uint64_t start_ps = 0;
  std::uint64_t end_ps = 0;
  std::uint64_t bytes = 0;
  std::uint16_t port = 0;
  bool received = false;
};

struct SwitchSamples {
  std::vector<QueueLengthSample> queues;
  std::vector<PausedSample> pauses;
  std::vector<TrafficSample> traffic;
};

/// Counters of a port when it was last sampled.
struct PortSampleBase {
  std::uint64_t at_ps = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t paused_ps[kPriorities] = {};
  std::uint64_t frames[kPriorities] = {};
};

}  // namespace rocelab::sim
