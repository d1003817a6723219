// A scenario given as text, run to its end; the invariants are always checked. Used by the tests of whole simulations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/workload/run/experiment.h"
#include "tests/support/catch.h"

namespace rocelab::test {

class ScenarioRun {
 public:
  explicit ScenarioRun(const std::string& text, unsigned partitions = 1, sim::Executor* executor = nullptr) {
    INFO(text);
    auto loaded = sim::parse_scenario(text, "test.toml", {});
    INFO((loaded ? std::string() : loaded.error()));
    REQUIRE(loaded);
    scenario_ = std::move(*loaded);
    sim::ExperimentOptions options;
    options.partitions = partitions;
    options.executor = executor;
    auto made = sim::Experiment::make(*scenario_, options);
    INFO((made ? std::string() : made.error()));
    REQUIRE(made);
    experiment_ = std::move(*made);
    experiment_->run(nullptr);
    results_ = experiment_->results();
    const std::vector<std::string> violations = experiment_->violations();
    INFO((violations.empty() ? std::string() : violations.front()));
    CHECK(violations.empty());
    CHECK(experiment_->status() == sim::RunStatus::kComplete);
    CHECK(experiment_->totals().messages_done == experiment_->totals().messages);
  }

  sim::Experiment& experiment() { return *experiment_; }
  const sim::Scenario& scenario() const { return *scenario_; }
  const std::vector<sim::MessageResult>& results() const { return results_; }
  const sim::Task& task(const sim::MessageResult& result) const { return scenario_->plan.task(result.task); }
  /// Of the message with that number, among the finished ones.
  std::uint64_t fct_ps(std::size_t index) const { return results_.at(index).fct_ps; }
  std::uint64_t last_end_ps() const {
    std::uint64_t last = 0;
    for (const sim::MessageResult& r : results_) last = std::max(last, task(r).end_ps);
    return last;
  }

 private:
  std::unique_ptr<sim::Scenario> scenario_;
  std::unique_ptr<sim::Experiment> experiment_;
  std::vector<sim::MessageResult> results_;
};

/// |value - expected| <= expected * permille / 1000.
inline bool within(std::uint64_t value, std::uint64_t expected, std::uint64_t permille) {
  const std::uint64_t difference = value > expected ? value - expected : expected - value;
  return difference * 1000 <= expected * permille;
}

}  // namespace rocelab::test
