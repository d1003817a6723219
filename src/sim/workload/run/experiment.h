// One run of a scenario: builds the network, carries out the plan, watches, and hands everything that came of it to a
// ResultsWriter. Called by `rocelab sim` and by the tests; on one or more threads with the same results.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "sim/kernel/executor.h"
#include "sim/report/results.h"
#include "sim/workload/run/ideal.h"
#include "sim/workload/run/network.h"
#include "sim/workload/run/runner.h"
#include "sim/workload/scenario/scenario.h"

namespace rocelab::sim {

/// Where a run stands.
struct ProgressReport {
  std::uint64_t now_ps = 0;
  std::uint64_t events = 0;
  std::uint64_t messages = 0;       ///< of the plan
  std::uint64_t messages_done = 0;  ///< failed ones included
  std::uint64_t bytes = 0;
  std::uint64_t bytes_done = 0;
};

class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  /// Called now and then during the run, on the calling thread. False ends it; the results are partial then.
  virtual bool on_progress(const ProgressReport& report) = 0;
};

/// What came of a message.
struct MessageResult {
  TaskId task = 0;
  std::uint64_t fct_ps = 0;    ///< from its start to the sender's completion
  std::uint64_t ideal_ps = 0;  ///< alone on the empty network
};

struct Totals {
  std::uint64_t messages = 0;
  std::uint64_t messages_done = 0;
  std::uint64_t messages_failed = 0;
  std::uint64_t payload_bytes = 0;  ///< of messages that are done
  std::uint64_t packets = 0;        ///< sent by hosts
  std::uint64_t packet_hops = 0;    ///< packets arrived anywhere
  std::uint64_t drops = 0;
  std::uint64_t ecn_marked = 0;
  std::uint64_t pauses = 0;  ///< times that a switch paused a neighbour
};

struct ExperimentOptions {
  unsigned partitions = 1;
  Executor* executor = nullptr;  ///< null: the calling thread alone
  bool samples = true;           ///< false: only if the scenario asks for them
};

class Experiment {
 public:
  /// The scenario outlives the experiment, which writes into its plan.
  static base::TextResult<std::unique_ptr<Experiment>> make(Scenario& scenario, const ExperimentOptions& options);

  /// Once. `sink` may be null.
  void run(ProgressSink* sink);

  RunStatus status() const { return status_; }
  const RunOutcome& outcome() const { return outcome_; }
  Totals totals() const;
  /// Messages that are done, in the order of the plan.
  std::vector<MessageResult> results();
  /// Invariants that do not hold, a sentence each: bytes conserved, lossless classes without loss, queues empty at the
  /// end, every request completed once. Empty after a good run.
  std::vector<std::string> violations() const;
  /// Tasks that never ended although the run came to its end: a sentence, or empty.
  std::string stuck() const;
  /// Everything but the end record (RunInfo is the caller's, and so is finish()).
  void write(ResultsWriter& writer);
  RunSummary summary() const;

  Network& network() { return *network_; }
  const Scenario& scenario() const { return scenario_; }
  /// The packets of this scenario, for closed forms.
  PacketShape shape() const;

 private:
  Experiment(Scenario& scenario, const ExperimentOptions& options);
  void write_fabric(ResultsWriter& writer) const;
  void write_messages(ResultsWriter& writer);
  void write_spans(ResultsWriter& writer) const;
  void write_samples(ResultsWriter& writer) const;
  void write_counters(ResultsWriter& writer) const;
  void write_findings(ResultsWriter& writer) const;

  Scenario& scenario_;
  ExperimentOptions options_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Conductor> conductor_;
  std::unique_ptr<Runner> runner_;
  std::vector<ConnectionOptions> single_, shared_;  ///< by priority
  RunOutcome outcome_;
  RunStatus status_ = RunStatus::kComplete;
};

}  // namespace rocelab::sim
