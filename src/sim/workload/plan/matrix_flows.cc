// See matrix_flows.h.
#include "sim/workload/plan/matrix_flows.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <vector>

namespace rocelab::sim {

namespace {

constexpr std::uint32_t kPriorities = 8;

/// A trigger with both its sides, as indices of connections in the order of the file.
struct Wiring {
  const MatrixTrigger* trigger = nullptr;
  std::vector<std::size_t> firing;
  std::vector<std::size_t> targets;

  /// How many firings start the target.
  std::uint32_t needed(std::size_t target) const {
    switch (trigger->kind) {
      case MatrixTriggerKind::kOneShot:
        return 1;
      case MatrixTriggerKind::kMultiShot:
        return static_cast<std::uint32_t>(target + 1);
      case MatrixTriggerKind::kBarrier:
        return trigger->count;
    }
    return 1;
  }
};

class MatrixPlan {
 public:
  MatrixPlan(const ConnectionMatrix& matrix, const MatrixUse& use)
      : matrix_(matrix), use_(use), told_(matrix.connections.size(), false) {}

  base::TextResult<void> check() {
    if (matrix_.connections.empty()) return failed(1, "there is no connection in it");
    if (!matrix_.failures.empty()) {
      return failed(1, "failures in a connection matrix are not read: write them as [[fault]] in the scenario");
    }
    for (const MatrixTrigger& t : matrix_.triggers) {
      if (!wirings_.try_emplace(t.id, Wiring{&t, {}, {}}).second) {
        return failed(t.line, fmt::format("trigger {} is defined twice", t.id));
      }
    }
    for (std::size_t i = 0; i < matrix_.connections.size(); ++i) {
      if (auto good = check_one(i); !good) return good;
    }
    for (const auto& [id, wiring] : wirings_) {
      if (auto good = check_ends(id, wiring); !good) return good;
    }
    return check_all_begin();
  }

  void add(Plan& plan) const {
    std::uint64_t earliest = use_.rebase ? std::numeric_limits<std::uint64_t>::max() : 0;
    for (const MatrixConnection& c : matrix_.connections) {
      if (c.start) earliest = std::min(earliest, c.start->count_ps());
    }
    plan.reserve(plan.size() + 2 * matrix_.connections.size() + 1);
    std::vector<Plan::Message> tasks;
    for (std::size_t i = 0; i < matrix_.connections.size(); ++i) {
      const MatrixConnection& c = matrix_.connections[i];
      const std::uint64_t at = c.start ? c.start->count_ps() - earliest + use_.start_ps : 0;
      const auto priority = static_cast<std::uint8_t>(c.priority.value_or(use_.priority));
      if (told_[i]) {
        tasks.push_back(plan.message(use_.workload, c.source, c.destination, c.bytes, at, priority));
      } else {
        tasks.push_back({plan.send(use_.workload, c.source, c.destination, c.bytes, at, priority), kNoTask});
      }
    }
    for (const auto& [id, wiring] : wirings_) {
      for (std::size_t k = 0; k < wiring.targets.size(); ++k) {
        const std::size_t target = wiring.targets[k];
        for (const std::size_t from : wiring.firing) {
          const bool at_source = matrix_.connections[from].source == matrix_.connections[target].source;
          plan.after(tasks[target].send, at_source ? tasks[from].send : tasks[from].receive);
        }
        plan.after_some(tasks[target].send, wiring.needed(k));
      }
    }
  }

 private:
  base::TextResult<void> failed(std::uint32_t line, std::string_view what) const {
    return base::fail_text(fmt::format("{}:{}: {}", use_.file, line, what));
  }

  base::TextResult<void> check_one(std::size_t index) {
    const MatrixConnection& c = matrix_.connections[index];
    if (c.source >= use_.host_count || c.destination >= use_.host_count) {
      return failed(c.line, fmt::format("the topology has {} hosts only", use_.host_count));
    }
    if (c.priority && *c.priority >= kPriorities) {
      return failed(c.line, fmt::format("prio {}: expected 0 to {}", *c.priority, kPriorities - 1));
    }
    if (c.added_on_trigger) return failed(c.line, "addon: a connection that grows by a trigger is not supported");
    for (const std::uint32_t id : {c.trigger, c.send_done_trigger, c.receive_done_trigger}) {
      if (id != 0 && wirings_.count(id) == 0) return failed(c.line, fmt::format("trigger {} is not defined", id));
    }
    if (c.trigger != 0) wirings_[c.trigger].targets.push_back(index);
    if (c.send_done_trigger != 0) wirings_[c.send_done_trigger].firing.push_back(index);
    if (c.receive_done_trigger != 0) wirings_[c.receive_done_trigger].firing.push_back(index);
    return {};
  }

  base::TextResult<void> check_ends(std::uint32_t id, const Wiring& wiring) {
    for (const std::size_t target : wiring.targets) {
      const MatrixConnection& t = matrix_.connections[target];
      for (const std::size_t from : wiring.firing) {
        const MatrixConnection& f = matrix_.connections[from];
        if (f.source == t.source) continue;
        if (f.destination != t.source) {
          return failed(t.line, fmt::format("trigger {} is fired by {}->{} in line {}, which host {} has no part in: "
                                            "hosts learn of each other by messages alone",
                                            id, f.source, f.destination, f.line, t.source));
        }
        told_[from] = true;
      }
    }
    return {};
  }

  /// Follows the triggers from what starts by itself; whatever is not reached would wait for ever.
  base::TextResult<void> check_all_begin() const {
    std::vector<std::size_t> begun;
    for (std::size_t i = 0; i < matrix_.connections.size(); ++i) {
      if (matrix_.connections[i].trigger == 0) begun.push_back(i);
    }
    std::map<std::uint32_t, std::uint32_t> fired;
    for (std::size_t next = 0; next < begun.size(); ++next) {
      const MatrixConnection& c = matrix_.connections[begun[next]];
      for (const std::uint32_t id : {c.send_done_trigger, c.receive_done_trigger}) {
        if (id == 0) continue;
        const Wiring& wiring = wirings_.at(id);
        const std::uint32_t count = ++fired[id];
        for (std::size_t k = 0; k < wiring.targets.size(); ++k) {
          if (wiring.needed(k) == count) begun.push_back(wiring.targets[k]);
        }
      }
    }
    if (begun.size() == matrix_.connections.size()) return {};
    std::vector<bool> begins(matrix_.connections.size(), false);
    for (const std::size_t i : begun) begins[i] = true;
    const auto stuck = static_cast<std::size_t>(std::find(begins.begin(), begins.end(), false) - begins.begin());
    const MatrixConnection& c = matrix_.connections[stuck];
    return failed(c.line, fmt::format("the connection never begins: trigger {} is not fired often enough", c.trigger));
  }

  const ConnectionMatrix& matrix_;
  const MatrixUse& use_;
  std::vector<bool> told_;  ///< whether the destination of each connection must know of its end
  std::map<std::uint32_t, Wiring> wirings_;
};

}  // namespace

base::TextResult<void> add_matrix(Plan& plan, const ConnectionMatrix& matrix, const MatrixUse& use) {
  MatrixPlan wired(matrix, use);
  if (auto good = wired.check(); !good) return good;
  wired.add(plan);
  return {};
}

}  // namespace rocelab::sim
