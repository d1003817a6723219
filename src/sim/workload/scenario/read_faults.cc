// [[fault]]: what goes wrong, where and when.
#include <fmt/format.h>

#include <algorithm>

#include "sim/workload/scenario/readers.h"

namespace rocelab::sim {

namespace {

constexpr std::uint64_t kTimeMax = 86'400'000'000'000'000;

class FaultReader {
 public:
  FaultReader(const Scenario& scenario, const NodeNames& names) : scenario_(scenario), names_(names) {}

  Fault read(Section& section) const {
    Fault fault;
    fault.line = section.line();
    section.require("kind");
    section.choose<FaultKind>("kind", fault.kind,
                              {{"link_down", FaultKind::kLinkDown},
                               {"switch_reboot", FaultKind::kSwitchReboot},
                               {"host_pause", FaultKind::kHostPause},
                               {"slow_receiver", FaultKind::kSlowReceiver},
                               {"bit_errors", FaultKind::kBitErrors}});
    section.require("at");
    section.time("at", fault.at_ps, {0, kTimeMax});
    section.time("until", fault.until_ps, {0, kTimeMax});
    if (section.has("until") && fault.until_ps <= fault.at_ps) section.fail("until", "must be later than `at`");
    switch (fault.kind) {
      case FaultKind::kBitErrors:
        section.require("rate");
        section.decimal("rate", fault.errors_per_e18, 18, {1, 1'000'000'000'000'000});
        fault.link = link(section);
        break;
      case FaultKind::kLinkDown:
        fault.link = link(section);
        break;
      case FaultKind::kSwitchReboot:
        fault.node = node(section, "switch", false);
        section.require("until");
        break;
      case FaultKind::kSlowReceiver:
        section.require("rate");
        section.rate("rate", fault.rate_bps);
        fault.node = node(section, "host", true);
        break;
      case FaultKind::kHostPause:
        fault.node = node(section, "host", true);
        break;
    }
    section.finish();
    return fault;
  }

 private:
  std::uint32_t node(Section& section, std::string_view key, bool host) const {
    std::string name;
    section.require(key);
    section.text(key, name);
    if (section.failed()) return 0;
    const auto found = names_.find(name);
    if (!found || (*found < scenario_.topology.host_count) != host) {
      section.fail(key, fmt::format("there is no {} `{}`", host ? "host" : "switch", name));
      return 0;
    }
    return *found;
  }

  /// `link = ["leaf0", "spine1"]`, the first link between the two.
  std::uint32_t link(Section& section) const {
    std::vector<std::string> ends;
    section.require("link");
    section.texts("link", ends);
    if (section.failed()) return 0;
    if (ends.size() != 2) {
      section.fail("link", "must name the two nodes that the link joins");
      return 0;
    }
    const auto a = names_.find(ends[0]), b = names_.find(ends[1]);
    for (std::uint32_t i = 0; a && b && i < scenario_.topology.links.size(); ++i) {
      const TopologyLink& l = scenario_.topology.links[i];
      if ((l.a == *a && l.b == *b) || (l.a == *b && l.b == *a)) return i;
    }
    section.fail("link", fmt::format("there is no link between `{}` and `{}`", ends[0], ends[1]));
    return 0;
  }

  const Scenario& scenario_;
  const NodeNames& names_;
};

}  // namespace

void read_faults(std::vector<Section> sections, Scenario& out) {
  const NodeNames names(out.topology);
  const FaultReader reader(out, names);
  for (Section& section : sections) {
    out.faults.push_back(reader.read(section));
    if (section.failed()) return;
  }
  std::stable_sort(out.faults.begin(), out.faults.end(),
                   [](const Fault& a, const Fault& b) { return a.at_ps < b.at_ps; });
}

}  // namespace rocelab::sim
