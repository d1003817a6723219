// [[fault]]: what goes wrong, where and when.
#include <fmt/format.h>

#include "sim/workload/scenario/readers.h"

namespace rocelab::sim {

namespace {

constexpr std::uint64_t kTimeMax = 86'400'000'000'000'000;

enum class Kind : std::uint8_t { kLinkDown, kSwitchReboot, kHostPause, kSlowReceiver, kBitErrors };

/// A node of a kind, by name.
std::uint32_t node(Section& section, std::string_view key, bool host, const NodeNames& names,
                   const Topology& topology) {
  std::string name;
  section.require(key);
  section.text(key, name);
  if (section.failed()) return 0;
  const auto found = names.find(name);
  if (found && topology.is_host(*found) == host) return *found;
  section.fail(key, fmt::format("there is no {} `{}`", host ? "host" : "switch", name));
  return 0;
}

/// `link = ["leaf0", "spine1"]`: one of the links between the two, the first unless `number` says otherwise.
std::uint32_t link(Section& section, const NodeNames& names, const Topology& topology) {
  std::vector<std::string> ends;
  std::uint64_t number = 0;
  section.require("link");
  section.texts("link", ends);
  section.number("number", number);
  if (section.failed()) return 0;
  if (ends.size() != 2) {
    section.fail("link", "must name the two nodes that the link joins");
    return 0;
  }
  const auto a = names.find(ends[0]), b = names.find(ends[1]);
  const std::vector<std::uint32_t> between = a && b ? links_between(topology, *a, *b) : std::vector<std::uint32_t>();
  if (between.empty()) {
    section.fail("link", fmt::format("there is no link between `{}` and `{}`", ends[0], ends[1]));
    return 0;
  }
  if (number >= between.size()) {
    section.fail("number", fmt::format("there are {} links between `{}` and `{}`", between.size(), ends[0], ends[1]));
    return 0;
  }
  return between[number];
}

void read_fault(Section& section, const NodeNames& names, Scenario& out) {
  Kind kind = Kind::kLinkDown;
  section.require("kind");
  section.choose<Kind>("kind", kind,
                       {{"link_down", Kind::kLinkDown},
                        {"switch_reboot", Kind::kSwitchReboot},
                        {"host_pause", Kind::kHostPause},
                        {"slow_receiver", Kind::kSlowReceiver},
                        {"bit_errors", Kind::kBitErrors}});
  std::uint64_t at = 0, until = 0;
  section.require("at");
  section.time("at", at, {0, kTimeMax});
  section.time("until", until, {0, kTimeMax});
  if (section.has("until") && until <= at) section.fail("until", "must be later than `at`");
  Fault fault;
  fault.at = base::TimePoint::from_ps(at);
  fault.lasts = base::Duration::ps(until > at ? static_cast<std::int64_t>(until - at) : 0);
  HostFault host_fault;
  host_fault.at_ps = at;
  host_fault.until_ps = until;
  const bool of_host = kind == Kind::kHostPause || kind == Kind::kSlowReceiver;
  switch (kind) {
    case Kind::kLinkDown:
      fault.kind = Fault::Kind::kLinkDown;
      fault.target = link(section, names, out.topology);
      break;
    case Kind::kBitErrors:
      fault.kind = Fault::Kind::kBitErrors;
      section.require("rate");
      section.decimal("rate", fault.bit_error_e18, 18, {1, 1'000'000'000'000'000});
      fault.target = link(section, names, out.topology);
      break;
    case Kind::kSwitchReboot:
      fault.kind = Fault::Kind::kSwitchReboot;
      section.require("until");
      fault.target = node(section, "switch", false, names, out.topology);
      break;
    case Kind::kSlowReceiver:
      host_fault.kind = HostFault::Kind::kSlowReceiver;
      section.require("rate");
      section.rate("rate", host_fault.rate_bps);
      host_fault.host = node(section, "host", true, names, out.topology);
      break;
    case Kind::kHostPause:
      host_fault.host = node(section, "host", true, names, out.topology);
      break;
  }
  if (of_host) {
    out.host_faults.push_back(host_fault);
  } else {
    out.faults.push_back(fault);
    out.fault_lines.push_back(section.line());
  }
  section.finish();
}

}  // namespace

void read_faults(std::vector<Section> sections, Scenario& out) {
  const NodeNames names(out.topology);
  for (Section& section : sections) {
    read_fault(section, names, out);
    if (section.failed()) return;
  }
}

}  // namespace rocelab::sim
