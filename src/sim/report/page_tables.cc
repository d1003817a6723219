// Tables of the page: what was run, counters, findings, and the names of nodes (page_data.h).
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "sim/report/page_data.h"
#include "sim/report/results.h"

namespace rocelab::sim {

namespace {

using base::fail_text;
using base::TextResult;
using nlohmann::json;

/// The JSON beside the results, or null when it is not there or not what it should be: it is a bonus.
json read_cost(const std::string& path) {
  std::ifstream stream(ResultsWriter::timing_path(path), std::ios::binary);
  if (!stream) return nullptr;
  const std::string content{std::istreambuf_iterator<char>(stream), {}};
  json cost = json::parse(content, nullptr, false);
  if (!cost.is_object()) return nullptr;
  for (const char* key : {"started_unix_s", "wall_s", "cpu_s", "peak_memory_bytes", "threads"}) {
    if (!cost.contains(key) || !cost[key].is_number()) return nullptr;
  }
  return cost;
}

}  // namespace

TextResult<PageNodes> PageNodes::read(Database& database) {
  auto rows = database.prepare("SELECT id, name, kind = 'switch', tier, pod, x, y FROM node");
  if (!rows) return fail_text(rows.error());
  PageNodes nodes;
  while (rows->next()) {
    PageNode node;
    node.name = rows->text(1);
    node.is_switch = rows->integer(2) != 0;
    node.tier = static_cast<std::uint32_t>(rows->integer(3));
    node.pod = static_cast<std::uint32_t>(rows->integer(4));
    node.x = rows->real(5);
    node.y = rows->real(6);
    nodes.nodes_.emplace(rows->integer(0), std::move(node));
  }
  if (const std::string error = database.error(); !error.empty()) return fail_text(error);
  return nodes;
}

const PageNode* PageNodes::find(std::int64_t id) const {
  const auto at = nodes_.find(id);
  return at == nodes_.end() ? nullptr : &at->second;
}

std::string PageNodes::name(std::int64_t id) const {
  const PageNode* node = find(id);
  return node == nullptr ? fmt::format("node {}", id) : node->name;
}

std::string PageNodes::name(std::int64_t id, std::int64_t port) const {
  const PageNode* node = find(id);
  // Most hosts have one port: its number says nothing.
  if (node != nullptr && !node->is_switch && port == 0) return node->name;
  return fmt::format("{} port {}", name(id), port);
}

TextResult<json> run_part(Database& database, const std::string& path) {
  auto row = database.prepare("SELECT * FROM run");
  auto settings = database.prepare("SELECT key, value FROM setting ORDER BY key");
  if (!row) return fail_text(row.error());
  if (!settings) return fail_text(settings.error());
  if (!row->next()) return fail_text("damaged: the table run is empty");
  json run = json::object();
  for (int i = 0; i < row->columns(); ++i) {
    const std::string name(row->name(i));
    if (name.ends_with("_ps") || name == "events" || name.starts_with("packet") || name.ends_with("_bytes")) {
      run[name] = row->integer(i);
    } else {
      run[name] = std::string(row->text(i));
    }
  }
  json values = json::object();
  while (settings->next()) values[std::string(settings->text(0))] = std::string(settings->text(1));
  if (const std::string error = database.error(); !error.empty()) return fail_text(error);
  run["settings"] = std::move(values);
  run["cost"] = read_cost(path);
  const auto slash = path.rfind('/');
  run["file"] = slash == std::string::npos ? path : path.substr(slash + 1);
  return run;
}

TextResult<json> counters_part(Database& database, const PageNodes& nodes) {
  // A bare column beside max() is of the row that has the maximum: SQLite promises that.
  auto rows = database.prepare(fmt::format(
      "SELECT name, total(value), count(*), max(value), node, port FROM counter GROUP BY name ORDER BY name LIMIT {}",
      kRowsMax));
  if (!rows) return fail_text(rows.error());
  json out = json::array();
  while (rows->next()) {
    std::string where;
    if (!rows->is_null(4)) {
      where = rows->is_null(5) ? nodes.name(rows->integer(4)) : nodes.name(rows->integer(4), rows->integer(5));
    }
    out.push_back({{"name", std::string(rows->text(0))},
                   {"total", rows->real(1)},
                   {"places", rows->integer(2)},
                   {"max", rows->integer(3)},
                   {"where", where}});
  }
  if (const std::string error = database.error(); !error.empty()) return fail_text(error);
  return out;
}

TextResult<json> findings_part(Database& database, const PageNodes& nodes) {
  auto counts = database.prepare(
      "SELECT severity, kind, count(*) FROM finding GROUP BY 1, 2 "
      "ORDER BY CASE severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, 2");
  auto rows = database.prepare(
      fmt::format("SELECT at_ps, severity, kind, node, port, text FROM finding "
                  "ORDER BY CASE severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, at_ps LIMIT {}",
                  kRowsMax));
  if (!counts) return fail_text(counts.error());
  if (!rows) return fail_text(rows.error());
  json kinds = json::array(), listed = json::array();
  std::int64_t count = 0;
  while (counts->next()) {
    kinds.push_back({{"severity", std::string(counts->text(0))},
                     {"kind", std::string(counts->text(1))},
                     {"count", counts->integer(2)}});
    count += counts->integer(2);
  }
  while (rows->next()) {
    std::string where;
    if (!rows->is_null(3)) {
      where = rows->is_null(4) ? nodes.name(rows->integer(3)) : nodes.name(rows->integer(3), rows->integer(4));
    }
    listed.push_back({{"at", rows->integer(0)},
                      {"severity", std::string(rows->text(1))},
                      {"kind", std::string(rows->text(2))},
                      {"where", where},
                      {"text", std::string(rows->text(5))}});
  }
  if (const std::string error = database.error(); !error.empty()) return fail_text(error);
  return json{{"count", count}, {"kinds", std::move(kinds)}, {"rows", std::move(listed)}};
}

}  // namespace rocelab::sim
