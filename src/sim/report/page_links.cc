// Link utilisation on the page: the drawn topology with a slider over time, the busiest links, the layers of the fabric
// over time (page_data.h). One pass over the samples.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "sim/report/page_bundles.h"
#include "sim/report/page_data.h"

namespace rocelab::sim {

namespace {

using base::fail_text;
using base::TextResult;
using nlohmann::json;

constexpr double kBitPicoseconds = 8e12;  ///< bytes / (bits per second * picoseconds) -> share

/// Bytes of each direction of each link in each bin.
class Traffic {
 public:
  Traffic(std::size_t links, TimeBins bins) : bins_(bins), bytes_(links * 2 * bins.count), peak_(links * 2) {}

  void add(std::size_t direction, std::int64_t start_ps, std::int64_t end_ps, double bytes, double rate_bps) {
    if (bins_.count == 0 || end_ps <= start_ps) return;
    bytes_[direction * bins_.count + bins_.bin(start_ps)] += bytes;
    const double share = bytes * kBitPicoseconds / (rate_bps * static_cast<double>(end_ps - start_ps));
    peak_[direction] = std::max(peak_[direction], share);
  }

  const TimeBins& bins() const { return bins_; }
  double bytes(std::size_t direction, std::size_t bin) const { return bytes_[direction * bins_.count + bin]; }
  double bytes(std::size_t direction) const {
    double sum = 0;
    for (std::size_t i = 0; i < bins_.count; ++i) sum += bytes(direction, i);
    return sum;
  }
  double peak(std::size_t direction) const { return peak_[direction]; }
  /// Of bins first .. last - 1; the last bin ends where the run does.
  double seconds_e12(std::size_t first, std::size_t last) const {
    const auto start = bins_.first_ps + static_cast<std::int64_t>(first) * bins_.width_ps;
    const auto end = bins_.first_ps + static_cast<std::int64_t>(last) * bins_.width_ps;
    return static_cast<double>(std::max<std::int64_t>(1, std::min(end, bins_.end_ps) - start));
  }

 private:
  TimeBins bins_;
  std::vector<double> bytes_;
  std::vector<double> peak_;
};

double share_of(double bytes, double rate_bps, double duration_ps) {
  return bytes * kBitPicoseconds / (rate_bps * duration_ps);
}

/// In parts of a hundred, as the slider's frames have it.
int percent(double share) { return static_cast<int>(std::lround(std::min(9.99, share) * 100)); }

TextResult<Traffic> read_traffic(Database& database, const std::vector<PageLink>& links) {
  const auto bins = time_bins(database, "link_sample", "start_ps", kTimeBinsMax);
  if (!bins) return fail_text(bins.error());
  std::unordered_map<std::int64_t, std::size_t> index;
  for (std::size_t i = 0; i < links.size(); ++i) index[links[i].id] = i;
  Traffic traffic(links.size(), *bins);
  auto rows = database.prepare("SELECT start_ps, end_ps, link, direction, bytes FROM link_sample");
  if (!rows) return fail_text(rows.error());
  while (rows->next()) {
    const auto at = index.find(rows->integer(2));
    if (at == index.end()) continue;
    const std::size_t direction = at->second * 2 + (rows->integer(3) != 0 ? 1 : 0);
    traffic.add(direction, rows->integer(0), rows->integer(1), rows->real(4), links[at->second].rate_bps);
  }
  if (const std::string error = database.error(); !error.empty()) return fail_text(error);
  return traffic;
}

/// Without samples: what the switches' ports have counted in the whole run, as one bin.
TextResult<Traffic> read_counted(Database& database, const std::vector<PageLink>& links) {
  auto run = database.prepare("SELECT simulated_ps FROM run");
  if (!run) return fail_text(run.error());
  const std::int64_t end_ps = run->next() ? std::max<std::int64_t>(1, run->integer(0)) : 1;
  std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> ends;  // (node, port) -> direction that leaves there
  for (std::size_t i = 0; i < links.size(); ++i) {
    ends[{links[i].a, links[i].a_port}] = i * 2;
    ends[{links[i].b, links[i].b_port}] = i * 2 + 1;
  }
  auto rows = database.prepare(
      "SELECT node, port, name = 'rx_bytes', value FROM counter "
      "WHERE name IN ('tx_bytes', 'rx_bytes') AND node IS NOT NULL AND port IS NOT NULL");
  if (!rows) return fail_text(rows.error());
  std::vector<double> bytes(links.size() * 2);
  while (rows->next()) {
    const auto at = ends.find({rows->integer(0), rows->integer(1)});
    if (at == ends.end()) continue;
    // Both ends of a link count it: what was received is not what was sent where packets were lost.
    double& value = bytes[rows->integer(2) != 0 ? at->second ^ 1 : at->second];
    value = std::max(value, rows->real(3));
  }
  if (const std::string error = database.error(); !error.empty()) return fail_text(error);
  Traffic traffic(links.size(), {0, end_ps, 1, end_ps});
  for (std::size_t i = 0; i < bytes.size(); ++i) traffic.add(i, 0, end_ps, bytes[i], links[i / 2].rate_bps);
  return traffic;
}

json topology_part(const std::vector<PageLink>& links, const PageNodes& nodes, const Traffic& traffic) {
  const Drawing drawing = make_drawing(links, nodes);
  const std::size_t directions = drawing.lines.size() * 2;
  const std::size_t bins = traffic.bins().count;
  std::size_t frames = std::min(bins, kFramesMax);
  if (directions * frames > kFrameValuesMax) frames = kFrameValuesMax / directions;
  if (frames < 2) frames = 0;

  std::vector<double> rate(directions), bytes(directions), peak(directions),
      framed(directions * std::max<std::size_t>(frames, 1));
  const auto frame_of = [&](std::size_t bin) { return bin * frames / bins; };
  for (std::size_t i = 0; i < links.size(); ++i) {
    if (drawing.line_of[i] == SIZE_MAX) continue;
    for (std::size_t side = 0; side < 2; ++side) {
      const std::size_t from = i * 2 + side;
      const std::size_t to = drawing.line_of[i] * 2 + (drawing.turned[i] ? 1 - side : side);
      rate[to] += links[i].rate_bps;
      bytes[to] += traffic.bytes(from);
      peak[to] = std::max(peak[to], traffic.peak(from));
      for (std::size_t bin = 0; frames != 0 && bin < bins; ++bin) {
        framed[frame_of(bin) * directions + to] += traffic.bytes(from, bin);
      }
    }
  }

  json drawn_nodes = json::array(), lines = json::array(), slides = json::array();
  for (const DrawnNode& node : drawing.nodes) {
    drawn_nodes.push_back({node.name, node.is_switch ? 1 : 0, node.tier, node.x, node.y, node.count});
  }
  const double duration = bins == 0 ? 1 : traffic.seconds_e12(0, bins);
  for (std::size_t i = 0; i < drawing.lines.size(); ++i) {
    const Drawing::Line& line = drawing.lines[i];
    lines.push_back({line.a, line.b, line.count, rounded(rate[i * 2] / static_cast<double>(line.count)),
                     rounded(share_of(bytes[i * 2], rate[i * 2], duration)),
                     rounded(share_of(bytes[i * 2 + 1], rate[i * 2 + 1], duration)), rounded(peak[i * 2]),
                     rounded(peak[i * 2 + 1])});
  }
  std::size_t bin = 0;
  for (std::size_t frame = 0; frame < frames; ++frame) {
    const std::size_t first = bin;
    while (bin < bins && frame_of(bin) == frame) ++bin;
    const double length = traffic.seconds_e12(first, bin);
    json shares = json::array();
    for (std::size_t to = 0; to < directions; ++to) {
      shares.push_back(percent(share_of(framed[frame * directions + to], rate[to], length)));
    }
    const std::int64_t start = traffic.bins().first_ps + static_cast<std::int64_t>(first) * traffic.bins().width_ps;
    slides.push_back(
        {{"start", start}, {"end", start + static_cast<std::int64_t>(length)}, {"shares", std::move(shares)}});
  }
  return {{"nodes", std::move(drawn_nodes)},
          {"links", std::move(lines)},
          {"frames", std::move(slides)},
          {"grouping", drawing.grouping}};
}

/// "host3 to leaf0"
std::string direction_name(const PageLink& link, const PageNodes& nodes, bool from_b) {
  return from_b ? fmt::format("{} to {}", nodes.name(link.b, link.b_port), nodes.name(link.a))
                : fmt::format("{} to {}", nodes.name(link.a, link.a_port), nodes.name(link.b));
}

json busiest_part(const std::vector<PageLink>& links, const PageNodes& nodes, const Traffic& traffic) {
  std::vector<std::pair<double, std::size_t>> order;
  const std::size_t bins = traffic.bins().count;
  const double duration = traffic.seconds_e12(0, bins);
  for (std::size_t i = 0; i < links.size() * 2; ++i) {
    const double share = share_of(traffic.bytes(i), links[i / 2].rate_bps, duration);
    if (share > 0) order.emplace_back(-share, i);
  }
  std::sort(order.begin(), order.end());
  order.resize(std::min(order.size(), kBusiestMax));
  json rows = json::array();
  for (const auto& [negative, direction] : order) {
    std::vector<int> values(bins);
    const PageLink& link = links[direction / 2];
    for (std::size_t bin = 0; bin < bins; ++bin) {
      values[bin] = percent(share_of(traffic.bytes(direction, bin), link.rate_bps, traffic.seconds_e12(bin, bin + 1)));
    }
    rows.push_back({{"name", direction_name(link, nodes, direction % 2 == 1)},
                    {"mean", rounded(-negative)},
                    {"peak", rounded(traffic.peak(direction))},
                    {"values", std::move(values)}});
  }
  return rows;
}

json layers_part(const std::vector<PageLink>& links, const PageNodes& nodes, const Traffic& traffic) {
  struct Layer {
    double rate_bps = 0;
    std::vector<double> bytes;
  };
  std::map<std::pair<std::uint32_t, std::uint32_t>, Layer> layers;  // (tier of the sender, of the receiver)
  const std::size_t bins = traffic.bins().count;
  for (std::size_t i = 0; i < links.size() * 2; ++i) {
    const PageLink& link = links[i / 2];
    const PageNode* from = nodes.find(i % 2 == 0 ? link.a : link.b);
    const PageNode* to = nodes.find(i % 2 == 0 ? link.b : link.a);
    if (from == nullptr || to == nullptr) continue;
    Layer& layer = layers[{from->tier, to->tier}];
    layer.rate_bps += link.rate_bps;
    layer.bytes.resize(bins);
    for (std::size_t bin = 0; bin < bins; ++bin) layer.bytes[bin] += traffic.bytes(i, bin);
  }
  const auto tier_name = [](std::uint32_t tier) {
    return tier == 0 ? std::string("hosts") : fmt::format("tier {}", tier);
  };
  json out = json::array();
  for (const auto& [tiers, layer] : layers) {
    std::vector<double> values(bins);
    for (std::size_t bin = 0; bin < bins; ++bin) {
      values[bin] = rounded(share_of(layer.bytes[bin], layer.rate_bps, traffic.seconds_e12(bin, bin + 1)));
    }
    out.push_back({{"name", fmt::format("{} to {}", tier_name(tiers.first), tier_name(tiers.second))},
                   {"values", std::move(values)}});
  }
  return out;
}

}  // namespace

TextResult<json> links_part(Database& database, const PageNodes& nodes) {
  const auto links = read_links(database);
  if (!links) return fail_text(links.error());
  if (links->empty()) return json(nullptr);
  auto traffic = read_traffic(database, *links);
  if (!traffic) return fail_text(traffic.error());
  const std::size_t bins = traffic->bins().count;
  if (bins == 0) traffic = read_counted(database, *links);
  if (!traffic) return fail_text(traffic.error());
  json out = {{"count", links->size()}, {"topology", topology_part(*links, nodes, *traffic)}, {"samples", bins != 0}};
  if (bins == 0) return out;
  json times = json::array();
  for (std::size_t i = 0; i < bins; ++i) {
    times.push_back(traffic->bins().first_ps + static_cast<std::int64_t>(i) * traffic->bins().width_ps);
  }
  out["times"] = std::move(times);
  out["width"] = traffic->bins().width_ps;
  out["busiest"] = busiest_part(*links, nodes, *traffic);
  out["layers"] = layers_part(*links, nodes, *traffic);
  return out;
}

}  // namespace rocelab::sim
