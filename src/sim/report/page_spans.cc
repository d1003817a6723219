// Timelines on the page: bars of ranks' steps (page_data.h). Where a bar would be thinner than the eye sees, neighbours
// of the same operation become one.
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

struct Bar {
  std::size_t operation = 0;
  std::int64_t start_ps = 0;
  std::int64_t end_ps = 0;
  std::int64_t bytes = 0;
  std::int64_t merged = 1;
  bool open = false;  ///< not finished when the run ended
  std::string label;
};

struct Lane {
  std::int64_t node = 0;
  std::vector<Bar> bars;
};

struct Timeline {
  std::string name;
  std::vector<std::string> operations;
  std::map<std::int64_t, Lane> lanes;
  std::int64_t start_ps = 0;
  std::int64_t end_ps = 0;

  std::size_t operation(std::string_view text) {
    const auto at = std::find(operations.begin(), operations.end(), text);
    if (at != operations.end()) return static_cast<std::size_t>(at - operations.begin());
    operations.emplace_back(text);
    return operations.size() - 1;
  }
  std::size_t bars() const {
    std::size_t sum = 0;
    for (const auto& [rank, lane] : lanes) sum += lane.bars.size();
    return sum;
  }
};

TextResult<std::vector<Timeline>> read_timelines(Database& database) {
  auto rows = database.prepare(
      "SELECT timeline, lane, operation, label, node, start_ps, coalesce(finish_ps, (SELECT simulated_ps FROM run)), "
      "bytes, finish_ps IS NULL FROM span ORDER BY timeline, lane, start_ps, id");
  if (!rows) return fail_text(rows.error());
  std::vector<Timeline> timelines;
  while (rows->next()) {
    if (timelines.empty() || timelines.back().name != rows->text(0)) {
      timelines.emplace_back();
      timelines.back().name = rows->text(0);
      timelines.back().start_ps = rows->integer(5);
    }
    Timeline& timeline = timelines.back();
    Lane& lane = timeline.lanes[rows->integer(1)];
    lane.node = rows->integer(4);
    Bar bar;
    bar.operation = timeline.operation(rows->text(2));
    bar.label = rows->text(3);
    bar.start_ps = rows->integer(5);
    bar.end_ps = std::max(bar.start_ps, rows->integer(6));
    bar.bytes = rows->integer(7);
    bar.open = rows->integer(8) != 0;
    timeline.start_ps = std::min(timeline.start_ps, bar.start_ps);
    timeline.end_ps = std::max(timeline.end_ps, bar.end_ps);
    lane.bars.push_back(std::move(bar));
  }
  if (const std::string error = database.error(); !error.empty()) return fail_text(error);
  return timelines;
}

/// Evenly spaced lanes, and the one that ends last.
void thin_lanes(Timeline& timeline) {
  if (timeline.lanes.size() <= kLanesMax) return;
  std::map<std::int64_t, Lane> kept;
  std::size_t i = 0;
  const std::size_t count = timeline.lanes.size();
  for (auto& [rank, lane] : timeline.lanes) {
    const bool last =
        std::any_of(lane.bars.begin(), lane.bars.end(), [&](const Bar& bar) { return bar.end_ps == timeline.end_ps; });
    const bool chosen = i * (kLanesMax - 1) / count != (i + 1) * (kLanesMax - 1) / count;
    ++i;
    if (chosen || (last && kept.size() < kLanesMax)) kept.emplace(rank, std::move(lane));
  }
  while (kept.size() > kLanesMax) kept.erase(std::prev(kept.end()));
  timeline.lanes = std::move(kept);
}

/// Joins neighbours of one operation that are nearer than `gap_ps` and together shorter than 16 times that.
void join_bars(Lane& lane, std::int64_t gap_ps) {
  std::vector<Bar> joined;
  for (Bar& bar : lane.bars) {
    if (!joined.empty()) {
      Bar& before = joined.back();
      if (before.operation == bar.operation && bar.start_ps - before.end_ps <= gap_ps &&
          std::max(bar.end_ps, before.end_ps) - before.start_ps <= gap_ps * 16) {
        before.end_ps = std::max(before.end_ps, bar.end_ps);
        before.bytes += bar.bytes;
        before.merged += bar.merged;
        before.open = before.open || bar.open;
        continue;
      }
    }
    joined.push_back(std::move(bar));
  }
  lane.bars = std::move(joined);
}

json to_json(const Timeline& timeline, std::size_t lanes_before, const PageNodes& nodes) {
  json lanes = json::array(), bars = json::array();
  std::size_t row = 0;
  for (const auto& [rank, lane] : timeline.lanes) {
    lanes.push_back(fmt::format("{} ({})", rank, nodes.name(lane.node)));
    for (const Bar& bar : lane.bars) {
      const std::string label = bar.merged > 1 ? fmt::format("{} spans", bar.merged) : bar.label;
      bars.push_back({row, bar.operation, bar.start_ps, bar.end_ps, bar.bytes, label, bar.open ? 1 : 0});
    }
    ++row;
  }
  return {{"name", timeline.name},        {"lanes", std::move(lanes)},
          {"lanes_before", lanes_before}, {"operations", timeline.operations},
          {"bars", std::move(bars)},      {"start", timeline.start_ps},
          {"end", timeline.end_ps}};
}

}  // namespace

TextResult<json> timelines_part(Database& database, const PageNodes& nodes) {
  auto timelines = read_timelines(database);
  if (!timelines) return fail_text(timelines.error());
  json out = json::array();
  const std::size_t shown = std::min(timelines->size(), kTimelinesMax);
  for (std::size_t i = 0; i < shown; ++i) {
    Timeline& timeline = (*timelines)[i];
    const std::size_t lanes_before = timeline.lanes.size();
    thin_lanes(timeline);
    const std::int64_t length = timeline.end_ps - timeline.start_ps;
    for (std::int64_t gap = length / 4000 + 1; timeline.bars() > kBarsMax / shown && gap < length; gap *= 2) {
      for (auto& [rank, lane] : timeline.lanes) join_bars(lane, gap);
    }
    out.push_back(to_json(timeline, lanes_before, nodes));
  }
  return json{{"count", timelines->size()}, {"shown", std::move(out)}};
}

}  // namespace rocelab::sim
