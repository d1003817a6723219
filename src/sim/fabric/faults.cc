// Overlapping faults become plain changes: a link is down as long as any cause lasts. See faults.h.
#include "sim/fabric/faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

namespace rocelab::sim {

namespace {

constexpr std::uint64_t kForEver = std::numeric_limits<std::uint64_t>::max();

/// A cause for a link to be down, from `begin` until just before `end`.
struct Spell {
  std::uint32_t link = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = kForEver;
};

std::uint64_t end_of(const Fault& fault) {
  if (fault.lasts == base::Duration()) return kForEver;
  return (fault.at + fault.lasts).count_ps();
}

class Script {
 public:
  Script(const Topology& topology, const std::vector<Fault>& faults) : topology_(topology), faults_(faults) {}

  tl::expected<FaultPlan, FaultError> plan() {
    for (std::size_t i = 0; i < faults_.size(); ++i) {
      if (auto good = check(i); !good) return tl::make_unexpected(good.error());
    }
    for (std::size_t i = 0; i < faults_.size(); ++i) take(faults_[i]);
    if (auto good = end_spells(); !good) return tl::make_unexpected(good.error());
    merge();
    bit_errors();
    return std::move(plan_);
  }

 private:
  tl::unexpected<FaultError> fail(std::size_t index, std::string key, std::string what) const {
    return tl::make_unexpected(FaultError{index, std::move(key), std::move(what)});
  }

  tl::expected<void, FaultError> check(std::size_t i) const {
    const Fault& fault = faults_[i];
    if (fault.lasts < base::Duration()) return fail(i, "for", "a time below 0");
    if (fault.kind == Fault::Kind::kSwitchReboot) {
      if (fault.target >= topology_.node_count())
        return fail(i, "switch", fmt::format("there is no node {}", fault.target));
      if (topology_.is_host(fault.target)) {
        return fail(i, "switch", fmt::format("{} is a host", topology_.nodes[fault.target].name));
      }
      return {};
    }
    if (fault.target >= topology_.links.size())
      return fail(i, "link", fmt::format("there is no link {}", fault.target));
    if (fault.kind == Fault::Kind::kLinkUp && fault.lasts != base::Duration()) {
      return fail(i, "for", "a link comes up for good");
    }
    if (fault.bit_error_e18 > 1'000'000'000'000'000'000) return fail(i, "bit_error_rate", "more than every bit");
    return {};
  }

  void take(const Fault& fault) {
    const std::uint64_t begin = fault.at.count_ps();
    if (fault.kind == Fault::Kind::kLinkDown) spells_.push_back({fault.target, begin, end_of(fault)});
    if (fault.kind != Fault::Kind::kSwitchReboot) return;
    for (std::uint32_t link = 0; link < topology_.links.size(); ++link) {
      if (topology_.links[link].a != fault.target && topology_.links[link].b != fault.target) continue;
      reboots_.push_back({link, begin, end_of(fault)});
    }
  }

  /// kLinkUp: ends the spells without end that began before it.
  tl::expected<void, FaultError> end_spells() {
    std::vector<std::size_t> ups;
    for (std::size_t i = 0; i < faults_.size(); ++i) {
      if (faults_[i].kind == Fault::Kind::kLinkUp) ups.push_back(i);
    }
    std::stable_sort(ups.begin(), ups.end(),
                     [&](std::size_t a, std::size_t b) { return faults_[a].at < faults_[b].at; });
    for (const std::size_t i : ups) {
      const std::uint64_t at = faults_[i].at.count_ps();
      bool ended = false;
      for (Spell& spell : spells_) {
        if (spell.link != faults_[i].target || spell.end != kForEver || spell.begin > at) continue;
        spell.end = at;
        ended = true;
      }
      if (ended) continue;
      const TopologyLink& link = topology_.links[faults_[i].target];
      return fail(i, "link",
                  fmt::format("the link between {} and {} is not down then", topology_.nodes[link.a].name,
                              topology_.nodes[link.b].name));
    }
    return {};
  }

  void merge() {
    spells_.insert(spells_.end(), reboots_.begin(), reboots_.end());
    std::sort(spells_.begin(), spells_.end(), [](const Spell& a, const Spell& b) {
      return std::tie(a.link, a.begin, a.end) < std::tie(b.link, b.begin, b.end);
    });
    for (std::size_t i = 0; i < spells_.size();) {
      Spell whole = spells_[i];
      for (++i; i < spells_.size() && spells_[i].link == whole.link && spells_[i].begin <= whole.end; ++i) {
        whole.end = std::max(whole.end, spells_[i].end);
      }
      if (whole.begin == whole.end) continue;
      plan_.links.push_back({base::TimePoint::from_ps(whole.begin), whole.link, false});
      if (whole.end != kForEver) plan_.links.push_back({base::TimePoint::from_ps(whole.end), whole.link, true});
    }
    std::stable_sort(plan_.links.begin(), plan_.links.end(), [](const LinkTransition& a, const LinkTransition& b) {
      return a.at != b.at ? a.at < b.at : a.link < b.link;
    });
  }

  void bit_errors() {
    for (const Fault& fault : faults_) {
      if (fault.kind != Fault::Kind::kBitErrors) continue;
      plan_.bit_errors.push_back({fault.at, fault.target, fault.bit_error_e18});
      if (fault.lasts == base::Duration()) continue;
      plan_.bit_errors.push_back({fault.at + fault.lasts, fault.target, topology_.links[fault.target].bit_error_e18});
    }
    std::stable_sort(plan_.bit_errors.begin(), plan_.bit_errors.end(),
                     [](const BitErrorChange& a, const BitErrorChange& b) { return a.at < b.at; });
  }

  const Topology& topology_;
  const std::vector<Fault>& faults_;
  std::vector<Spell> spells_;
  std::vector<Spell> reboots_;
  FaultPlan plan_;
};

}  // namespace

tl::expected<FaultPlan, FaultError> plan_faults(const Topology& topology, const std::vector<Fault>& faults) {
  return Script(topology, faults).plan();
}

std::vector<std::uint32_t> links_between(const Topology& topology, std::uint32_t a, std::uint32_t b) {
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < topology.links.size(); ++i) {
    const TopologyLink& link = topology.links[i];
    if ((link.a == a && link.b == b) || (link.a == b && link.b == a)) found.push_back(i);
  }
  return found;
}

}  // namespace rocelab::sim
