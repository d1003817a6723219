// How the partitions of a run get driven: the seam behind which threads (src/sim/parallel) or MPI ranks stand.
//
// The protocol is a sequence of windows. RoundControl::next() looks at what every partition reported and gives the next
// window, or the end. In a window each partition first takes the mail that the others left for it in the window before
// (outgoing(), receive()), then runs, then reports. Partitions share nothing else, so an executor may run them in any
// order or at the same time; it must see to it that every run_window() of a window is over before the next begins, and
// that next() is called on one thread only.
//
// An executor without shared memory (MPI) keeps one partition a rank, sends outgoing() as messages and reduces the
// reports by minimum and sum. An Event is plain bytes except for `argument`, which for packets is a pointer: such an
// executor has to pack what the pointer means (see README.md, "The boundary").
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "sim/kernel/partition.h"

namespace rocelab::sim {

/// The next window, the same for all partitions.
struct Round {
  bool finished = false;         ///< the run is over: nothing is to be done
  std::uint64_t limit_ps = 0;    ///< last moment of the window
  std::uint64_t events_max = 0;  ///< for each partition
  unsigned parity = 0;           ///< outbox to be filled; mail of the window before lies in the other
};

/// What a partition says after a window.
struct Report {
  std::uint64_t next_time_ps = 0;  ///< kNever: nothing left
  std::uint64_t stop_at_ps = 0;    ///< kNever: no node asked for it
  std::uint64_t events = 0;        ///< handled since the simulation began
  std::uint64_t now_ps = 0;        ///< of the last event handled
};

/// Decides on the windows. Simulation's own; executors only call it.
class RoundControl {
 public:
  virtual ~RoundControl() = default;
  virtual Round next(std::span<const Report> reports) = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;
  /// Drives the partitions until `control` says that the run is over.
  virtual void run(std::span<const std::unique_ptr<Partition>> partitions, RoundControl& control) = 0;
};

/// One window of one partition, mail first: what executors in shared memory call.
void run_round(std::span<const std::unique_ptr<Partition>> partitions, unsigned index, const Round& round);
Report report_of(const Partition& partition, unsigned parity);

/// All partitions one after the other on the calling thread.
class SerialExecutor final : public Executor {
 public:
  void run(std::span<const std::unique_ptr<Partition>> partitions, RoundControl& control) override;
};

}  // namespace rocelab::sim
