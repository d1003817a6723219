// See sim_summary.h.
#include "cli/sim_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

namespace rocelab::cli {

namespace {

constexpr double kPsPerS = 1e12;
/// Upper bounds of the rows by message size.
constexpr std::array<std::uint64_t, 6> kBuckets = {1'000, 10'000, 100'000, 1'000'000, 10'000'000, ~std::uint64_t{0}};

std::string bytes_text(std::uint64_t bytes) {
  if (bytes >= 1'000'000'000) return fmt::format("{:.4g} GB", static_cast<double>(bytes) / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.4g} MB", static_cast<double>(bytes) / 1e6);
  if (bytes >= 1'000) return fmt::format("{:.4g} kB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{} B", bytes);
}

std::string status_text(const sim::Experiment& experiment) {
  switch (experiment.status()) {
    case sim::RunStatus::kComplete:
      return "complete";
    case sim::RunStatus::kTimeLimit:
      return "stopped at the scenario's time limit";
    case sim::RunStatus::kInterrupted:
      return "INTERRUPTED: partial results";
    case sim::RunStatus::kFailed:
      return "FAILED: " + experiment.stuck();
  }
  return "";
}

struct Row {
  double slowdown;
  std::uint64_t fct_ps;
};

/// The smallest value that at least `percent` of the rows do not exceed.
template <class T>
T percentile(const std::vector<T>& sorted, unsigned percent) {
  const std::size_t rank = (sorted.size() * percent + 99) / 100;
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

void print_row(const std::string& label, const std::vector<Row>& rows) {
  if (rows.empty()) return;
  std::vector<double> slowdowns;
  std::vector<std::uint64_t> times;
  double sum = 0;
  for (const Row& row : rows) {
    slowdowns.push_back(row.slowdown);
    times.push_back(row.fct_ps);
    sum += row.slowdown;
  }
  std::sort(slowdowns.begin(), slowdowns.end());
  std::sort(times.begin(), times.end());
  fmt::print("  {:<18}{:>9}{:>9.2f}{:>9.2f}{:>9.2f}{:>9.2f}{:>9.2f}{:>12}{:>12}\n", label, rows.size(),
             sum / static_cast<double>(rows.size()), percentile(slowdowns, 50), percentile(slowdowns, 95),
             percentile(slowdowns, 99), slowdowns.back(), time_text_ps(percentile(times, 50)),
             time_text_ps(times.back()));
}

void print_messages(sim::Experiment& experiment) {
  const std::vector<sim::MessageResult> results = experiment.results();
  if (results.empty()) return;
  std::array<std::vector<Row>, kBuckets.size()> buckets;
  std::vector<Row> all;
  for (const sim::MessageResult& r : results) {
    const std::uint64_t bytes = experiment.scenario().plan.task(r.task).bytes;
    const auto* const bucket =
        std::find_if(kBuckets.begin(), kBuckets.end(), [&](std::uint64_t b) { return bytes <= b; });
    const Row row{static_cast<double>(r.fct_ps) / static_cast<double>(r.ideal_ps), r.fct_ps};
    buckets[static_cast<std::size_t>(bucket - kBuckets.begin())].push_back(row);
    all.push_back(row);
  }
  fmt::print("\n  {:<18}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>12}{:>12}\n", "message size", "messages", "slowdown", "p50",
             "p95", "p99", "max", "FCT p50", "FCT max");
  for (std::size_t b = 0; b < kBuckets.size(); ++b) {
    const std::string label =
        b + 1 == kBuckets.size() ? "> " + bytes_text(kBuckets[b - 1]) : "<= " + bytes_text(kBuckets[b]);
    print_row(label, buckets[b]);
  }
  print_row("all", all);
}

void print_spans(const sim::Experiment& experiment) {
  const sim::Scenario& s = experiment.scenario();
  for (std::size_t w = 0; w < s.workloads.size(); ++w) {
    std::uint64_t begin = sim::kNoTime, end = 0, count = 0;
    for (const sim::PlanSpan& span : s.plan.spans()) {
      const std::uint64_t from = s.plan.task(span.from).end_ps, to = s.plan.task(span.to).end_ps;
      if (span.workload != w || from == sim::kNoTime || to == sim::kNoTime) continue;
      begin = std::min(begin, from);
      end = std::max(end, to);
      ++count;
    }
    if (count > 0)
      fmt::print("  {:<18}{} from its first begin to its last end\n", s.workloads[w].name, time_text_ps(end - begin));
  }
}

}  // namespace

std::string time_text_ps(std::uint64_t ps) {
  const auto value = static_cast<double>(ps);
  if (ps >= 1'000'000'000'000) return fmt::format("{:.4g} s", value / kPsPerS);
  if (ps >= 1'000'000'000) return fmt::format("{:.4g} ms", value / 1e9);
  if (ps >= 1'000'000) return fmt::format("{:.4g} us", value / 1e6);
  return fmt::format("{:.4g} ns", value / 1e3);
}

std::string time_text_s(double seconds) {
  if (seconds >= 3600)
    return fmt::format("{:.0f} h {:.0f} min", std::floor(seconds / 3600), std::fmod(seconds, 3600) / 60);
  if (seconds >= 60) return fmt::format("{:.0f} min {:.0f} s", std::floor(seconds / 60), std::fmod(seconds, 60));
  return fmt::format("{:.1f} s", seconds);
}

void print_scenario(const sim::Scenario& s) {
  std::uint64_t bytes = 0, messages = 0;
  for (const sim::Task& task : s.plan.tasks()) {
    if (task.kind != sim::TaskKind::kSend) continue;
    ++messages;
    bytes += task.bytes;
  }
  fmt::print("{}: {} with {} hosts, {} switches, {} links; {} messages, {}; {} faults\n", s.name, s.topology.kind,
             s.topology.host_count, s.topology.switch_count(), s.topology.links.size(), messages, bytes_text(bytes),
             s.faults.size() + s.host_faults.size());
}

void print_summary(sim::Experiment& experiment, const sim::RunCost& cost, const std::string& results_path) {
  const sim::Scenario& s = experiment.scenario();
  const sim::Totals t = experiment.totals();
  const sim::RunOutcome& outcome = experiment.outcome();
  const double wall = static_cast<double>(cost.wall_ns) / 1e9;
  print_scenario(s);
  fmt::print("{}: {} simulated, {} of {} messages done, {} failed\n", status_text(experiment),
             time_text_ps(outcome.now.count_ps()), t.messages_done, t.messages, t.messages_failed);
  print_messages(experiment);
  print_spans(experiment);
  fmt::print("\n  {} delivered, {} packets dropped, {} ECN-marked, {} pauses\n", bytes_text(t.payload_bytes), t.drops,
             t.ecn_marked, t.pauses);
  const double cpu = static_cast<double>(cost.cpu_ns) / 1e9;
  fmt::print(
      "  {} events, {} packet-hops; {:.2f} s on {} thread{}, {:.2f} s of processor time: {:.2f} M packet-hops/s; {} "
      "MB\n",
      outcome.events, t.packet_hops, wall, cost.threads, cost.threads == 1 ? "" : "s", cpu,
      static_cast<double>(t.packet_hops) / std::max(wall, 1e-9) / 1e6, cost.peak_memory_bytes / 1'000'000);
  if (!results_path.empty()) fmt::print("  results: {}\n", results_path);
}

bool print_violations(const sim::Experiment& experiment) {
  const std::vector<std::string> violations = experiment.violations();
  for (const std::string& text : violations) fmt::print(stderr, "rocelab sim: invariant broken: {}\n", text);
  return !violations.empty();
}

}  // namespace rocelab::cli
