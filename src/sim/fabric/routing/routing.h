// Which egress port a packet takes at a switch. One object serves all switches of a fabric: the forwarding tables are
// shared and read-only, the little state that a policy needs (salt, chance, flowlets) is kept per switch in its own
// cache lines and touched by that switch alone. Tables after each scripted failure are computed before the run and take
// effect at their time, so a run on several threads decides as a run on one.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/time.h"
#include "sim/fabric/routing/tables.h"

namespace rocelab::sim {

inline constexpr unsigned kNoRoute = 0xffff;  ///< from Routing::egress(): count the packet as unreachable and drop it

enum class RoutingPolicy : std::uint8_t {
  kEcmp,   ///< a flow keeps to one of the shortest paths, by hash of its entropy; REPS is this with entropy per packet
  kSpray,  ///< each packet takes a random one of the shortest paths
  kFlowlet,   ///< a flow may change its path after a pause longer than the gap
  kAdaptive,  ///< a flow moves to the shortest queue among its ports when its own is longer by more than the hysteresis
};

/// What the adaptive policy sees of a switch: bytes queued at each egress port. `stride` is the distance in bytes from
/// one port's number to the next port's, so that the number may be a member of a port structure.
struct QueueView {
  const std::uint32_t* queued_bytes = nullptr;
  std::uint32_t stride = sizeof(std::uint32_t);
  std::uint32_t at(unsigned port) const {
    return *reinterpret_cast<const std::uint32_t*>(reinterpret_cast<const char*>(queued_bytes) +
                                                   static_cast<std::size_t>(stride) * port);
  }
};

/// What of a packet decides its way.
struct RouteKey {
  std::uint32_t destination = 0;  ///< host index
  std::uint32_t flow_hash = 0;    ///< entropy of the flow, or of the packet where the host sprays
};

/// New tables that a switch uses from a moment on.
struct RoutingEpoch {
  base::TimePoint at;
  RoutingTables tables;
};

struct RoutingOptions {
  RoutingPolicy policy = RoutingPolicy::kEcmp;
  RoutingPaths paths = RoutingPaths::kAuto;
  std::uint64_t seed = 0;
  base::Duration flowlet_gap = base::Duration::us(50);
  std::uint32_t adaptive_hysteresis_bytes = 16 * 1024;
};

class Routing {
 public:
  /// `epochs`: at least one, the first at 0, in order of time. `map` must outlive this object.
  Routing(const RoutingMap& map, const RoutingOptions& options, std::vector<RoutingEpoch> epochs);

  /// The port by which `switch_index` passes the packet on, or kNoRoute. `now` never decreases at a switch.
  unsigned egress(std::uint32_t switch_index, RouteKey key, base::TimePoint now, const QueueView& queues) {
    SwitchState& state = states_[switch_index];
    if (now.count_ps() >= state.next_change_ps) [[unlikely]]
      change_tables(state, switch_index, now);
    const HostPlace place = hosts_[key.destination];
    const RouteEntry entry = state.by_host == nullptr ? state.by_edge[place.edge] : state.by_host[key.destination];
    if ((entry & kEntryPort) != 0) return entry == kEntryNone ? kNoRoute : entry & ~unsigned{kEntryPort};
    if (entry == kEntryLocal) return place.port;
    const PortGroup group = state.groups[entry];
    return state.ports[group.first + choose(state, entry, group, key, now, queues)];
  }

  /// What egress() will say, if that can be told without changing anything; else kNoRoute. For prefetching.
  unsigned likely_egress(std::uint32_t switch_index, RouteKey key) const {
    const SwitchState& state = states_[switch_index];
    const HostPlace place = hosts_[key.destination];
    const RouteEntry entry = state.by_host == nullptr ? state.by_edge[place.edge] : state.by_host[key.destination];
    if ((entry & kEntryPort) != 0) return entry == kEntryNone ? kNoRoute : entry & ~unsigned{kEntryPort};
    if (entry == kEntryLocal) return place.port;
    if (options_.policy != RoutingPolicy::kEcmp) return kNoRoute;
    const PortGroup group = state.groups[entry];
    return state.ports[group.first + scaled(mixed(key.flow_hash ^ state.salt), group.count)];
  }

  const RoutingOptions& options() const { return options_; }
  const std::vector<RoutingEpoch>& epochs() const { return epochs_; }
  const RoutingMap& map() const { return map_; }

 private:
  /// What flowlet and adaptive remember of the flows that share a hash bucket.
  struct FlowSlot {
    std::uint64_t last_ps = 0;
    RouteEntry group = kEntryNone;
    std::uint16_t member = 0;  ///< which port of the group
  };
  static constexpr std::uint32_t kFlowSlots = 1024;

  /// One cache line a switch.
  struct alignas(64) SwitchState {
    std::uint64_t next_change_ps = ~std::uint64_t{0};
    const RouteEntry* by_edge = nullptr;
    const RouteEntry* by_host = nullptr;
    const PortGroup* groups = nullptr;
    const std::uint16_t* ports = nullptr;
    std::uint64_t chance = 0;  ///< of spraying and of new flowlets
    FlowSlot* slots = nullptr;
    std::uint32_t salt = 0;
    std::uint32_t epoch = 0;
  };
  static_assert(sizeof(SwitchState) == 64);

  static std::uint32_t mixed(std::uint32_t x) {
    x *= 0x9e3779b1u;
    x ^= x >> 15;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    return x;
  }
  /// `bits` scaled to 0..count-1.
  static std::uint32_t scaled(std::uint32_t bits, std::uint32_t count) {
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>(bits) * count) >> 32);
  }
  static std::uint32_t next_chance(SwitchState& state) {
    state.chance = state.chance * 6364136223846793005u + 1442695040888963407u;  // Knuth's MMIX multiplier
    return static_cast<std::uint32_t>(state.chance >> 32);
  }

  std::uint32_t choose(SwitchState& state, RouteEntry entry, PortGroup group, RouteKey key, base::TimePoint now,
                       const QueueView& queues) {
    if (options_.policy == RoutingPolicy::kEcmp) return scaled(mixed(key.flow_hash ^ state.salt), group.count);
    if (options_.policy == RoutingPolicy::kSpray) return scaled(next_chance(state), group.count);
    return choose_by_flow(state, entry, group, key, now, queues);
  }
  std::uint32_t choose_by_flow(SwitchState& state, RouteEntry entry, PortGroup group, RouteKey key, base::TimePoint now,
                               const QueueView& queues);
  static std::uint32_t shortest(const SwitchState& state, PortGroup group, std::uint32_t start,
                                const QueueView& queues);
  void change_tables(SwitchState& state, std::uint32_t switch_index, base::TimePoint now);
  void use(SwitchState& state, const SwitchTable& table);

  const HostPlace* hosts_;
  std::vector<SwitchState> states_;
  RoutingOptions options_;
  const RoutingMap& map_;
  std::vector<RoutingEpoch> epochs_;
  std::vector<std::unique_ptr<FlowSlot[]>> slots_;
};

}  // namespace rocelab::sim
