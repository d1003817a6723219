// The windows of a run, and the run.

#include "sim/kernel/simulation.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace rocelab::sim {
namespace {

/// Windows begin at the earliest pending event anywhere, and are as long as the partitions may run apart.
class Windows final : public RoundControl {
 public:
  Windows(std::uint64_t until_ps, std::uint64_t lookahead_ps, bool alone, Monitor* monitor)
      : until_ps_(until_ps), lookahead_ps_(lookahead_ps), alone_(alone), monitor_(monitor) {}

  Round next(std::span<const Report> reports) override {
    std::uint64_t earliest = kNever;
    std::uint64_t stop_at = kNever;
    outcome_.events = 0;
    std::uint64_t now = 0;
    for (const Report& report : reports) {
      earliest = std::min(earliest, report.next_time_ps);
      stop_at = std::min(stop_at, report.stop_at_ps);
      now = std::max(now, report.now_ps);
      outcome_.events += report.events;
    }
    outcome_.now = TimePoint::from_ps(now);
    const std::uint64_t last = std::min(until_ps_, stop_at);
    if (earliest == kNever) return end(RunEnd::kDrained);
    if (earliest > last) return end(stop_at <= until_ps_ ? RunEnd::kRequested : RunEnd::kUntil);
    if (monitor_ != nullptr && outcome_.events - reported_ >= kEventsBetweenReports) {
      reported_ = outcome_.events;
      if (!monitor_->on_progress({outcome_.now, outcome_.events})) return end(RunEnd::kStopped);
    }
    ++outcome_.windows;
    parity_ ^= 1;
    if (alone_) return {false, last, monitor_ != nullptr ? kEventsBetweenReports : kNever, parity_};
    const std::uint64_t limit = earliest > kNever - lookahead_ps_ ? kNever - 1 : earliest + lookahead_ps_ - 1;
    return {false, std::min(last, limit), kNever, parity_};
  }

  unsigned parity() const { return parity_; }
  RunOutcome& outcome() { return outcome_; }

 private:
  Round end(RunEnd end) {
    outcome_.end = end;
    return {true, 0, 0, parity_};
  }

  std::uint64_t until_ps_;
  std::uint64_t lookahead_ps_;
  bool alone_;
  Monitor* monitor_;
  std::uint64_t reported_ = 0;
  unsigned parity_ = 0;
  RunOutcome outcome_;
};

}  // namespace

NodeId Simulation::add(Node& node) {
  assert(partitions_.empty() && "nodes come before the first run");
  node.id_ = static_cast<NodeId>(nodes_.size());
  node.next_order_ = static_cast<std::uint64_t>(node.id_) << kOrderSequenceBits;
  nodes_.push_back(&node);
  return node.id_;
}

void Simulation::connect(NodeId a, NodeId b, Duration latency, Traffic traffic) {
  assert(partitions_.empty() && a < nodes_.size() && b < nodes_.size() && latency >= Duration());
  connections_.push_back({a, b, static_cast<std::uint64_t>(latency.count_ps()), traffic == Traffic::kSeldom});
}

void Simulation::schedule_initial(TimePoint at, NodeId target, std::uint16_t kind, std::uint16_t port,
                                  std::uint64_t argument) {
  const Event event{at.count_ps(), nodes_[target]->next_order_++, argument, target, kind, port};
  if (partitions_.empty()) {
    initial_.push_back(event);
  } else {
    partitions_[partition_of_[target]]->insert(event);
  }
}

void Simulation::make_partitions(unsigned wanted) {
  assert(!nodes_.empty());
  Division division = divide(nodes_.size(), connections_, wanted);
  partition_of_ = std::move(division.partition_of);
  lookahead_ps_ = std::min(division.lookahead_ps, kStopDelayPs);
  for (unsigned i = 0; i < division.partitions; ++i) {
    partitions_.push_back(std::make_unique<Partition>(i, division.partitions, partition_of_, nodes_));
  }
  for (const Event& event : initial_) partitions_[partition_of_[event.target]]->insert(event);
  initial_ = {};
}

void Simulation::deliver_mail(unsigned parity) {
  for (const auto& to : partitions_) {
    for (const auto& from : partitions_) to->receive(from->outgoing(to->index(), parity));
  }
  for (const auto& partition : partitions_) partition->clear_outgoing();
}

RunOutcome Simulation::run(TimePoint until, const RunOptions& options) {
  if (partitions_.empty()) make_partitions(std::max(1u, options.partitions));
  Windows windows(until.count_ps(), lookahead_ps_, partitions_.size() == 1, options.monitor);
  SerialExecutor serial;
  Executor& executor = options.executor != nullptr ? *options.executor : serial;
  executor.run(partitions_, windows);
  deliver_mail(windows.parity());
  RunOutcome outcome = windows.outcome();
  for (const auto& partition : partitions_) outcome.events_of_partitions.push_back(partition->events());
  return outcome;
}

}  // namespace rocelab::sim
