// A part of the simulation's nodes with their pending events: what one thread (or one MPI rank) runs. Within a window
// it needs nothing of the others; what it has for them it leaves as mail, and takes theirs when the window is over.
// Made by Simulation, driven by an Executor.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/kernel/context.h"
#include "sim/kernel/event.h"
#include "sim/kernel/node.h"

namespace rocelab::sim {

class alignas(64) Partition {
 public:
  /// `partition_of` (by node) and `nodes` outlive the partition.
  Partition(unsigned index, unsigned partitions, const std::vector<std::uint16_t>& partition_of,
            const std::vector<Node*>& nodes);
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  unsigned index() const { return context_.partition_; }
  /// An event for a node of this partition, from outside of a run.
  void insert(const Event& event) { context_.queue_.push(event); }
  std::size_t pending() const { return context_.queue_.size(); }

  /// Handles the events up to and including `limit_ps`, at most `events_max` of them. Mail for others collects in the
  /// outbox of `parity` (0 or 1), emptied first: whoever sends in one window lets the others read during the next.
  void run_window(std::uint64_t limit_ps, std::uint64_t events_max, unsigned parity);

  /// What this partition has for partition `to`, since the last window of that parity began.
  std::span<const Event> outgoing(unsigned to, unsigned parity) const { return mail_[parity][to]; }
  /// Events for this partition's nodes that another one sent. In whatever order: events have an order of their own.
  void receive(std::span<const Event> mail);

  /// Throws the mail of both parities away: after a run, when all of it has been received.
  void clear_outgoing();

  /// Earliest event of this partition's queue or of its outbox of `parity`; kNever: none.
  std::uint64_t next_time_ps(unsigned parity) const;
  /// When a node asked the run to stop; kNever: none did.
  std::uint64_t stop_at_ps() const { return context_.stop_at_ps_; }
  std::uint64_t events() const { return events_; }           ///< handled so far
  std::uint64_t now_ps() const { return context_.now_ps_; }  ///< of the last event handled

 private:
  Context context_;
  const std::vector<Node*>& nodes_;
  std::array<Context::Mail, 2> mail_;
  std::uint64_t events_ = 0;
};

}  // namespace rocelab::sim
