// See scenario.h: reads the files, then the sections.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sim/workload/scenario/readers.h"

namespace rocelab::sim {

namespace {

constexpr std::uintmax_t kFileBytesMax = 1u << 30;

base::TextResult<std::string> read_file(const std::string& name) {
  std::error_code error;
  const auto status = std::filesystem::status(name, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    return base::fail_text(fmt::format("{}: no such file", name));
  }
  if (status.type() == std::filesystem::file_type::directory) {
    return base::fail_text(fmt::format("{}: is a folder", name));
  }
  const auto size = std::filesystem::file_size(name, error);
  if (!error && size > kFileBytesMax) return base::fail_text(fmt::format("{}: is larger than 1 GiB", name));
  errno = 0;
  std::ifstream in(name, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in || in.bad()) {
    return base::fail_text(fmt::format("{}: cannot be read: {}", name, std::strerror(errno != 0 ? errno : EIO)));
  }
  return std::move(text).str();
}

/// An interval that gives plots enough points and the results not too many rows: a fraction of the time that the
/// busiest host needs at least.
std::uint64_t fitting_interval_ps(const Scenario& scenario) {
  constexpr std::uint64_t kSamplesMax = 200, kSamplesMin = 10, kRowsMax = 2'000'000, kShortest = 1'000'000;
  const Topology& topology = scenario.topology;
  std::vector<std::uint64_t> rates(topology.host_count, 1);
  for (const TopologyLink& link : topology.links) {
    for (const std::uint32_t end : {link.a, link.b}) {
      if (topology.is_host(end)) rates[end] = link.rate_bps;
    }
  }
  __extension__ using Wide = unsigned __int128;
  std::vector<std::uint64_t> busy(2 * std::size_t{topology.host_count});
  std::uint64_t latest = 0;
  for (const Task& task : scenario.plan.tasks()) {
    if (task.kind == TaskKind::kSend) {
      const auto time = [&](std::uint32_t host) {
        return static_cast<std::uint64_t>(Wide{task.bytes} * 8 * 1'000'000'000'000u / rates[host]);
      };
      busy[task.host] += time(task.host);
      busy[topology.host_count + task.peer] += time(task.peer);
      latest = std::max(latest, task.unmet == 0 ? task.delay_ps : 0);
    } else {
      busy[task.host] += task.delay_ps;
    }
  }
  std::uint64_t expected = latest + *std::max_element(busy.begin(), busy.end());
  if (scenario.limits.until_ps != 0) expected = std::min(expected, scenario.limits.until_ps);
  const std::uint64_t samples =
      std::clamp<std::uint64_t>(kRowsMax / (2 * topology.links.size()), kSamplesMin, kSamplesMax);
  return std::max(expected / samples, kShortest);
}

void read_root(Section& root, const Reading& reading, Scenario& out) {
  root.text("name", out.name);
  if (out.name.empty()) out.name = std::filesystem::path(out.file).stem().string();
  root.number("seed", out.seed);
  std::uint64_t threads = 1;
  root.number("threads", threads, {1, 256});
  out.threads = static_cast<unsigned>(threads);
  out.hosts.seed = out.seed;
  out.hosts.engine.seed = out.seed;
  out.routing.seed = out.seed;

  root.require("topology");
  read_topology(root.section("topology"), reading, out.topology);
  read_host(root.section("host"), out);
  read_routing(root.section("routing"), out);
  read_transport(root.section("transport"), out);
  read_switch(root.section("switch"), out);
  Section sampling = root.section("sampling");
  Section limits = root.section("limits");
  limits.time("until", out.limits.until_ps);
  limits.finish();
  std::vector<Section> workloads = root.sections("workload");
  std::vector<Section> routes = root.sections("route");
  std::vector<Section> faults = root.sections("fault");
  root.finish();
  if (reading.any()) return;
  read_workloads(std::move(workloads), reading, out);
  read_routes(std::move(routes), out);
  read_faults(std::move(faults), out);
  if (reading.any()) return;
  out.sampling.automatic = !sampling.has("interval");
  if (out.sampling.automatic) out.sampling.interval_ps = fitting_interval_ps(out);
  sampling.time("interval", out.sampling.interval_ps);
  sampling.finish();
}

}  // namespace

std::string resolve_name(const Reading& reading, const std::string& name) {
  const std::filesystem::path path(name);
  if (path.is_absolute()) return name;
  return (std::filesystem::path(reading.file()).parent_path() / path).string();
}

base::TextResult<std::string> read_named_file(const Reading& reading, const std::string& name) {
  return read_file(resolve_name(reading, name));
}

base::TextResult<std::unique_ptr<Scenario>> parse_scenario(const std::string& text, const std::string& file,
                                                           const ScenarioOverrides& overrides) {
  auto tree = parse_toml(text, file);
  if (!tree) return base::fail_text(tree.error());
  for (const std::string& assignment : overrides.assignments) {
    if (const auto set = set_value(*tree, assignment); !set) return base::fail_text(set.error());
  }
  auto out = std::make_unique<Scenario>();
  out->file = file;
  out->text = text;
  Reading reading(file);
  Section root(*tree, "", reading);
  read_root(root, reading, *out);
  if (reading.any()) return base::fail_text(reading.text());
  // The number of threads is no parameter of the results.
  for (const auto& setting : reading.settings()) {
    if (setting.first != "threads") out->settings.push_back(setting);
  }
  out->plan.seal();
  return out;
}

base::TextResult<std::unique_ptr<Scenario>> load_scenario(const std::string& file, const ScenarioOverrides& overrides) {
  const auto text = read_file(file);
  if (!text) return base::fail_text(text.error());
  return parse_scenario(*text, file, overrides);
}

}  // namespace rocelab::sim
