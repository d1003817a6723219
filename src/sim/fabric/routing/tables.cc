// Shortest paths by breadth-first search from each edge switch, one pass per destination; see tables.h.
#include "sim/fabric/routing/tables.h"

#include <algorithm>
#include <limits>

namespace rocelab::sim {

namespace {

constexpr std::uint32_t kFar = std::numeric_limits<std::uint32_t>::max();

/// Collects the entries of one switch; equal port sets become one group.
class TableBuilder {
 public:
  TableBuilder(SwitchTable& table) : table_(table) {}

  RouteEntry entry_of(const std::vector<std::uint16_t>& ports) {
    if (ports.empty()) return kEntryNone;
    if (ports.size() == 1) return static_cast<RouteEntry>(kEntryPort | ports.front());
    for (std::size_t i = table_.groups.size(); i-- > 0;) {  // the last one made is the likeliest
      const PortGroup& group = table_.groups[i];
      if (group.count == ports.size() && std::equal(ports.begin(), ports.end(), table_.ports.begin() + group.first)) {
        return static_cast<RouteEntry>(i);
      }
    }
    if (table_.groups.size() >= kEntryLocal) return static_cast<RouteEntry>(kEntryPort | ports.front());
    table_.groups.push_back(
        {static_cast<std::uint32_t>(table_.ports.size()), static_cast<std::uint32_t>(ports.size())});
    table_.ports.insert(table_.ports.end(), ports.begin(), ports.end());
    return static_cast<RouteEntry>(table_.groups.size() - 1);
  }

 private:
  SwitchTable& table_;
};

class PathFinder {
 public:
  PathFinder(const RoutingMap& map, const std::vector<bool>& link_down)
      : map_(map), link_down_(link_down), hosts_(map.topology.host_count) {
    const std::size_t switches = map.topology.switch_count();
    distance_.resize(switches);
    descent_.resize(switches);
    queue_.reserve(switches);
  }

  /// Hops to `target` over all paths.
  void search_all(std::uint32_t target) {
    std::fill(distance_.begin(), distance_.end(), kFar);
    flood(target, distance_, [](std::uint8_t, std::uint8_t) { return true; });
  }

  /// Hops to `target` over paths that never climb after a descent.
  void search_up_down(std::uint32_t target) {
    std::fill(descent_.begin(), descent_.end(), kFar);
    // From the target upwards: a neighbour of a higher tier reaches it by descending.
    flood(target, descent_, [](std::uint8_t here, std::uint8_t there) { return there > here; });
    distance_ = descent_;
    // Whoever cannot descend climbs to the nearest that can: level by level, from the highest tier down.
    for (const std::uint32_t s : by_tier_from_top()) {
      if (descent_[s] != kFar) continue;
      each_up_port(s, [&](std::uint16_t, std::uint32_t peer) {
        if (tier(peer) > tier(s) && distance_[peer] != kFar) distance_[s] = std::min(distance_[s], distance_[peer] + 1);
      });
    }
  }

  void next_hops(std::uint32_t s, std::vector<std::uint16_t>& ports) const {
    ports.clear();
    if (distance_[s] == kFar) return;
    each_up_port(s, [&](std::uint16_t port, std::uint32_t peer) {
      if (distance_[peer] + 1 == distance_[s] && distance_[peer] != kFar) ports.push_back(port);
    });
  }

  void next_hops_up_down(std::uint32_t s, std::vector<std::uint16_t>& ports) const {
    ports.clear();
    if (distance_[s] == kFar) return;
    const bool descend = descent_[s] != kFar;
    each_up_port(s, [&](std::uint16_t port, std::uint32_t peer) {
      const std::vector<std::uint32_t>& distance = descend ? descent_ : distance_;
      if ((tier(peer) > tier(s)) == descend) return;
      if (distance[peer] != kFar && distance[peer] + 1 == distance_[s]) ports.push_back(port);
    });
  }

  /// Calls with (port, peer's switch index) for each port of `s` to a switch whose link is in service.
  template <class F>
  void each_up_port(std::uint32_t s, F&& f) const {
    const TopologyPort* const begin = map_.adjacency.begin(hosts_ + s);
    const TopologyPort* const end = map_.adjacency.end(hosts_ + s);
    for (const TopologyPort* port = begin; port != end; ++port) {
      if (port->peer < hosts_ || link_down_[port->link]) continue;
      f(static_cast<std::uint16_t>(port - begin), port->peer - hosts_);
    }
  }

 private:
  std::uint8_t tier(std::uint32_t s) const { return map_.topology.nodes[hosts_ + s].tier; }

  template <class Allowed>
  void flood(std::uint32_t target, std::vector<std::uint32_t>& distance, Allowed allowed) {
    queue_.assign(1, target);
    distance[target] = 0;
    for (std::size_t next = 0; next < queue_.size(); ++next) {
      const std::uint32_t here = queue_[next];
      each_up_port(here, [&](std::uint16_t, std::uint32_t peer) {
        if (distance[peer] != kFar || !allowed(tier(here), tier(peer))) return;
        distance[peer] = distance[here] + 1;
        queue_.push_back(peer);
      });
    }
  }

  const std::vector<std::uint32_t>& by_tier_from_top() {
    if (by_tier_.empty()) {
      by_tier_.resize(distance_.size());
      for (std::uint32_t s = 0; s < by_tier_.size(); ++s) by_tier_[s] = s;
      std::stable_sort(by_tier_.begin(), by_tier_.end(),
                       [this](std::uint32_t a, std::uint32_t b) { return tier(a) > tier(b); });
    }
    return by_tier_;
  }

  const RoutingMap& map_;
  const std::vector<bool>& link_down_;
  std::uint32_t hosts_;
  std::vector<std::uint32_t> distance_;
  std::vector<std::uint32_t> descent_;
  std::vector<std::uint32_t> queue_;
  std::vector<std::uint32_t> by_tier_;
};

/// Dimension order: the position of a switch is its index written in the sizes of the dimensions, the first fastest.
void torus_next_hops(const RoutingMap& map, const PathFinder& finder, std::uint32_t s, std::uint32_t target,
                     std::vector<std::uint16_t>& ports) {
  ports.clear();
  std::uint32_t here = s;
  std::uint32_t there = target;
  std::uint32_t stride = 1;
  for (const std::uint32_t size : map.topology.torus) {
    const std::uint32_t at = here % size;
    const std::uint32_t to = there % size;
    if (at != to) {
      const std::uint32_t forward = (to + size - at) % size;
      const std::uint32_t next = s + stride * ((at + 1) % size) - stride * at;
      const std::uint32_t before = s + stride * ((at + size - 1) % size) - stride * at;
      finder.each_up_port(s, [&](std::uint16_t port, std::uint32_t peer) {
        if ((peer == next && 2 * forward <= size) || (peer == before && 2 * forward >= size)) ports.push_back(port);
      });
      return;
    }
    here /= size;
    there /= size;
    stride *= size;
  }
}

void add_explicit(const RoutingMap& map, std::vector<SwitchTable>& tables, const std::vector<bool>& link_down,
                  const std::vector<ExplicitRoute>& routes) {
  for (const ExplicitRoute& route : routes) {
    SwitchTable& table = tables[route.switch_index];
    if (table.by_host.empty()) {
      table.by_host.reserve(map.hosts.size());
      for (const HostPlace& place : map.hosts) table.by_host.push_back(table.by_edge[place.edge]);
    }
    std::vector<std::uint16_t> ports;
    for (const std::uint16_t port : route.ports) {
      if (!link_down[map.adjacency.port(map.topology.host_count + route.switch_index, port).link])
        ports.push_back(port);
    }
    // With all its ports out of service a route gives way to the computed one.
    if (!ports.empty()) table.by_host[route.destination] = TableBuilder(table).entry_of(ports);
  }
}

}  // namespace

bool SwitchTable::operator==(const SwitchTable& other) const {
  const auto same = [](const PortGroup& a, const PortGroup& b) { return a.first == b.first && a.count == b.count; };
  return by_edge == other.by_edge && by_host == other.by_host && ports == other.ports &&
         std::equal(groups.begin(), groups.end(), other.groups.begin(), other.groups.end(), same);
}

RoutingMap::RoutingMap(const Topology& t) : topology(t), adjacency(t), hosts(t.host_count) {
  std::vector<std::uint32_t> edge_of(t.switch_count(), kFar);
  for (std::uint32_t host = 0; host < t.host_count; ++host) {
    const TopologyPort& port = adjacency.port(host, 0);
    std::uint32_t& edge = edge_of[port.peer - t.host_count];
    if (edge == kFar) {
      edge = static_cast<std::uint32_t>(edge_switches.size());
      edge_switches.push_back(port.peer - t.host_count);
    }
    hosts[host] = {static_cast<std::uint16_t>(edge), port.peer_port};
  }
}

RoutingPaths resolve_paths(const Topology& topology, RoutingPaths paths) {
  if (paths == RoutingPaths::kDimensionOrder && topology.torus.empty()) return RoutingPaths::kShortest;
  if (paths != RoutingPaths::kAuto) return paths;
  if (!topology.torus.empty()) return RoutingPaths::kDimensionOrder;
  const bool tiered = std::all_of(topology.links.begin(), topology.links.end(), [&](const TopologyLink& link) {
    return topology.nodes[link.a].tier != topology.nodes[link.b].tier;
  });
  return tiered ? RoutingPaths::kUpDown : RoutingPaths::kShortest;
}

RoutingTables compute_tables(const RoutingMap& map, const std::vector<bool>& link_down, RoutingPaths paths,
                             const std::vector<ExplicitRoute>& routes, const RoutingTables* previous) {
  paths = resolve_paths(map.topology, paths);
  const bool whole = std::find(link_down.begin(), link_down.end(), true) == link_down.end();
  if (paths == RoutingPaths::kDimensionOrder && !whole) paths = RoutingPaths::kShortest;

  const std::uint32_t switches = map.topology.switch_count();
  std::vector<SwitchTable> tables(switches);
  for (SwitchTable& table : tables) table.by_edge.resize(map.edge_switches.size(), kEntryNone);
  PathFinder finder(map, link_down);
  std::vector<std::uint16_t> ports;
  for (std::uint32_t edge = 0; edge < map.edge_switches.size(); ++edge) {
    const std::uint32_t target = map.edge_switches[edge];
    if (paths == RoutingPaths::kShortest) finder.search_all(target);
    if (paths == RoutingPaths::kUpDown) finder.search_up_down(target);
    for (std::uint32_t s = 0; s < switches; ++s) {
      if (s == target) {
        tables[s].by_edge[edge] = kEntryLocal;
        continue;
      }
      if (paths == RoutingPaths::kShortest) finder.next_hops(s, ports);
      if (paths == RoutingPaths::kUpDown) finder.next_hops_up_down(s, ports);
      if (paths == RoutingPaths::kDimensionOrder) torus_next_hops(map, finder, s, target, ports);
      tables[s].by_edge[edge] = TableBuilder(tables[s]).entry_of(ports);
    }
  }
  add_explicit(map, tables, link_down, routes);

  RoutingTables result;
  result.switches.reserve(switches);
  for (std::uint32_t s = 0; s < switches; ++s) {
    if (previous != nullptr && *previous->switches[s] == tables[s]) {
      result.switches.push_back(previous->switches[s]);
    } else {
      result.switches.push_back(std::make_shared<const SwitchTable>(std::move(tables[s])));
    }
  }
  return result;
}

std::vector<std::uint16_t> ports_of_entry(const SwitchTable& table, RouteEntry entry, std::uint16_t local_port) {
  if (entry == kEntryNone) return {};
  if (entry == kEntryLocal) return {local_port};
  if ((entry & kEntryPort) != 0) return {static_cast<std::uint16_t>(entry & ~kEntryPort)};
  const PortGroup& group = table.groups[entry];
  const auto first = table.ports.begin() + group.first;
  return {first, first + group.count};
}

Unreachable find_unreachable(const RoutingMap& map, const RoutingTables& tables, const std::vector<bool>& link_down) {
  const std::size_t edges = map.edge_switches.size();
  std::vector<std::uint32_t> attached(edges, 0);  // hosts of each edge switch whose own link works
  std::vector<bool> cut(map.hosts.size(), false);
  for (std::uint32_t host = 0; host < map.hosts.size(); ++host) {
    cut[host] = link_down[map.adjacency.port(host, 0).link];
    if (!cut[host]) ++attached[map.hosts[host].edge];
  }
  const auto reaches = [&](std::size_t from, std::size_t to) {
    return tables.switches[map.edge_switches[from]]->by_edge[to] != kEntryNone;
  };
  Unreachable result;
  const std::uint64_t hosts = map.hosts.size();
  std::uint64_t connected = 0;
  for (std::size_t from = 0; from < edges; ++from) {
    for (std::size_t to = 0; to < edges; ++to) {
      if (!reaches(from, to)) continue;
      const std::uint64_t others = from == to ? attached[to] - (attached[to] > 0 ? 1u : 0u) : attached[to];
      connected += attached[from] * others;
    }
  }
  result.pairs = hosts * (hosts - 1) - connected;
  if (result.pairs == 0) return result;
  for (std::uint32_t from = 0; from < hosts; ++from) {
    for (std::uint32_t to = 0; to < hosts; ++to) {
      if (from == to || (!cut[from] && !cut[to] && reaches(map.hosts[from].edge, map.hosts[to].edge))) continue;
      result.from = from;
      result.to = to;
      return result;
    }
  }
  return result;
}

}  // namespace rocelab::sim
