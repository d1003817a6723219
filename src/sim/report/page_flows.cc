// Flows on the page: slowdown by size with percentiles, distributions, the slowest ones (page_data.h).
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "sim/report/page_data.h"

namespace rocelab::sim {

namespace {

using base::fail_text;
using base::TextResult;
using nlohmann::json;

constexpr std::size_t kEqualBuckets = 12;
constexpr double kSpanMax = 3;  ///< largest size of a bucket by its smallest, above which it is split

bool has_slowdown(const PageFlow& flow) { return flow.fct_ps >= 0 && !std::isnan(flow.slowdown); }

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

/// Sorts its argument.
json percentiles(std::vector<double>& values) {
  if (values.empty()) return nullptr;
  std::sort(values.begin(), values.end());
  return {{"count", values.size()},
          {"mean", rounded(mean(values))},
          {"p50", rounded(quantile(values, 0.50))},
          {"p95", rounded(quantile(values, 0.95))},
          {"p99", rounded(quantile(values, 0.99))},
          {"p999", rounded(quantile(values, 0.999))},
          {"max", rounded(values.back())}};
}

/// [[value, share], ...] with kCurvePointsMax points at most: a third of them for the slowest tenth, where one looks.
json curve(const std::vector<double>& sorted) {
  json points = json::array();
  if (sorted.empty()) return points;
  const std::size_t count = sorted.size();
  std::size_t last = count;
  const auto add = [&](double share) {
    const auto rank = std::min(count - 1, static_cast<std::size_t>(share * static_cast<double>(count)));
    if (rank == last) return;
    last = rank;
    points.push_back({rounded(sorted[rank]), rounded(static_cast<double>(rank + 1) / static_cast<double>(count))});
  };
  constexpr std::size_t kBody = kCurvePointsMax * 2 / 3;
  constexpr std::size_t kTail = kCurvePointsMax - kBody;
  for (std::size_t i = 0; i < kBody; ++i) add(0.9 * static_cast<double>(i) / kBody);
  for (std::size_t i = 0; i < kTail; ++i) add(0.9 + 0.1 * static_cast<double>(i) / (kTail - 1));
  return points;
}

struct Distribution {
  std::vector<double> fct_ps;
  std::vector<double> slowdown;

  void add(const PageFlow& flow) {
    if (flow.fct_ps >= 0) fct_ps.push_back(static_cast<double>(flow.fct_ps));
    if (has_slowdown(flow)) slowdown.push_back(flow.slowdown);
  }
  json to_json(const std::string& name) {
    json fct = percentiles(fct_ps);  // sorts
    json slow = percentiles(slowdown);
    return {{"name", name},
            {"fct", std::move(fct)},
            {"slowdown", std::move(slow)},
            {"fct_curve", curve(fct_ps)},
            {"slowdown_curve", curve(slowdown)}};
  }
};

json buckets(const PageFlows& flows, const std::vector<std::int64_t>& bounds) {
  struct Bucket {
    std::vector<double> slowdown;
    std::vector<double> bytes;
  };
  std::vector<Bucket> filled(bounds.size());
  for (const PageFlow& flow : flows.all) {
    if (!has_slowdown(flow)) continue;
    const auto at =
        static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), flow.bytes) - bounds.begin());
    if (at == filled.size()) continue;
    filled[at].slowdown.push_back(flow.slowdown);
    filled[at].bytes.push_back(static_cast<double>(flow.bytes));
  }
  json rows = json::array();
  for (std::size_t i = 0; i < filled.size(); ++i) {
    if (filled[i].slowdown.empty()) continue;
    json row = percentiles(filled[i].slowdown);
    std::sort(filled[i].bytes.begin(), filled[i].bytes.end());
    row["bucket"] = i;
    row["from"] = static_cast<std::int64_t>(filled[i].bytes.front());
    row["to"] = static_cast<std::int64_t>(filled[i].bytes.back());
    row["bytes"] = static_cast<std::int64_t>(quantile(filled[i].bytes, 0.5));
    rows.push_back(std::move(row));
  }
  return rows;
}

json flow_row(const PageFlow& flow, const PageFlows& flows, const PageNodes& nodes) {
  return {{"id", flow.id},
          {"source", nodes.name(flow.source)},
          {"destination", nodes.name(flow.destination)},
          {"bytes", flow.bytes},
          {"start", flow.start_ps},
          {"fct", flow.fct_ps},
          {"slowdown", rounded(flow.slowdown)},
          {"retransmitted", flow.retransmitted < 0 ? json(nullptr) : json(flow.retransmitted)},
          {"tag", flows.tags[flow.tag]}};
}

/// Finished flows, the slowest first.
std::vector<const PageFlow*> slowest_first(const PageFlows& flows) {
  std::vector<const PageFlow*> order;
  for (const PageFlow& flow : flows.all) {
    if (has_slowdown(flow)) order.push_back(&flow);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const PageFlow* a, const PageFlow* b) { return a->slowdown > b->slowdown; });
  return order;
}

}  // namespace

double rounded(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double scale = std::pow(10.0, 3 - std::floor(std::log10(std::fabs(value))));
  return scale >= 1 ? std::round(value * scale) / scale : std::round(value);
}

double quantile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::min(sorted.size() - 1, rank == 0 ? 0 : rank - 1)];
}

TextResult<PageFlows> read_flows(Database& database) {
  auto rows = database.prepare(
      "SELECT id, source, destination, bytes, start_ps, fct_ps, slowdown, retransmitted_packets, tag, status "
      "FROM flow LEFT JOIN flow_time USING (id) ORDER BY id");
  if (!rows) return fail_text(rows.error());
  PageFlows flows;
  std::map<std::string, std::uint32_t, std::less<>> tags;
  while (rows->next()) {
    PageFlow flow;
    flow.id = rows->integer(0);
    flow.source = rows->integer(1);
    flow.destination = rows->integer(2);
    flow.bytes = rows->integer(3);
    flow.start_ps = rows->integer(4);
    if (!rows->is_null(5)) {
      flow.fct_ps = rows->integer(5);
      flow.slowdown = rows->real(6);
    } else {
      ++(rows->text(9) == "unfinished" || rows->text(9) == "ok" ? flows.unfinished : flows.failed);
    }
    if (!rows->is_null(7)) flow.retransmitted = rows->integer(7);
    const auto known = tags.find(rows->text(8));
    if (known != tags.end()) {
      flow.tag = known->second;
    } else {
      flow.tag = static_cast<std::uint32_t>(flows.tags.size());
      flows.tags.emplace_back(rows->text(8));
      tags.emplace(flows.tags.back(), flow.tag);
    }
    flows.all.push_back(flow);
  }
  if (const std::string error = database.error(); !error.empty()) return fail_text(error);
  return flows;
}

std::vector<std::int64_t> size_bounds(const std::vector<PageFlows>& runs) {
  std::vector<std::int64_t> distinct;
  for (const PageFlows& flows : runs) {
    for (const PageFlow& flow : flows.all) {
      if (has_slowdown(flow)) distinct.push_back(flow.bytes);
    }
  }
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  if (distinct.size() <= kBucketsMax) return distinct;
  // As many sizes in each bucket, as the papers' figures have it (a size that a collective repeats counts once); then
  // those that span most are split, as few large flows carry most of the bytes.
  std::vector<std::int64_t> bounds;
  for (std::size_t i = 1; i <= kEqualBuckets; ++i) bounds.push_back(distinct[i * distinct.size() / kEqualBuckets - 1]);
  while (bounds.size() < kBucketsMax) {
    std::size_t widest = 0;
    double factor = 0;
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      const auto below = static_cast<double>(std::max<std::int64_t>(1, i == 0 ? distinct.front() : bounds[i - 1]));
      const double span = static_cast<double>(bounds[i]) / below;
      if (span > factor) {
        factor = span;
        widest = i;
      }
    }
    if (factor < kSpanMax) break;
    const auto middle = static_cast<std::int64_t>(static_cast<double>(bounds[widest]) / std::sqrt(factor));
    bounds.insert(bounds.begin() + static_cast<std::ptrdiff_t>(widest), middle);
  }
  return bounds;
}

json flows_part(const PageFlows& flows, const std::vector<std::int64_t>& bounds, const PageNodes& nodes) {
  Distribution all;
  std::vector<Distribution> by_tag(flows.tags.size());
  std::int64_t bytes = 0, retransmitted = -1, last_finish = 0;
  for (const PageFlow& flow : flows.all) {
    all.add(flow);
    by_tag[flow.tag].add(flow);
    if (flow.retransmitted >= 0) retransmitted = std::max<std::int64_t>(0, retransmitted) + flow.retransmitted;
    if (flow.fct_ps < 0) continue;
    bytes += flow.bytes;
    last_finish = std::max(last_finish, flow.start_ps + flow.fct_ps);
  }
  json curves = json::array({all.to_json("all flows")});
  if (flows.tags.size() > 1) {
    std::vector<std::size_t> order(flows.tags.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return by_tag[a].fct_ps.size() > by_tag[b].fct_ps.size(); });
    order.resize(std::min(order.size(), kTagsMax));
    for (const std::size_t tag : order) {
      if (!by_tag[tag].fct_ps.empty()) curves.push_back(by_tag[tag].to_json(flows.tags[tag]));
    }
  }

  const std::vector<const PageFlow*> order = slowest_first(flows);
  json slowest = json::array(), dots = json::array();
  for (std::size_t i = 0; i < std::min(order.size(), kSlowestMax); ++i) {
    slowest.push_back(flow_row(*order[i], flows, nodes));
  }
  // All of them when there are few, else evenly through the order: the slowest is among them either way.
  const std::size_t shown = std::min(order.size(), kDotsMax);
  for (std::size_t i = 0; i < shown; ++i) {
    const PageFlow& flow = *order[i * order.size() / shown];
    dots.push_back(
        {flow.bytes, rounded(flow.slowdown), flow.id, nodes.name(flow.source), nodes.name(flow.destination)});
  }
  return {{"count", flows.all.size()},
          {"finished", all.fct_ps.size()},
          {"failed", flows.failed},
          {"unfinished", flows.unfinished},
          {"bytes", bytes},
          {"retransmitted", retransmitted < 0 ? json(nullptr) : json(retransmitted)},
          {"last_finish", last_finish},
          {"buckets", buckets(flows, bounds)},
          {"curves", std::move(curves)},
          {"slowest", std::move(slowest)},
          {"dots", std::move(dots)}};
}

}  // namespace rocelab::sim
