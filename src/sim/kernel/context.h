// What a node sees of the kernel while it handles an event: the time and the means to schedule. One a partition; a node
// must not keep it beyond the call (but may keep it while its own fibers run).
#pragma once

#include <cstdint>

#include "base/time.h"
#include "sim/kernel/event.h"

namespace rocelab::sim {

using base::Duration;
using base::TimePoint;

/// Names a scheduled event until it has happened or been cancelled.
struct TimerHandle {
  std::uint32_t slot = ~0u;
  std::uint32_t generation = 0;
};

class Context {
 public:
  TimePoint now() const;
  /// Schedules an event of the node being handled. `at` is not in the past. An event for another node needs
  /// at >= now + the latency that Simulation::connect() was told for the two: that is the promise on which threads run
  /// ahead of each other (checked when the two are in different partitions).
  void schedule(TimePoint at, NodeId target, std::uint16_t kind, std::uint16_t port, std::uint64_t argument);
  /// The same to oneself, to be cancelled perhaps.
  TimerHandle schedule_timer(TimePoint at, std::uint16_t kind, std::uint16_t port, std::uint64_t argument);
  /// False when it has happened already. O(1) amortised.
  bool cancel(TimerHandle timer);
  /// Which of the run's partitions this is, dense from 0: to choose a pool.
  unsigned partition() const;
};

}  // namespace rocelab::sim
