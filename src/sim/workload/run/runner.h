// Carries out a plan: starts a host's tasks when their time and their dependencies allow, posts messages, notes when
// things begin and end. One object for all hosts; whatever it keeps is a host's own and touched in that host's events
// only, so that hosts may be on different threads. Made by the experiment.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "sim/host/host.h"
#include "sim/kernel/simulation.h"
#include "sim/workload/plan/plan.h"
#include "sim/workload/run/conductor.h"

namespace rocelab::sim {

/// How connections are made: a message of its own for flows, or one that carries all messages between two hosts.
struct ConnectionPolicy {
  /// By priority; both outlive the hosts.
  std::function<const ConnectionOptions&(std::uint8_t priority)> single;
  std::function<const ConnectionOptions&(std::uint8_t priority)> shared;
};

class Runner final : public HostUser, public FlowOwner {
 public:
  /// All outlive the runner. The plan is sealed.
  Runner(Plan& plan, std::span<const std::unique_ptr<Host>> hosts, Conductor& conductor);

  /// Before the run: makes the connections and schedules the first task of every host.
  void prepare(Simulation& simulation, const ConnectionPolicy& policy);

  void on_event(Host& host, Context& context, std::uint16_t kind, std::uint64_t argument) override;
  void on_complete(Host& host, Context& context, ConnectionId connection, std::uint64_t user,
                   rxe::WcStatus status) override;
  void on_message(Host& host, Context& context, ConnectionId connection, std::uint32_t bytes,
                  std::uint32_t immediate) override;

  /// Between windows of the run, or after it.
  struct Tally {
    std::uint64_t sends_done = 0;
    std::uint64_t sends_failed = 0;
    std::uint64_t bytes_done = 0;
  };
  Tally tally() const;
  std::uint64_t sends() const { return sends_; }
  /// Of a kSend task: its connection at the sender.
  ConnectionId connection_of(TaskId task) const { return connections_[task]; }

 private:
  enum Kind : std::uint16_t {
    kStarts = host_event::kFirstOfUser,  ///< the next of the tasks without dependencies is due
    kBegin,                              ///< argument: a task whose delay is over
  };
  /// A cache line a host, so that threads do not disturb each other.
  struct alignas(64) HostState {
    std::uint32_t first_start = 0;  ///< into starts_
    std::uint32_t next_start = 0;
    std::uint32_t end_start = 0;
    std::uint32_t open = 0;  ///< tasks that have not ended
    bool following = false;  ///< end() is at work further up
    Tally tally;
    std::vector<TaskId> ended;  ///< whose successors have to be told
  };

  void start_due(Host& host, Context& context);
  void make_ready(Host& host, Context& context, TaskId id);
  void begin(Host& host, Context& context, TaskId id);
  void end(Host& host, Context& context, TaskId id, TaskStatus status);

  Plan& plan_;
  std::span<const std::unique_ptr<Host>> hosts_;
  Conductor& conductor_;
  std::vector<HostState> states_;
  std::vector<TaskId> starts_;  ///< tasks without dependencies, by host, then by time
  std::vector<ConnectionId> connections_;
  std::uint64_t sends_ = 0;
};

}  // namespace rocelab::sim
