// Independent of src/sim/fabric/routing where it can be: the maximum flow is computed on the links themselves.
#include "tests/sim/topology/shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "tests/support/catch.h"

namespace rocelab::sim {

Topology good(TopologyResult<Topology> result) {
  if (!result) FAIL(result.error().key << ": " << result.error().what);
  return std::move(*result);
}

std::uint32_t degree_of_tier(const Topology& topology, std::uint8_t tier) {
  const Adjacency adjacency(topology);
  std::uint32_t degree = 0;
  for (std::uint32_t node = topology.host_count; node < topology.node_count(); ++node) {
    if (topology.nodes[node].tier != tier) continue;
    const std::uint32_t ports = adjacency.port_count(node);
    if (degree != 0 && degree != ports) return ~0u;
    degree = ports;
  }
  return degree;
}

std::uint32_t switches_of_tier(const Topology& topology, std::uint8_t tier) {
  return static_cast<std::uint32_t>(std::count_if(topology.nodes.begin() + topology.host_count, topology.nodes.end(),
                                                  [&](const TopologyNode& node) { return node.tier == tier; }));
}

namespace {

/// Lengths from each switch to the host, remembered; `state` finds loops: 0 unknown, 1 being looked at, 2 known.
struct Walk {
  const RoutingMap& map;
  const RoutingTables& tables;
  std::uint32_t to;
  std::vector<int> state;
  std::vector<PathLengths> known;

  PathLengths from(std::uint32_t s) {
    if (state[s] == 1) return {};
    if (state[s] == 2) return known[s];
    state[s] = 1;
    const SwitchTable& table = *tables.switches[s];
    const HostPlace place = map.hosts[to];
    const RouteEntry entry = table.by_host.empty() ? table.by_edge[place.edge] : table.by_host[to];
    PathLengths result{std::numeric_limits<std::uint32_t>::max(), 0, 0, true};
    const auto ports = ports_of_entry(table, entry, place.port);
    if (ports.empty()) result.complete = false;
    for (const std::uint16_t port : ports) {
      const std::uint32_t peer = map.adjacency.port(map.topology.host_count + s, port).peer;
      PathLengths rest{0, 0, 1, peer == to};
      if (!map.topology.is_host(peer)) rest = from(peer - map.topology.host_count);
      result.complete = result.complete && rest.complete;
      result.least = std::min(result.least, rest.least + 1);
      result.most = std::max(result.most, rest.most + 1);
      result.paths += rest.paths;
    }
    state[s] = 2;
    known[s] = result;
    return result;
  }
};

}  // namespace

PathLengths paths_between(const RoutingMap& map, const RoutingTables& tables, std::uint32_t from, std::uint32_t to) {
  const std::uint32_t switches = map.topology.switch_count();
  Walk walk{map, tables, to, std::vector<int>(switches, 0), std::vector<PathLengths>(switches)};
  PathLengths result = walk.from(map.adjacency.port(from, 0).peer - map.topology.host_count);
  ++result.least;
  ++result.most;
  return result;
}

RoutingTables tables_of(const RoutingMap& map, RoutingPaths paths) {
  return compute_tables(map, std::vector<bool>(map.topology.links.size(), false), paths, {}, nullptr);
}

std::string check_all_pairs(const RoutingMap& map, const RoutingTables& tables, std::uint32_t most) {
  std::uint32_t longest = 0;
  for (std::uint32_t from = 0; from < map.topology.host_count; ++from) {
    for (std::uint32_t to = 0; to < map.topology.host_count; ++to) {
      if (from == to) continue;
      const PathLengths lengths = paths_between(map, tables, from, to);
      if (!lengths.complete) return fmt::format("not every path from {} to {} arrives", from, to);
      longest = std::max(longest, lengths.most);
    }
  }
  return longest == most ? std::string() : fmt::format("the longest path has {} links, not {}", longest, most);
}

std::uint64_t bisection_bps(const Topology& topology) {
  // Edmonds and Karp on the nodes, a source before the first half of the hosts and a sink behind the second.
  const std::uint32_t source = topology.node_count();
  const std::uint32_t sink = source + 1;
  struct Arc {
    std::uint32_t to;
    std::uint64_t room;
  };
  std::vector<Arc> arcs;
  std::vector<std::vector<std::uint32_t>> of(topology.node_count() + 2);
  const auto add = [&](std::uint32_t a, std::uint32_t b, std::uint64_t forth, std::uint64_t back) {
    of[a].push_back(static_cast<std::uint32_t>(arcs.size()));
    arcs.push_back({b, forth});
    of[b].push_back(static_cast<std::uint32_t>(arcs.size()));
    arcs.push_back({a, back});
  };
  for (const TopologyLink& link : topology.links) add(link.a, link.b, link.rate_bps, link.rate_bps);
  for (std::uint32_t host = 0; host < topology.host_count; ++host) {
    const bool first = host < topology.host_count / 2;
    add(first ? source : host, first ? host : sink, kRateMaxBps, 0);
  }
  std::uint64_t flow = 0;
  while (true) {
    std::vector<std::uint32_t> by(of.size(), ~0u);
    std::vector<std::uint32_t> queue{source};
    for (std::size_t next = 0; next < queue.size() && by[sink] == ~0u; ++next) {
      for (const std::uint32_t arc : of[queue[next]]) {
        if (arcs[arc].room == 0 || arcs[arc].to == source || by[arcs[arc].to] != ~0u) continue;
        by[arcs[arc].to] = arc;
        queue.push_back(arcs[arc].to);
      }
    }
    if (by[sink] == ~0u) return flow;
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    for (std::uint32_t node = sink; node != source; node = arcs[by[node] ^ 1].to)
      least = std::min(least, arcs[by[node]].room);
    for (std::uint32_t node = sink; node != source; node = arcs[by[node] ^ 1].to) {
      arcs[by[node]].room -= least;
      arcs[by[node] ^ 1].room += least;
    }
    flow += least;
  }
}

}  // namespace rocelab::sim
