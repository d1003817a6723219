// The whole of a run: nodes, who is joined to whom with what latency, and the loop. Divides the nodes into partitions,
// lets an Executor drive them, and says how the run ended. The same nodes and initial events give the same events in
// the same order at each node, whatever the number of partitions and threads.
//
//   Simulation simulation;
//   const NodeId a = simulation.add(host_a), b = simulation.add(host_b);
//   simulation.connect(a, b, Duration::us(1));
//   simulation.schedule_initial(TimePoint(), a, kStart, 0, 0);
//   const RunOutcome outcome = simulation.run(TimePoint::from_ps(kNever), RunOptions{});
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/time.h"
#include "sim/kernel/context.h"
#include "sim/kernel/division.h"
#include "sim/kernel/executor.h"
#include "sim/kernel/node.h"

namespace rocelab::sim {

/// Where a run stands.
struct Progress {
  TimePoint now;
  std::uint64_t events = 0;  ///< handled so far
};

/// Is asked between windows, at least every kEventsBetweenReports events of a partition, on the thread that called
/// run().
class Monitor {
 public:
  virtual ~Monitor() = default;
  /// False ends the run here. (Where that is depends on the number of partitions: a run stopped so is a partial one.)
  virtual bool on_progress(const Progress& progress) = 0;
};

inline constexpr std::uint64_t kEventsBetweenReports = 1 << 18;

enum class RunEnd : std::uint8_t {
  kDrained,    ///< no event is left
  kUntil,      ///< everything up to `until` has happened, more is left
  kRequested,  ///< a node called Context::request_stop()
  kStopped,    ///< the monitor said so: partial
};

struct RunOutcome {
  RunEnd end = RunEnd::kDrained;
  TimePoint now;              ///< of the last event handled
  std::uint64_t events = 0;   ///< handled since the simulation began
  std::uint64_t windows = 0;  ///< how often the partitions waited for each other
  std::vector<std::uint64_t> events_of_partitions;
};

struct RunOptions {
  unsigned partitions = 1;       ///< the nodes may allow fewer, see Simulation::partitions()
  Executor* executor = nullptr;  ///< null: all on the calling thread
  Monitor* monitor = nullptr;    ///< null: nobody is asked
};

/// What passes over a connection.
enum class Traffic : std::uint8_t { kNormal, kSeldom };

class Simulation {
 public:
  Simulation() = default;
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  /// Ids are given in the order of the calls, from 0. The caller keeps the node alive as long as the simulation runs.
  NodeId add(Node& node);
  std::size_t nodes() const { return nodes_.size(); }
  /// Events from `a` to `b` and from `b` to `a` come at least `latency` after they were scheduled. Nodes that send each
  /// other events must be connected; nodes with no latency between them stay in one partition.
  /// A connection that carries few events does not matter for who goes with whom.
  void connect(NodeId a, NodeId b, Duration latency, Traffic traffic = Traffic::kNormal);
  /// An event from outside: before the first run, or between runs and then not before the end of the last one.
  void schedule_initial(TimePoint at, NodeId target, std::uint16_t kind, std::uint16_t port, std::uint64_t argument);

  /// Handles the events up to and including `until`. May be called again to go on, with the same number of partitions.
  RunOutcome run(TimePoint until, const RunOptions& options);

  /// Known after the first run.
  unsigned partitions() const { return static_cast<unsigned>(partitions_.size()); }
  unsigned partition_of(NodeId node) const { return partition_of_[node]; }
  /// How far partitions may run ahead of each other.
  Duration lookahead() const { return Duration::ps(static_cast<std::int64_t>(lookahead_ps_)); }

 private:
  void make_partitions(unsigned wanted);
  void deliver_mail(unsigned parity);

  std::vector<Node*> nodes_;
  std::vector<DivisionEdge> connections_;
  std::vector<Event> initial_;  ///< until there are partitions
  std::vector<std::uint16_t> partition_of_;
  std::vector<std::unique_ptr<Partition>> partitions_;
  std::uint64_t lookahead_ps_ = kStopDelayPs;
};

}  // namespace rocelab::sim
