// [topology]: a generator with its numbers, or a file.
#include <fmt/format.h>

#include "sim/fabric/topology/generators.h"
#include "sim/fabric/topology/importers.h"
#include "sim/workload/scenario/readers.h"

namespace rocelab::sim {

namespace {

constexpr std::uint64_t kCountMax = 1u << 20;

enum class Kind : std::uint8_t { kSingleSwitch, kDumbbell, kLeafSpine, kFatTree, kRailPods, kDragonfly, kTorus, kFile };
enum class Format : std::uint8_t { kHpcc, kHtsim, kToml };

void read_link(Section& section, LinkSpec& link) {
  section.rate("rate", link.rate_bps);
  std::uint64_t delay = static_cast<std::uint64_t>(link.delay.count_ps());
  section.time("delay", delay, {0, static_cast<std::uint64_t>(kDelayMax.count_ps())});
  link.delay = base::Duration::ps(static_cast<std::int64_t>(delay));
  section.decimal("packet_loss", link.packet_loss_e9, 9, {0, 999'999'999});
  section.decimal("bit_error_rate", link.bit_error_e18, 18, {0, 1'000'000'000'000'000});
}

/// A kind of link: the section's own values are the defaults of its sub-table.
LinkSpec link(Section& section, std::string_view key, const LinkSpec& common) {
  LinkSpec out = common;
  Section own = section.section(key);
  read_link(own, out);
  own.finish();
  return out;
}

void count(Section& section, std::string_view key, std::uint32_t& out, std::uint64_t min = 1) {
  section.small(key, out, {min, kCountMax});
}

TopologyResult<Topology> generate(Section& s, Kind kind, const LinkSpec& common) {
  const auto stop = [&]() -> TopologyResult<Topology> { return Topology(); };  // a mistake has been reported
  switch (kind) {
    case Kind::kSingleSwitch: {
      SingleSwitchOptions o;
      count(s, "hosts", o.hosts);
      o.host_link = link(s, "host_link", common);
      return s.failed() ? stop() : single_switch(o);
    }
    case Kind::kDumbbell: {
      DumbbellOptions o;
      count(s, "hosts_left", o.hosts_left);
      count(s, "hosts_right", o.hosts_right);
      count(s, "middle_links", o.middle_links);
      o.host_link = link(s, "host_link", common);
      o.middle_link = link(s, "middle_link", common);
      return s.failed() ? stop() : dumbbell(o);
    }
    case Kind::kLeafSpine: {
      LeafSpineOptions o;
      count(s, "leaves", o.leaves);
      count(s, "spines", o.spines);
      count(s, "hosts_per_leaf", o.hosts_per_leaf);
      count(s, "links_per_spine", o.links_per_spine);
      o.host_link = link(s, "host_link", common);
      o.spine_link = link(s, "spine_link", common);
      return s.failed() ? stop() : leaf_spine(o);
    }
    case Kind::kFatTree: {
      FatTreeOptions o;
      count(s, "k", o.k);
      count(s, "tiers", o.tiers);
      count(s, "oversubscription", o.oversubscription);
      o.host_link = link(s, "host_link", common);
      o.edge_link = link(s, "edge_link", common);
      o.core_link = link(s, "core_link", common);
      return s.failed() ? stop() : fat_tree(o);
    }
    case Kind::kRailPods: {
      RailOptions o;
      count(s, "pods", o.pods);
      count(s, "servers_per_pod", o.servers_per_pod);
      count(s, "rails", o.rails);
      count(s, "spines", o.spines, 0);
      count(s, "links_per_spine", o.links_per_spine);
      o.host_link = link(s, "host_link", common);
      o.spine_link = link(s, "spine_link", common);
      return s.failed() ? stop() : rail_pods(o);
    }
    case Kind::kDragonfly: {
      DragonflyOptions o;
      count(s, "groups", o.groups);
      count(s, "leaves", o.leaves);
      count(s, "spines", o.spines);
      count(s, "hosts_per_leaf", o.hosts_per_leaf);
      count(s, "global_links", o.global_links);
      o.host_link = link(s, "host_link", common);
      o.local_link = link(s, "local_link", common);
      o.global_link = link(s, "global_link", common);
      return s.failed() ? stop() : dragonfly_plus(o);
    }
    case Kind::kTorus: {
      TorusOptions o;
      std::vector<std::uint64_t> size(o.size.begin(), o.size.end());
      s.numbers("size", size, {2, 1024});
      o.size.clear();
      for (const std::uint64_t n : size) o.size.push_back(static_cast<std::uint32_t>(n));
      count(s, "hosts_per_switch", o.hosts_per_switch);
      o.host_link = link(s, "host_link", common);
      o.switch_link = link(s, "switch_link", common);
      return s.failed() ? stop() : torus(o);
    }
    case Kind::kFile:
      break;
  }
  return Topology();
}

void import(Section& s, const Reading& reading, Topology& out) {
  std::string file;
  s.require("file");
  s.text("file", file);
  Format format = Format::kToml;
  s.choose<Format>("format", format, {{"toml", Format::kToml}, {"hpcc", Format::kHpcc}, {"htsim", Format::kHtsim}});
  std::uint64_t scale = 1'000'000;
  s.decimal("rate_scale", scale, 6, {1'000, 1'000'000'000});
  if (s.failed()) return;
  const auto text = read_named_file(reading, file);
  if (!text) return s.fail("file", text.error());
  const std::string name = resolve_name(reading, file);
  auto topology = format == Format::kHpcc    ? import_hpcc(*text, name)
                  : format == Format::kHtsim ? import_htsim(*text, name)
                                             : import_toml(*text, name);
  if (!topology) return s.fail_elsewhere(topology.error());
  out = std::move(*topology);
  __extension__ using Wide = unsigned __int128;
  for (TopologyLink& l : out.links) l.rate_bps = static_cast<std::uint64_t>(Wide{l.rate_bps} * scale / 1'000'000);
}

}  // namespace

void read_topology(Section section, const Reading& reading, Topology& out) {
  Kind kind = Kind::kSingleSwitch;
  section.require("kind");
  section.choose<Kind>("kind", kind,
                       {{"single_switch", Kind::kSingleSwitch},
                        {"dumbbell", Kind::kDumbbell},
                        {"leaf_spine", Kind::kLeafSpine},
                        {"fat_tree", Kind::kFatTree},
                        {"rail_pods", Kind::kRailPods},
                        {"dragonfly_plus", Kind::kDragonfly},
                        {"torus", Kind::kTorus},
                        {"file", Kind::kFile}});
  std::uint64_t latency = 0;
  section.time("switch_latency", latency, {0, 1'000'000'000'000});
  if (kind == Kind::kFile) {
    import(section, reading, out);
  } else {
    LinkSpec common;
    read_link(section, common);
    auto made = generate(section, kind, common);
    if (!made) {
      // Links are named by their table: "host_link" when the rate there was wrong.
      section.fail(made.error().key, made.error().what);
    } else {
      out = std::move(*made);
    }
  }
  if (section.has("switch_latency")) {
    for (std::uint32_t i = out.host_count; i < out.node_count(); ++i) {
      out.nodes[i].latency = base::Duration::ps(static_cast<std::int64_t>(latency));
    }
  }
  section.finish();
}

}  // namespace rocelab::sim
