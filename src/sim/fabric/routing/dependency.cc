// Walks along the tables; see dependency.h.
#include "sim/fabric/routing/dependency.h"

#include <algorithm>
#include <bit>

namespace rocelab::sim {

namespace {

/// What a walk asks about a destination: its edge switch, or the host itself where some switch has explicit routes.
class Destinations {
 public:
  Destinations(const RoutingMap& map, const RoutingTables& tables) : map_(map), tables_(tables) {
    by_host_ = std::any_of(tables.switches.begin(), tables.switches.end(),
                           [](const auto& table) { return !table->by_host.empty(); });
    first_host_.resize(map.edge_switches.size());
    for (std::uint32_t host = map.topology.host_count; host-- > 0;) first_host_[map.hosts[host].edge] = host;
  }

  std::uint32_t count() const {
    return static_cast<std::uint32_t>(by_host_ ? map_.hosts.size() : map_.edge_switches.size());
  }
  std::uint32_t host(std::uint32_t destination) const { return by_host_ ? destination : first_host_[destination]; }
  /// Ports towards other switches; `arrived` when the switch hands the packet to its host.
  std::vector<std::uint16_t> next(std::uint32_t s, std::uint32_t destination, bool& arrived) const {
    const SwitchTable& table = *tables_.switches[s];
    const std::uint32_t to = host(destination);
    const RouteEntry entry = table.by_host.empty() ? table.by_edge[map_.hosts[to].edge] : table.by_host[to];
    arrived = entry == kEntryLocal;
    std::vector<std::uint16_t> ports;
    if (arrived) return ports;
    for (const std::uint16_t port : ports_of_entry(table, entry, 0)) {
      const std::uint32_t peer = map_.adjacency.port(map_.topology.host_count + s, port).peer;
      if (!map_.topology.is_host(peer)) {
        ports.push_back(port);
      } else if (peer == to) {
        arrived = true;
      }
    }
    return ports;
  }
  std::uint32_t peer(std::uint32_t s, std::uint16_t port) const {
    return map_.adjacency.port(map_.topology.host_count + s, port).peer - map_.topology.host_count;
  }

 private:
  const RoutingMap& map_;
  const RoutingTables& tables_;
  bool by_host_ = false;
  std::vector<std::uint32_t> first_host_;
};

/// Channels numbered over all switches, and which of the next switch's ports each one depends on.
class DependencyGraph {
 public:
  DependencyGraph(const RoutingMap& map, const Destinations& ways) : map_(map), ways_(ways) {
    const std::uint32_t switches = map.topology.switch_count();
    first_.assign(switches + 1, 0);
    for (std::uint32_t s = 0; s < switches; ++s)
      first_[s + 1] = first_[s] + map.adjacency.port_count(map.topology.host_count + s);
    depends_.resize(first_.back());
    owner_.resize(first_.back());
    for (std::uint32_t s = 0; s < switches; ++s)
      std::fill(owner_.begin() + first_[s], owner_.begin() + first_[s + 1], s);
    for (std::uint32_t destination = 0; destination < ways.count(); ++destination) add(destination);
  }

  std::vector<Channel> cycle() const {
    // Depth first, without recursion: a cycle closes at a channel that is still on the path.
    enum : std::uint8_t { kNew, kOnPath, kDone };
    std::vector<std::uint8_t> state(depends_.size(), kNew);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> path;  // channel, next bit to look at
    for (std::uint32_t start = 0; start < depends_.size(); ++start) {
      if (state[start] != kNew) continue;
      path.assign(1, {start, 0});
      state[start] = kOnPath;
      while (!path.empty()) {
        const std::uint32_t channel = path.back().first;
        const std::uint32_t next = next_dependency(channel, path.back().second);
        if (next == kNone) {
          state[channel] = kDone;
          path.pop_back();
        } else if (state[next] == kOnPath) {
          const auto begin =
              std::find_if(path.begin(), path.end(), [&](const auto& step) { return step.first == next; });
          std::vector<Channel> cycle;
          for (auto step = begin; step != path.end(); ++step) cycle.push_back(channel_of(step->first));
          return cycle;
        } else if (state[next] == kNew) {
          state[next] = kOnPath;
          path.emplace_back(next, 0);
        }
      }
    }
    return {};
  }

 private:
  static constexpr std::uint32_t kNone = ~0u;

  Channel channel_of(std::uint32_t channel) const {
    return {owner_[channel], static_cast<std::uint16_t>(channel - first_[owner_[channel]])};
  }

  void add(std::uint32_t destination) {
    // Only switches that packets for it really pass, beginning where hosts are.
    std::vector<bool> seen(map_.topology.switch_count(), false);
    std::vector<std::uint32_t> queue = map_.edge_switches;
    for (const std::uint32_t s : queue) seen[s] = true;
    bool arrived = false;
    for (std::size_t i = 0; i < queue.size(); ++i) {
      const std::uint32_t s = queue[i];
      for (const std::uint16_t port : ways_.next(s, destination, arrived)) {
        const std::uint32_t peer = ways_.peer(s, port);
        std::vector<std::uint64_t>& bits = depends_[first_[s] + port];
        if (bits.empty()) bits.resize((first_[peer + 1] - first_[peer] + 63) / 64, 0);
        for (const std::uint16_t out : ways_.next(peer, destination, arrived))
          bits[out / 64] |= std::uint64_t{1} << (out % 64);
        if (!seen[peer]) queue.push_back(peer);
        seen[peer] = true;
      }
    }
  }

  std::uint32_t next_dependency(std::uint32_t channel, std::uint32_t& bit) const {
    const std::vector<std::uint64_t>& bits = depends_[channel];
    while (bit < bits.size() * 64) {
      const std::uint64_t rest = bits[bit / 64] >> (bit % 64);
      if (rest == 0) {
        bit = (bit / 64 + 1) * 64;
        continue;
      }
      bit += static_cast<std::uint32_t>(std::countr_zero(rest));
      const Channel from = channel_of(channel);
      return first_[ways_.peer(from.switch_index, from.port)] + bit++;
    }
    return kNone;
  }

  const RoutingMap& map_;
  const Destinations& ways_;
  std::vector<std::uint32_t> first_;                 ///< switch -> number of its first channel
  std::vector<std::uint32_t> owner_;                 ///< channel -> switch
  std::vector<std::vector<std::uint64_t>> depends_;  ///< channel -> ports of the switch at its end, a bit each
};

}  // namespace

std::vector<Channel> find_dependency_cycle(const RoutingMap& map, const RoutingTables& tables) {
  const Destinations ways(map, tables);
  return DependencyGraph(map, ways).cycle();
}

BrokenRoute find_broken_route(const RoutingMap& map, const RoutingTables& tables) {
  const Destinations ways(map, tables);
  enum : std::uint8_t { kNew, kOnPath, kGood, kBad };
  std::vector<std::uint8_t> state(map.topology.switch_count());
  struct Step {
    std::uint32_t s;
    std::vector<std::uint16_t> ports;
    std::size_t next;
  };
  for (std::uint32_t destination = 0; destination < ways.count(); ++destination) {
    std::fill(state.begin(), state.end(), kNew);
    for (const std::uint32_t start : map.edge_switches) {
      std::vector<Step> path;
      const auto enter = [&](std::uint32_t s) {
        bool arrived = false;
        std::vector<std::uint16_t> ports = ways.next(s, destination, arrived);
        state[s] = ports.empty() ? (arrived ? kGood : kBad) : kOnPath;
        if (!ports.empty()) path.push_back({s, std::move(ports), 0});
      };
      if (state[start] == kNew) {
        bool arrived = false;
        if (ways.next(start, destination, arrived).empty() && !arrived) continue;  // no route at all: not broken
        enter(start);
      }
      while (!path.empty()) {
        Step& step = path.back();
        if (step.next > 0 && state[ways.peer(step.s, step.ports[step.next - 1])] == kBad) state[step.s] = kBad;
        if (state[step.s] == kBad || step.next == step.ports.size()) {
          if (state[step.s] != kBad) state[step.s] = kGood;
          path.pop_back();
          continue;
        }
        const std::uint32_t peer = ways.peer(step.s, step.ports[step.next++]);
        if (state[peer] == kOnPath) state[peer] = kBad;
        if (state[peer] == kNew) enter(peer);
      }
      if (state[start] != kBad) continue;
      for (std::uint32_t host = 0; host < map.hosts.size(); ++host) {
        if (map.edge_switches[map.hosts[host].edge] == start && host != ways.host(destination)) {
          return {true, host, ways.host(destination)};
        }
      }
    }
  }
  return {};
}

}  // namespace rocelab::sim
