// What `rocelab sim` shows while it runs, and what the run costs: the only clocks of a simulation.
#pragma once

#include <chrono>
#include <cstdint>

#include "cli/stop_signal.h"
#include "sim/workload/run/experiment.h"

namespace rocelab::cli {

/// Wall time, processor time and memory from its making to the call.
class CostMeter {
 public:
  CostMeter();
  sim::RunCost cost(unsigned threads) const;

 private:
  std::chrono::steady_clock::time_point wall_;
  std::uint64_t started_unix_s_;
  std::uint64_t cpu_ns_;
};

/// One line on standard error: rewritten a few times a second on a terminal, printed every ten seconds elsewhere. Also
/// hands the stop signal to the run.
class ProgressLine final : public sim::ProgressSink {
 public:
  ProgressLine(const sim::Scenario& scenario, const StopSignal& stop, bool shown);
  bool on_progress(const sim::ProgressReport& report) override;
  /// Takes the line away.
  void clear();

 private:
  const StopSignal& stop_;
  std::uint64_t until_ps_;
  bool shown_;
  bool terminal_;
  bool on_screen_ = false;
  std::chrono::steady_clock::time_point start_, last_;
  std::uint64_t last_events_ = 0;
};

}  // namespace rocelab::cli
