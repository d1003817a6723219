// See traffic.h.
#include "sim/workload/plan/traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "sim/workload/sizes/exponential.h"

namespace rocelab::sim {

namespace {

__extension__ using Wide = unsigned __int128;

struct Arrival {
  std::uint64_t at_ps;
  std::uint32_t source;
  std::uint32_t destination;
  std::uint64_t bytes;
};

}  // namespace

base::TextResult<void> add_poisson(Plan& plan, const TrafficCommon& common, const PoissonTraffic& traffic) {
  std::vector<Arrival> arrivals;
  for (std::size_t i = 0; i < common.sources.size(); ++i) {
    const std::uint32_t source = common.sources[i];
    const auto others = static_cast<std::uint64_t>(std::count_if(common.destinations.begin(), common.destinations.end(),
                                                                 [&](std::uint32_t d) { return d != source; }));
    if (others == 0) continue;
    // bits a flow / (rate * load) seconds between two flows.
    const Wide numerator = Wide{traffic.sizes.mean()} * 8 * 1'000'000'000'000u * 1'000'000u;
    const auto mean_gap_ps =
        static_cast<std::uint64_t>(numerator / (Wide{traffic.rates_bits_per_s[i]} * traffic.load_ppm));
    base::Rng rng(common.seed, fmt::format("{}.poisson.host{}", common.name, source));
    std::uint64_t at = draw_exponential(rng, mean_gap_ps);
    for (; at < traffic.duration_ps; at += std::max<std::uint64_t>(draw_exponential(rng, mean_gap_ps), 1)) {
      std::uint32_t destination = source;
      while (destination == source) destination = common.destinations[rng.below(common.destinations.size())];
      arrivals.push_back({common.start_ps + at, source, destination, traffic.sizes.draw(rng)});
      if (arrivals.size() + plan.size() >= Plan::kTasksMax) {
        return base::fail_text(fmt::format("more than {} flows: shorten `duration`", Plan::kTasksMax));
      }
    }
  }
  std::stable_sort(arrivals.begin(), arrivals.end(),
                   [](const Arrival& a, const Arrival& b) { return a.at_ps < b.at_ps; });
  if (traffic.flows_max != 0 && arrivals.size() > traffic.flows_max) arrivals.resize(traffic.flows_max);
  plan.reserve(plan.size() + arrivals.size() + 1);
  for (const Arrival& a : arrivals) {
    plan.send(common.workload, a.source, a.destination, a.bytes, a.at_ps, common.priority);
  }
  return {};
}

void add_permutation(Plan& plan, const TrafficCommon& common, std::uint64_t bytes) {
  // Sattolo's shuffle: one cycle through all, so nobody sends to itself.
  std::vector<std::uint32_t> order = common.sources;
  base::Rng rng(common.seed, fmt::format("{}.permutation", common.name));
  for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[rng.below(i)]);
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (common.sources[i] == order[i]) continue;  // a single host
    plan.send(common.workload, common.sources[i], order[i], bytes, common.start_ps, common.priority);
  }
}

void add_incast(Plan& plan, const TrafficCommon& common, std::uint64_t bytes, std::uint32_t repeat,
                std::uint64_t period_ps) {
  for (std::uint32_t round = 0; round < repeat; ++round) {
    for (const std::uint32_t destination : common.destinations) {
      for (const std::uint32_t source : common.sources) {
        if (source == destination) continue;
        plan.send(common.workload, source, destination, bytes, common.start_ps + round * period_ps, common.priority);
      }
    }
  }
}

}  // namespace rocelab::sim
