// What a node sees of the kernel while it handles an event: the time and the means to schedule. One a partition; a node
// must not keep it beyond the call (but may keep it while its own fibers run). Everything here is inline: it is the hot
// path of every event.
#pragma once

#include <cassert>
#include <cstdint>
#include <vector>

#include "base/time.h"
#include "sim/kernel/event.h"
#include "sim/kernel/event_queue.h"
#include "sim/kernel/node.h"

namespace rocelab::sim {

using base::Duration;
using base::TimePoint;

/// A run that a node asks to stop goes on for this long: no window is longer, so the end is the same on any number of
/// partitions.
inline constexpr std::uint64_t kStopDelayPs = 10'000'000;

class Context {
 public:
  TimePoint now() const { return TimePoint::from_ps(now_ps_); }
  /// Schedules an event of the node being handled. `at` is not in the past. An event for another node needs
  /// at >= now + the latency that Simulation::connect() was told for the two: that is the promise on which threads run
  /// ahead of each other (checked when the two are in different partitions).
  void schedule(TimePoint at, NodeId target, std::uint16_t kind, std::uint16_t port, std::uint64_t argument) {
    assert(at.count_ps() >= now_ps_);
    const Event event{at.count_ps(), node_->next_order_++, argument, target, kind, port};
    if (partition_of_ == nullptr || partition_of_[target] == partition_) {
      queue_.push(event);
    } else {
      send(event);
    }
  }
  /// The same to oneself, to be cancelled perhaps.
  TimerHandle schedule_timer(TimePoint at, std::uint16_t kind, std::uint16_t port, std::uint64_t argument) {
    assert(at.count_ps() >= now_ps_);
    return queue_.push_timer(Event{at.count_ps(), node_->next_order_++, argument, node_->id_, kind, port});
  }
  /// False when it has happened already. O(1) amortised.
  bool cancel(TimerHandle timer) { return queue_.cancel(timer); }
  /// Ends the run kStopDelayPs from now (events of that very moment included): a node knows that nothing of interest
  /// will happen any more although events are left, samples for example. The earliest request counts.
  void request_stop() {
    const std::uint64_t at = now_ps_ + kStopDelayPs;
    if (at < stop_at_ps_) stop_at_ps_ = at;
    if (at < limit_ps_) limit_ps_ = at;
  }
  /// Which of the run's partitions this is, dense from 0: to choose a pool.
  unsigned partition() const { return partition_; }

 private:
  friend class Partition;
  using Mail = std::vector<std::vector<Event>>;  ///< one vector a receiving partition

  void send(const Event& event) {
    // Earlier would be the past of the other partition: the sender's connect() promised more latency than it kept.
    assert(event.time_ps > limit_ps_);
    (*outgoing_)[partition_of_[event.target]].push_back(event);
  }

  std::uint64_t now_ps_ = 0;
  Node* node_ = nullptr;
  const std::uint16_t* partition_of_ = nullptr;  ///< by node; null: there is one partition
  unsigned partition_ = 0;
  std::uint64_t limit_ps_ = 0;  ///< last moment of the present window
  std::uint64_t stop_at_ps_ = ~std::uint64_t{0};
  Mail* outgoing_ = nullptr;
  EventQueue queue_;
};

}  // namespace rocelab::sim
