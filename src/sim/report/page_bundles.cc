// Bundling of links for the drawn topology (page_bundles.h).
#include "sim/report/page_bundles.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

namespace rocelab::sim {

namespace {

using base::fail_text;
using base::TextResult;

enum class Grouping { kNone, kHostsOfSwitch, kTiersOfPod };

/// (0: a node alone, its id) or (1: hosts of a switch, the switch) or (2: tier, pod).
using GroupKey = std::tuple<int, std::int64_t, std::int64_t>;

std::vector<std::int64_t> sorted_ids(const PageNodes& nodes) {
  std::vector<std::int64_t> ids;
  for (const auto& [id, node] : nodes.all()) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

/// The switch of a host's first link.
std::unordered_map<std::int64_t, std::int64_t> switch_of_hosts(const std::vector<PageLink>& links,
                                                               const PageNodes& nodes) {
  std::unordered_map<std::int64_t, std::int64_t> out;
  for (const PageLink& link : links) {
    const PageNode* a = nodes.find(link.a);
    const PageNode* b = nodes.find(link.b);
    if (a == nullptr || b == nullptr) continue;
    if (!a->is_switch && b->is_switch) out.emplace(link.a, link.b);
    if (!b->is_switch && a->is_switch) out.emplace(link.b, link.a);
  }
  return out;
}

Drawing draw(const std::vector<PageLink>& links, const PageNodes& nodes, Grouping grouping) {
  const auto switch_of = switch_of_hosts(links, nodes);
  const auto key_of = [&](std::int64_t id, const PageNode& node) -> GroupKey {
    if (grouping == Grouping::kTiersOfPod) return {2, node.tier, node.pod};
    const auto at = switch_of.find(id);
    if (grouping == Grouping::kHostsOfSwitch && at != switch_of.end()) return {1, at->second, 0};
    return {0, id, 0};
  };
  Drawing drawing;
  std::map<GroupKey, std::size_t> groups;
  std::unordered_map<std::int64_t, std::size_t> place;
  for (const std::int64_t id : sorted_ids(nodes)) {
    const PageNode& node = *nodes.find(id);
    const auto [at, fresh] = groups.emplace(key_of(id, node), drawing.nodes.size());
    if (fresh) drawing.nodes.push_back({node.name, 0, node.is_switch, node.tier, 0, 0});
    DrawnNode& drawn = drawing.nodes[at->second];
    ++drawn.count;
    drawn.x += node.x;
    drawn.y += node.y;
    place[id] = at->second;
  }
  for (const auto& [key, index] : groups) {
    DrawnNode& drawn = drawing.nodes[index];
    drawn.x /= static_cast<double>(drawn.count);
    drawn.y /= static_cast<double>(drawn.count);
    if (drawn.count == 1) continue;
    const char* what = drawn.is_switch ? "switches" : "hosts";
    drawn.name = std::get<0>(key) == 1
                     ? fmt::format("{} {} of {}", drawn.count, what, nodes.name(std::get<1>(key)))
                     : fmt::format("{} tier {} {} of pod {}", drawn.count, std::get<1>(key), what, std::get<2>(key));
  }

  std::map<std::pair<std::size_t, std::size_t>, std::size_t> lines;
  for (const PageLink& link : links) {
    const auto a = place.find(link.a);
    const auto b = place.find(link.b);
    const bool known = a != place.end() && b != place.end() && a->second != b->second;
    drawing.turned.push_back(known && a->second > b->second);
    if (!known) {
      drawing.line_of.push_back(SIZE_MAX);
      continue;
    }
    const auto ends = std::minmax(a->second, b->second);
    const auto [at, fresh] = lines.emplace(std::pair(ends.first, ends.second), drawing.lines.size());
    if (fresh) drawing.lines.push_back({ends.first, ends.second, 0});
    ++drawing.lines[at->second].count;
    drawing.line_of.push_back(at->second);
  }
  return drawing;
}

}  // namespace

TextResult<std::vector<PageLink>> read_links(Database& database) {
  auto rows = database.prepare("SELECT id, a, a_port, b, b_port, rate_bps FROM link ORDER BY id");
  if (!rows) return fail_text(rows.error());
  std::vector<PageLink> links;
  while (rows->next()) {
    links.push_back({rows->integer(0), rows->integer(1), rows->integer(2), rows->integer(3), rows->integer(4),
                     std::max(1.0, rows->real(5))});
  }
  if (const std::string error = database.error(); !error.empty()) return fail_text(error);
  return links;
}

Drawing make_drawing(const std::vector<PageLink>& links, const PageNodes& nodes) {
  Drawing drawing = draw(links, nodes, Grouping::kNone);
  if (drawing.lines.size() <= kDrawnLinksMax) return drawing;
  drawing = draw(links, nodes, Grouping::kHostsOfSwitch);
  drawing.grouping = "hosts of a switch";
  if (drawing.lines.size() <= kDrawnLinksMax) return drawing;
  drawing = draw(links, nodes, Grouping::kTiersOfPod);
  drawing.grouping = "tiers of a pod";
  return drawing;
}

}  // namespace rocelab::sim
