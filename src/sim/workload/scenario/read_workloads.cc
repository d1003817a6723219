// [[workload]]: flows of all kinds; what is between ranks is in read_ranks.cc.
#include <fmt/format.h>

#include <algorithm>

#include "sim/fabric/topology/connection_matrix.h"
#include "sim/workload/plan/flow_file.h"
#include "sim/workload/plan/matrix_flows.h"
#include "sim/workload/plan/traffic.h"
#include "sim/workload/scenario/readers.h"

namespace rocelab::sim {

namespace {

enum class Kind : std::uint8_t {
  kFlows,
  kPoisson,
  kPermutation,
  kIncast,
  kAllToAll,
  kCollective,
  kTraining,
  kTrace,
};

constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;
constexpr std::uint64_t kTimeMax = 86'400'000'000'000'000;  // a day

/// Traffic between all listed hosts, or from `sources` to `destinations`.
TrafficCommon common(Section& section, const WorkloadContext& c) {
  TrafficCommon out;
  out.name = c.scenario.workloads[c.index].name;
  out.seed = c.scenario.seed;
  out.workload = c.index;
  out.priority = c.priority;
  out.start_ps = c.start_ps;
  const std::uint32_t hosts = c.scenario.topology.host_count;
  const std::vector<std::uint32_t> all = read_hosts(section, "hosts", c.names, hosts);
  out.sources = section.has("sources") ? read_hosts(section, "sources", c.names, hosts) : all;
  out.destinations = section.has("destinations") ? read_hosts(section, "destinations", c.names, hosts) : all;
  return out;
}

void read_poisson(Section& section, const WorkloadContext& c) {
  const TrafficCommon traffic = common(section, c);
  PoissonTraffic poisson{SizeDistribution::constant(1), 500'000, {}, 1'000'000'000, 0};
  std::string sizes = "websearch", file;
  std::uint64_t bytes = 0;
  section.text("sizes", sizes);
  section.text("sizes_file", file);
  section.bytes("bytes", bytes, {1, kBytesMax});
  section.decimal("load", poisson.load_ppm, 6, {1, 1'000'000});
  section.time("duration", poisson.duration_ps, {1, kTimeMax});
  section.number("flows", poisson.flows_max);
  if (section.has("bytes") + section.has("sizes_file") + section.has("sizes") > 1) {
    section.fail("sizes", "only one of `sizes`, `sizes_file` and `bytes` makes sense");
  }
  if (section.failed()) return;
  if (section.has("bytes")) {
    poisson.sizes = SizeDistribution::constant(bytes);
  } else if (section.has("sizes_file")) {
    const auto text = read_named_file(c.reading, file);
    if (!text) return section.fail("sizes_file", text.error());
    auto parsed = SizeDistribution::parse(*text, resolve_name(c.reading, file));
    if (!parsed) return section.fail_elsewhere(parsed.error());
    poisson.sizes = std::move(*parsed);
  } else {
    auto built_in = SizeDistribution::built_in(sizes);
    if (!built_in) return section.fail("sizes", built_in.error());
    poisson.sizes = std::move(*built_in);
  }
  const Adjacency adjacency(c.scenario.topology);
  for (const std::uint32_t source : traffic.sources) {
    poisson.rates_bits_per_s.push_back(c.scenario.topology.links[adjacency.port(source, 0).link].rate_bps);
  }
  if (const auto added = add_poisson(c.scenario.plan, traffic, poisson); !added)
    section.fail("duration", added.error());
}

void read_flows(Section& section, const WorkloadContext& c) {
  enum class Format : std::uint8_t { kCsv, kHpcc, kHtsim };
  std::string file;
  Format format = Format::kCsv;
  section.require("file");
  section.text("file", file);
  section.choose<Format>("format", format, {{"csv", Format::kCsv}, {"hpcc", Format::kHpcc}, {"htsim", Format::kHtsim}});
  bool rebase = format == Format::kHpcc, keep_priority = false;
  section.boolean("rebase", rebase);
  section.boolean("keep_priority", keep_priority);
  if (section.failed()) return;
  const auto text = read_named_file(c.reading, file);
  if (!text) return section.fail("file", text.error());
  const std::string name = resolve_name(c.reading, file);
  const std::uint32_t hosts = c.scenario.topology.host_count;
  if (format == Format::kHtsim) {
    const auto matrix = parse_connection_matrix(*text, name);
    if (!matrix) return section.fail_elsewhere(matrix.error());
    const MatrixUse use{name, hosts, c.index, c.priority, c.start_ps, rebase};
    if (const auto added = add_matrix(c.scenario.plan, *matrix, use); !added) section.fail_elsewhere(added.error());
    return;
  }
  auto flows = format == Format::kCsv ? parse_flow_csv(*text, name, c.names, hosts)
                                      : parse_hpcc_flows(*text, name, c.names, hosts, keep_priority);
  if (!flows) return section.fail_elsewhere(flows.error());
  if (flows->empty()) return section.fail("file", "there is no flow in it");
  std::uint64_t earliest = flows->front().start_ps;
  for (const ListedFlow& flow : *flows) earliest = std::min(earliest, flow.start_ps);
  const std::int64_t shift = static_cast<std::int64_t>(c.start_ps) - (rebase ? static_cast<std::int64_t>(earliest) : 0);
  add_flows(c.scenario.plan, *flows, c.index, c.priority, shift);
}

void read_pattern(Section& section, const WorkloadContext& c, Kind kind) {
  const TrafficCommon traffic = common(section, c);
  std::uint64_t bytes = 1'000'000, period = 1'000'000'000;
  std::uint32_t repeat = 1;
  section.bytes("bytes", bytes, {1, kBytesMax});
  if (kind != Kind::kPermutation) {
    section.small("repeat", repeat, {1, 1'000'000});
    section.time("period", period, {0, kTimeMax});
  }
  if (section.failed()) return;
  if (kind == Kind::kPermutation) {
    if (traffic.sources.size() < 2) return section.fail("hosts", "a permutation needs two hosts at least");
    return add_permutation(c.scenario.plan, traffic, bytes);
  }
  if (kind == Kind::kIncast) {
    section.require("destinations");
    if (section.failed()) return;
    if (traffic.sources.size() == 1 && traffic.destinations == traffic.sources) {
      return section.fail("destinations", "the only source would send to itself");
    }
  }
  const std::uint64_t flows = std::uint64_t{traffic.sources.size()} * traffic.destinations.size() * repeat;
  if (flows + c.scenario.plan.size() >= Plan::kTasksMax) return section.fail("hosts", "these are too many flows");
  add_incast(c.scenario.plan, traffic, bytes, repeat, period);
}

void read_one(Section section, const Reading& reading, Scenario& out, const NodeNames& names) {
  const auto index = static_cast<std::uint16_t>(out.workloads.size());
  Kind kind = Kind::kFlows;
  WorkloadInfo info;
  section.require("kind");
  static constexpr std::pair<std::string_view, Kind> kKinds[] = {
      {"flows", Kind::kFlows},       {"poisson", Kind::kPoisson},     {"permutation", Kind::kPermutation},
      {"incast", Kind::kIncast},     {"all_to_all", Kind::kAllToAll}, {"collective", Kind::kCollective},
      {"training", Kind::kTraining}, {"trace", Kind::kTrace}};
  section.choose("kind", kind, kKinds);
  info.kind = kKinds[static_cast<std::size_t>(kind)].first;
  section.text("name", info.name);
  if (info.name.empty()) info.name = fmt::format("{}{}", info.kind, index);
  for (const WorkloadInfo& other : out.workloads) {
    if (other.name == info.name) section.fail("name", fmt::format("`{}` is the name of two workloads", info.name));
  }
  out.workloads.push_back(info);
  std::uint8_t priority = out.transport.priority;
  std::uint64_t start = 0;
  section.small("priority", priority, {0, 7});
  section.time("start", start, {0, kTimeMax});
  const WorkloadContext context{reading, out, names, index, start, priority};
  switch (kind) {
    case Kind::kFlows:
      read_flows(section, context);
      break;
    case Kind::kPoisson:
      read_poisson(section, context);
      break;
    case Kind::kPermutation:
    case Kind::kIncast:
    case Kind::kAllToAll:
      read_pattern(section, context, kind);
      break;
    case Kind::kCollective:
      read_collective(section, context);
      break;
    case Kind::kTraining:
      read_training(section, context);
      break;
    case Kind::kTrace:
      read_trace(section, context);
      break;
  }
  section.finish();
}

}  // namespace

std::vector<std::uint32_t> read_hosts(Section& section, std::string_view key, const NodeNames& names,
                                      std::uint32_t host_count) {
  std::vector<std::uint32_t> out;
  std::vector<std::string> texts;
  section.texts(key, texts);
  if (!section.has(key)) {
    for (std::uint32_t h = 0; h < host_count; ++h) out.push_back(h);
    return out;
  }
  std::vector<bool> listed(host_count, false);
  const auto find = [&](std::string_view name) -> std::uint32_t {
    const auto node = names.find(name);
    if (node && *node < host_count) return *node;
    section.fail(key,
                 node ? fmt::format("`{}` is a switch, not a host", name) : fmt::format("there is no host `{}`", name));
    return 0;
  };
  for (const std::string& text : texts) {
    const std::size_t dots = text.find("..");
    const std::uint32_t first = find(std::string_view(text).substr(0, dots));
    const std::uint32_t last = dots == std::string::npos ? first : find(std::string_view(text).substr(dots + 2));
    if (section.failed()) return {0};
    if (last < first) section.fail(key, fmt::format("`{}` runs backwards", text));
    for (std::uint32_t h = first; h <= last; ++h) {
      if (listed[h]) section.fail(key, fmt::format("host `{}` is there twice", h));
      listed[h] = true;
      out.push_back(h);
    }
  }
  if (out.empty()) section.fail(key, "must name a host at least");
  return out;
}

void read_workloads(std::vector<Section> sections, const Reading& reading, Scenario& out) {
  const NodeNames names(out.topology);
  for (Section& section : sections) {
    if (reading.any()) return;
    if (out.workloads.size() == 0xffff) return section.fail("", "more than 65535 workloads");
    read_one(std::move(section), reading, out, names);
  }
}

}  // namespace rocelab::sim
