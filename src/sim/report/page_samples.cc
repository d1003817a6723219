// Queue depth and pauses over time on the page (page_data.h). The database does the sums.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "sim/report/page_data.h"

namespace rocelab::sim {

namespace {

using base::fail_text;
using base::TextResult;
using nlohmann::json;

/// "hosts", "tier 1 switches"
std::string tier_name(std::int64_t tier) { return tier == 0 ? "hosts" : fmt::format("tier {} switches", tier); }

json times_of(const TimeBins& bins) {
  json times = json::array();
  for (std::size_t i = 0; i < bins.count; ++i) {
    times.push_back(bins.first_ps + static_cast<std::int64_t>(i) * bins.width_ps);
  }
  return times;
}

std::string bin_of(const TimeBins& bins, const char* column) {
  return fmt::format("({} - {}) / {}", column, bins.first_ps, bins.width_ps);
}

/// Lines by the tier of the node: `sql` gives (bin, tier, value).
TextResult<json> lines_by_tier(Database& database, const std::string& sql, std::size_t bins, double scale) {
  auto rows = database.prepare(sql);
  if (!rows) return fail_text(rows.error());
  std::map<std::int64_t, std::vector<double>> lines;
  while (rows->next()) {
    auto& line = lines[rows->integer(1)];
    line.resize(bins);
    line[std::min(bins - 1, static_cast<std::size_t>(rows->integer(0)))] = rounded(rows->real(2) * scale);
  }
  if (const std::string error = database.error(); !error.empty()) return fail_text(error);
  json out = json::array();
  for (const auto& [tier, values] : lines) out.push_back({{"name", tier_name(tier)}, {"values", values}});
  return out;
}

struct Place {
  std::int64_t node, port, priority;
  auto operator<=>(const Place&) const = default;
};

/// Lines of the places with the largest value of `measure`: their values are `value` by bin.
TextResult<json> lines_of_top(Database& database, const PageNodes& nodes, const char* table, const std::string& bin,
                              const char* measure, const char* value, std::size_t bins, double scale) {
  auto top = database.prepare(fmt::format(
      "SELECT node, port, priority FROM {} GROUP BY 1, 2, 3 HAVING {} > 0 ORDER BY {} DESC, 1, 2, 3 LIMIT {}", table,
      measure, measure, kTopMax));
  auto rows = database.prepare(
      fmt::format("SELECT {}, {} FROM {} WHERE node = ? AND port = ? AND priority = ? GROUP BY 1", bin, value, table));
  if (!top) return fail_text(top.error());
  if (!rows) return fail_text(rows.error());
  json out = json::array();
  while (top->next()) {
    const Place place{top->integer(0), top->integer(1), top->integer(2)};
    rows->reset();
    rows->bind(1, place.node).bind(2, place.port).bind(3, place.priority);
    std::vector<double> line(bins);
    while (rows->next()) {
      line[std::min(bins - 1, static_cast<std::size_t>(rows->integer(0)))] = rounded(rows->real(1) * scale);
    }
    out.push_back({{"name", fmt::format("{}, priority {}", nodes.name(place.node, place.port), place.priority)},
                   {"values", line}});
  }
  if (const std::string error = database.error(); !error.empty()) return fail_text(error);
  return out;
}

TextResult<std::int64_t> one_number(Database& database, const std::string& sql) {
  auto row = database.prepare(sql);
  if (!row) return fail_text(row.error());
  if (!row->next()) return fail_text(database.error());
  return row->integer(0);
}

}  // namespace

std::size_t TimeBins::bin(std::int64_t at_ps) const {
  if (at_ps <= first_ps || count == 0) return 0;
  return std::min(count - 1, static_cast<std::size_t>((at_ps - first_ps) / width_ps));
}

TextResult<TimeBins> time_bins(Database& database, const char* table, const char* column, std::size_t bins_max) {
  auto rows = database.prepare(fmt::format("SELECT DISTINCT {0} FROM {1} ORDER BY {0}", column, table));
  if (!rows) return fail_text(rows.error());
  TimeBins bins;
  std::int64_t last = 0, smallest = 0;
  bool any = false;
  while (rows->next()) {
    const std::int64_t at = rows->integer(0);
    if (!any) bins.first_ps = at;
    if (any && (smallest == 0 || at - last < smallest)) smallest = at - last;
    any = true;
    last = at;
  }
  if (const std::string error = database.error(); !error.empty()) return fail_text(error);
  if (!any) return bins;
  // Over the whole run, as all charts over time have the same axis; where nothing was sampled there was nothing. A
  // whole number of sampling intervals in a bin, so that each has as many samples.
  const auto simulated = one_number(database, "SELECT simulated_ps FROM run");
  if (!simulated) return fail_text(simulated.error());
  bins.end_ps = std::max(last + std::max<std::int64_t>(1, smallest), *simulated);
  if (smallest == 0) {  // one instant
    bins.width_ps = std::max<std::int64_t>(1, bins.end_ps - bins.first_ps);
    bins.count = 1;
    return bins;
  }
  bins.first_ps %= smallest;
  const std::int64_t intervals = (std::max(last, *simulated - 1) - bins.first_ps) / smallest + 1;
  const auto wanted = static_cast<std::int64_t>(bins_max);
  const std::int64_t together = (intervals + wanted - 1) / wanted;
  bins.width_ps = smallest * together;
  bins.count = static_cast<std::size_t>((intervals + together - 1) / together);
  return bins;
}

TextResult<json> queues_part(Database& database, const PageNodes& nodes) {
  const auto bins = time_bins(database, "queue_sample", "at_ps", kTimeBinsMax);
  if (!bins) return fail_text(bins.error());
  if (bins->count == 0) return json(nullptr);
  const std::string bin = bin_of(*bins, "at_ps");
  auto tiers = lines_by_tier(database,
                             fmt::format("SELECT {}, coalesce(tier, 0), max(bytes_max) FROM queue_sample LEFT JOIN "
                                         "node ON node.id = queue_sample.node GROUP BY 1, 2",
                                         bin),
                             bins->count, 1);
  if (!tiers) return tiers;
  auto top = lines_of_top(database, nodes, "queue_sample", bin, "max(bytes_max)", "max(bytes_max)", bins->count, 1);
  if (!top) return top;
  const auto max = one_number(database, "SELECT max(bytes_max) FROM queue_sample");
  if (!max) return fail_text(max.error());
  return json{{"times", times_of(*bins)}, {"width", bins->width_ps}, {"tiers", *tiers}, {"top", *top}, {"max", *max}};
}

TextResult<json> pauses_part(Database& database, const PageNodes& nodes) {
  const auto bins = time_bins(database, "pause_sample", "start_ps", kTimeBinsMax);
  if (!bins) return fail_text(bins.error());
  if (bins->count == 0) return json(nullptr);
  const std::string bin = bin_of(*bins, "start_ps");
  const double per_width = 1.0 / static_cast<double>(bins->width_ps);
  auto tiers = lines_by_tier(database,
                             fmt::format("SELECT {}, coalesce(tier, 0), total(paused_ps) FROM pause_sample LEFT JOIN "
                                         "node ON node.id = pause_sample.node GROUP BY 1, 2",
                                         bin),
                             bins->count, per_width);
  if (!tiers) return tiers;
  auto top = lines_of_top(database, nodes, "pause_sample", bin, "total(paused_ps)", "total(paused_ps)", bins->count,
                          per_width);
  if (!top) return top;
  const auto paused = one_number(database, "SELECT total(paused_ps) FROM pause_sample");
  const auto frames = one_number(database, "SELECT total(frames) FROM pause_sample");
  if (!paused) return fail_text(paused.error());
  if (!frames) return fail_text(frames.error());
  return json{{"times", times_of(*bins)}, {"width", bins->width_ps}, {"tiers", *tiers}, {"top", *top},
              {"paused", *paused},        {"frames", *frames}};
}

}  // namespace rocelab::sim
