// The policies that keep state, and the change to new tables; see routing.h for the fast path.
#include "sim/fabric/routing/routing.h"

#include <fmt/format.h>

#include "base/rng.h"

namespace rocelab::sim {

Routing::Routing(const RoutingMap& map, const RoutingOptions& options, std::vector<RoutingEpoch> epochs)
    : hosts_(map.hosts.data()),
      states_(map.topology.switch_count()),
      options_(options),
      map_(map),
      epochs_(std::move(epochs)),
      slots_(map.topology.switch_count()) {
  for (std::uint32_t s = 0; s < states_.size(); ++s) {
    // Named by its index, not drawn in a row: a switch more elsewhere does not change this one's decisions.
    base::Rng rng(options.seed, fmt::format("routing.{}", s));
    states_[s].salt = static_cast<std::uint32_t>(rng.next());
    states_[s].chance = rng.next();
    use(states_[s], *epochs_.front().tables.switches[s]);
    if (epochs_.size() > 1) states_[s].next_change_ps = epochs_[1].at.count_ps();
  }
}

void Routing::use(SwitchState& state, const SwitchTable& table) {
  state.by_edge = table.by_edge.data();
  state.by_host = table.by_host.empty() ? nullptr : table.by_host.data();
  state.groups = table.groups.data();
  state.ports = table.ports.data();
}

void Routing::change_tables(SwitchState& state, std::uint32_t switch_index, base::TimePoint now) {
  while (state.epoch + 1 < epochs_.size() && epochs_[state.epoch + 1].at <= now) ++state.epoch;
  use(state, *epochs_[state.epoch].tables.switches[switch_index]);
  state.next_change_ps = state.epoch + 1 < epochs_.size() ? epochs_[state.epoch + 1].at.count_ps() : ~std::uint64_t{0};
  if (state.slots == nullptr) return;
  for (std::uint32_t i = 0; i < kFlowSlots; ++i) state.slots[i].group = kEntryNone;  // groups are numbered anew
}

std::uint32_t Routing::shortest(const SwitchState& state, PortGroup group, std::uint32_t start,
                                const QueueView& queues) {
  // Beginning at a different port each time, so that ties do not all fall on the first.
  std::uint32_t best = start;
  std::uint32_t least = queues.at(state.ports[group.first + start]);
  for (std::uint32_t i = 1; i < group.count; ++i) {
    const std::uint32_t member = start + i < group.count ? start + i : start + i - group.count;
    const std::uint32_t queued = queues.at(state.ports[group.first + member]);
    if (queued >= least) continue;
    least = queued;
    best = member;
  }
  return best;
}

std::uint32_t Routing::choose_by_flow(SwitchState& state, RouteEntry entry, PortGroup group, RouteKey key,
                                      base::TimePoint now, const QueueView& queues) {
  if (state.slots == nullptr) {  // first packet with a choice here: an idle switch costs nothing
    const auto index = static_cast<std::size_t>(&state - states_.data());
    slots_[index] = std::make_unique<FlowSlot[]>(kFlowSlots);
    state.slots = slots_[index].get();
  }
  FlowSlot& slot = state.slots[mixed(key.flow_hash ^ state.salt) % kFlowSlots];
  const bool known = slot.group == entry;
  const std::uint64_t idle_ps = now.count_ps() - slot.last_ps;
  slot.last_ps = now.count_ps();
  if (options_.policy == RoutingPolicy::kFlowlet) {
    if (known && idle_ps <= static_cast<std::uint64_t>(options_.flowlet_gap.count_ps())) return slot.member;
    slot.group = entry;
    slot.member = static_cast<std::uint16_t>(scaled(next_chance(state), group.count));
    return slot.member;
  }
  const std::uint32_t best = shortest(state, group, scaled(next_chance(state), group.count), queues);
  if (known) {
    const std::uint64_t here = queues.at(state.ports[group.first + slot.member]);
    const std::uint64_t there = queues.at(state.ports[group.first + best]);
    if (here <= there + options_.adaptive_hysteresis_bytes) return slot.member;
  }
  slot.group = entry;
  slot.member = static_cast<std::uint16_t>(best);
  return best;
}

}  // namespace rocelab::sim
