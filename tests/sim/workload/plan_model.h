// Runs a plan without a network: every message takes the same time, so that a test can ask when tasks end and whether
// all of them do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "sim/workload/plan/plan.h"

namespace rocelab::test {

class PlanModel {
 public:
  PlanModel(sim::Plan& plan, std::uint64_t message_ps) : plan_(plan), message_ps_(message_ps) {
    plan_.seal();
    unmet_.resize(plan_.size());
    ready_.resize(plan_.size(), 0);
    for (sim::TaskId id = 0; id < plan_.size(); ++id) {
      // A receive also waits for its message.
      unmet_[id] = plan_.task(id).unmet + (plan_.task(id).kind == sim::TaskKind::kReceive ? 1 : 0);
      if (unmet_[id] == 0) begin(id);
    }
    while (!ends_.empty()) {
      const auto [at, id] = *ends_.begin();
      ends_.erase(ends_.begin());
      end(at, id);
    }
  }

  /// Tasks that never ended.
  std::size_t stuck() const {
    std::size_t count = 0;
    for (sim::TaskId id = 0; id < plan_.size(); ++id)
      count += plan_.task(id).status != sim::TaskStatus::kDone ? 1u : 0u;
    return count;
  }
  std::uint64_t end_ps() const { return end_ps_; }
  std::uint64_t bytes_sent(std::uint32_t host) const {
    std::uint64_t sum = 0;
    for (const sim::Task& task : plan_.tasks())
      sum += task.kind == sim::TaskKind::kSend && task.host == host ? task.bytes : 0;
    return sum;
  }
  std::size_t sends() const {
    return static_cast<std::size_t>(std::count_if(plan_.tasks().begin(), plan_.tasks().end(),
                                                  [](const sim::Task& t) { return t.kind == sim::TaskKind::kSend; }));
  }

 private:
  void begin(sim::TaskId id) {
    const sim::Task& task = plan_.task(id);
    const std::uint64_t takes = task.kind == sim::TaskKind::kSend ? message_ps_ : 0;
    ends_.emplace(ready_[id] + task.delay_ps + takes, id);
  }
  void end(std::uint64_t at, sim::TaskId id) {
    plan_.task(id).status = sim::TaskStatus::kDone;
    plan_.task(id).end_ps = at;
    end_ps_ = std::max(end_ps_, at);
    for (const sim::TaskId next : plan_.successors(id)) met(next, at);
    if (plan_.task(id).kind == sim::TaskKind::kSend && plan_.task(id).message != sim::kNoTask)
      met(plan_.task(id).message, at);
  }
  void met(sim::TaskId id, std::uint64_t at) {
    if (unmet_[id] == 0) return;  // began without it
    ready_[id] = std::max(ready_[id], at);
    if (--unmet_[id] == 0) begin(id);
  }

  sim::Plan& plan_;
  std::uint64_t message_ps_;
  std::vector<std::uint32_t> unmet_;
  std::vector<std::uint64_t> ready_;
  std::multimap<std::uint64_t, sim::TaskId> ends_;
  std::uint64_t end_ps_ = 0;
};

}  // namespace rocelab::test
