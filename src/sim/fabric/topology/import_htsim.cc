// htsim's fat trees; see importers.h. Ports are numbered here downwards first, and an aggregation switch reaches every
// agg-per-pod-th core beginning with its own place in the pod, as there.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "sim/fabric/topology/builder.h"
#include "sim/fabric/topology/importers.h"
#include "sim/fabric/topology/text.h"

namespace rocelab::sim {

namespace {

enum Key : std::size_t {
  kSpeed,
  kRadixUp,
  kRadixDown,
  kQueueUp,
  kQueueDown,
  kOversubscribed,
  kBundle,
  kSwitchLatency,
  kLinkLatency,
  kKeys
};

struct KeyInfo {
  std::string_view name;  ///< in lower case: htsim does not mind
  std::string_view shown;
  std::uint64_t least;
  std::uint64_t most;
};
constexpr std::array<KeyInfo, kKeys> kKeyInfos = {
    {{"downlink_speed_gbps", "Downlink_speed_Gbps", 1, kRateMaxBps / 1'000'000'000},
     {"radix_up", "Radix_Up", 1, kPortsMax},
     {"radix_down", "Radix_Down", 1, kPortsMax},
     {"queue_up", "Queue_up", 0, ~0u},
     {"queue_down", "Queue_down", 0, ~0u},
     {"oversubscribed", "Oversubscribed", 1, 1024},
     {"bundle", "Bundle", 1, 1024},
     {"switch_latency_ns", "Switch_Latency_ns", 0, 1'000'000'000},
     {"downlink_latency_ns", "Downlink_Latency_ns", 1, 1'000'000'000}}};

std::string lower(std::string_view word) {
  std::string text(word);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

struct Tier {
  std::array<std::optional<std::uint64_t>, kKeys> values;
  std::uint32_t line = 0;
  std::uint32_t of(Key key, std::uint32_t otherwise = 0) const {
    return static_cast<std::uint32_t>(values[key].value_or(otherwise));
  }
  std::uint32_t bundle() const { return of(kBundle, 1); }
  LinkSpec link() const {
    return {.rate_bps = *values[kSpeed] * 1'000'000'000,
            .delay = base::Duration::ns(static_cast<std::int64_t>(*values[kLinkLatency])),
            .packet_loss_e9 = 0,
            .bit_error_e18 = 0};
  }
  base::Duration latency() const { return base::Duration::ns(of(kSwitchLatency)); }
};

class HtsimImporter {
 public:
  HtsimImporter(std::string_view text, std::string_view file) : lines_(text, file), file_(file) {}

  base::TextResult<Topology> import() {
    std::vector<std::string_view> words;
    while (lines_.next(words)) {
      if (auto good = line(words); !good) return base::fail_text(good.error());
    }
    if (auto good = complete(); !good) return base::fail_text(good.error());
    if (auto good = fits(); !good) return base::fail_text(good.error());
    auto topology = build();
    if (topology) return std::move(*topology);
    return base::fail_text(fmt::format("{}: key `{}`: {}", file_, topology.error().key, topology.error().what));
  }

 private:
  base::TextResult<void> line(const std::vector<std::string_view>& words) {
    const std::string key = lower(words.front());
    if (words.size() != 2) return lines_.fail(shown(words.front()), "expected one number after it");
    const auto number = parse_number(words[1]);
    if (!number) return lines_.fail(words.front(), fmt::format("{}: expected a number", shown(words[1])));
    if (key == "tier") {
      if (*number >= tiers_.size()) return lines_.fail("Tier", fmt::format("{}: expected 0 to 2", *number));
      current_ = &tiers_[*number];
      if (current_->line != 0) return lines_.fail("Tier", fmt::format("tier {} is described twice", *number));
      current_->line = lines_.line();
      return {};
    }
    if (key == "nodes" || key == "tiers" || key == "podsize") return header(key, words.front(), *number);
    const auto info = std::find_if(kKeyInfos.begin(), kKeyInfos.end(), [&](const KeyInfo& i) { return i.name == key; });
    if (info == kKeyInfos.end()) return lines_.fail(shown(words.front()), "unknown key");
    if (current_ == nullptr) return lines_.fail(info->shown, "stands before the first Tier");
    if (*number < info->least || *number > info->most) {
      return lines_.fail(info->shown, fmt::format("{}: expected {} to {}", *number, info->least, info->most));
    }
    auto& value = current_->values[static_cast<std::size_t>(info - kKeyInfos.begin())];
    if (value) return lines_.fail(info->shown, "given twice for one tier");
    value = *number;
    return {};
  }

  base::TextResult<void> header(const std::string& key, std::string_view written, std::uint64_t number) {
    if (current_ != nullptr) return lines_.fail(written, "stands behind the first Tier");
    std::uint32_t& field = key == "nodes" ? hosts_ : (key == "tiers" ? count_ : pod_hosts_);
    if (field != 0) return lines_.fail(written, "given twice");
    const std::uint64_t least = key == "podsize" ? 1 : 2;
    const std::uint64_t most = key == "tiers" ? 3 : kHostsMax;
    if (number < least || number > most)
      return lines_.fail(written, fmt::format("{}: expected {} to {}", number, least, most));
    field = static_cast<std::uint32_t>(number);
    return {};
  }

  base::TextResult<void> complete() const {
    if (hosts_ == 0) return lines_.fail("Nodes", "missing");
    if (count_ == 0) return lines_.fail("Tiers", "missing");
    if (pod_hosts_ == 0) return lines_.fail("Podsize", "missing");
    for (std::uint32_t tier = 0; tier < tiers_.size(); ++tier) {
      if ((tiers_[tier].line != 0) != (tier < count_)) {
        return lines_.fail("Tier", fmt::format("tier {} is {}, but Tiers is {}", tier,
                                               tier < count_ ? "missing" : "described", count_));
      }
      if (tier >= count_) continue;
      for (const Key key : {kSpeed, kRadixDown, kLinkLatency, kRadixUp}) {
        if (tiers_[tier].values[key] || (key == kRadixUp && tier + 1 == count_)) continue;
        return lines_.fail_at(tiers_[tier].line, kKeyInfos[key].shown, fmt::format("missing for tier {}", tier));
      }
    }
    if (tiers_[count_ - 1].values[kRadixUp]) {
      return lines_.fail_at(tiers_[count_ - 1].line, "Radix_Up", "the top tier has no uplinks");
    }
    return {};
  }

  base::TextResult<void> fits() const {
    const auto fail = [&](std::uint32_t tier, std::string_view key, std::string what) {
      return lines_.fail_at(tiers_[tier].line, key, what);
    };
    const Tier& tor = tiers_[0];
    const Tier& agg = tiers_[1];
    if (hosts_ % pod_hosts_ != 0)
      return lines_.fail("Podsize", fmt::format("{} nodes are no multiple of {}", hosts_, pod_hosts_));
    if (count_ == 2 && hosts_ != pod_hosts_)
      return lines_.fail("Podsize", "two tiers are one pod: expected the number of nodes");
    if (tor.bundle() != 1) return fail(0, "Bundle", "a host has one link");
    if (pod_hosts_ % tor.of(kRadixDown) != 0) {
      return fail(0, "Radix_Down",
                  fmt::format("a pod of {} hosts is no multiple of {}", pod_hosts_, tor.of(kRadixDown)));
    }
    if (tor.of(kRadixUp) % agg.bundle() != 0) {
      return fail(0, "Radix_Up",
                  fmt::format("{} is no multiple of tier 1's bundle of {}", tor.of(kRadixUp), agg.bundle()));
    }
    if (tor.values[kOversubscribed] && tor.of(kRadixDown) != tor.of(kRadixUp) * tor.of(kOversubscribed)) {
      return fail(0, "Oversubscribed",
                  fmt::format("{} ports down and {} up are not {} to 1", tor.of(kRadixDown), tor.of(kRadixUp),
                              tor.of(kOversubscribed)));
    }
    const std::uint32_t tors = pod_hosts_ / tor.of(kRadixDown);
    if (agg.of(kRadixDown) != tors * agg.bundle()) {
      return fail(1, "Radix_Down",
                  fmt::format("{}: {} switches below with {} links each need {}", agg.of(kRadixDown), tors,
                              agg.bundle(), tors * agg.bundle()));
    }
    if (count_ == 2) return {};
    const Tier& core = tiers_[2];
    const std::uint32_t pods = hosts_ / pod_hosts_;
    if (agg.of(kRadixUp) % core.bundle() != 0) {
      return fail(1, "Radix_Up",
                  fmt::format("{} is no multiple of tier 2's bundle of {}", agg.of(kRadixUp), core.bundle()));
    }
    if (core.of(kRadixDown) != pods * core.bundle()) {
      return fail(2, "Radix_Down",
                  fmt::format("{}: {} pods with {} links each need {}", core.of(kRadixDown), pods, core.bundle(),
                              pods * core.bundle()));
    }
    return {};
  }

  TopologyResult<Topology> build() const {
    const Tier& tor = tiers_[0];
    const Tier& agg = tiers_[1];
    const std::uint32_t pods = hosts_ / pod_hosts_;
    const std::uint32_t tors = pod_hosts_ / tor.of(kRadixDown);
    const std::uint32_t aggs = tor.of(kRadixUp) / agg.bundle();
    const std::uint32_t spread = count_ == 3 ? agg.of(kRadixUp) / tiers_[2].bundle() : 0;  // cores of one agg
    const std::uint64_t switches = std::uint64_t{pods} * (tors + aggs) + std::uint64_t{aggs} * spread;
    if (switches > kSwitchesMax) {
      return tl::make_unexpected(
          TopologyError{"Nodes", fmt::format("{} switches: more than {}", switches, kSwitchesMax)});
    }
    TopologyBuilder builder("htsim_file", hosts_);
    const auto add = [&](std::string_view role, std::uint32_t count, std::uint8_t tier, std::uint32_t in_pod) {
      const std::uint32_t first = builder.topology().node_count();
      for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t node = builder.add_switch(role, i, tier, in_pod == 0 ? 0 : i / in_pod);
        builder.topology().nodes[node].latency = tiers_[tier - 1u].latency();
      }
      return first;
    };
    const std::uint32_t first_tor = add("tor", pods * tors, 1, tors);
    const std::uint32_t first_agg = add("agg", pods * aggs, 2, aggs);
    const std::uint32_t first_core = add("core", aggs * spread, 3, 0);
    for (std::uint32_t host = 0; host < hosts_; ++host) {
      builder.host(host).group = host / pod_hosts_;
      builder.link(host, first_tor + host / tor.of(kRadixDown), tor.link());
    }
    for (std::uint32_t t = 0; t < pods * tors; ++t) {
      for (std::uint32_t a = 0; a < aggs; ++a) {
        builder.link(first_tor + t, first_agg + t / tors * aggs + a, agg.link(), agg.bundle());
      }
    }
    for (std::uint32_t a = 0; a < pods * aggs; ++a) {
      for (std::uint32_t l = 0; l < spread; ++l) {
        builder.link(first_agg + a, first_core + a % aggs + aggs * l, tiers_[2].link(), tiers_[2].bundle());
      }
    }
    return builder.finish();
  }

  LineReader lines_;
  std::string_view file_;
  std::uint32_t hosts_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t pod_hosts_ = 0;
  std::array<Tier, 3> tiers_;
  Tier* current_ = nullptr;
};

}  // namespace

base::TextResult<Topology> import_htsim(std::string_view text, std::string_view file) {
  return HtsimImporter(text, file).import();
}

}  // namespace rocelab::sim
