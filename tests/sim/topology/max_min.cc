// Water filling over directed links; see max_min.h.
#include "tests/sim/topology/max_min.h"

#include <algorithm>
#include <limits>

namespace rocelab::sim {

namespace {

/// Which share of a flow each direction of each link carries: 2 * link, plus 1 from b to a.
std::vector<double> shares_of(const RoutingMap& map, const RoutingTables& tables, LongFlow flow) {
  const Topology& topology = map.topology;
  std::vector<double> shares(2 * topology.links.size(), 0);
  const auto cross = [&](std::uint32_t node, std::uint32_t port, double share) {
    const TopologyPort& out = map.adjacency.port(node, port);
    shares[2 * out.link + (topology.links[out.link].a == node ? 0 : 1)] += share;
    return out.peer;
  };
  // Switches in the order in which the whole of their share has come together: breadth first, equal path lengths.
  std::vector<double> arriving(topology.switch_count(), 0);
  std::vector<std::uint32_t> queue{cross(flow.source, 0, 1) - topology.host_count};
  arriving[queue[0]] = 1;
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const std::uint32_t s = queue[i];
    const SwitchTable& table = *tables.switches[s];
    const HostPlace place = map.hosts[flow.destination];
    const auto ports = ports_of_entry(table, table.by_edge[place.edge], place.port);
    for (const std::uint16_t port : ports) {
      const double share = arriving[s] / static_cast<double>(ports.size());
      const std::uint32_t peer = cross(topology.host_count + s, port, share);
      if (topology.is_host(peer)) continue;
      if (arriving[peer - topology.host_count] == 0) queue.push_back(peer - topology.host_count);
      arriving[peer - topology.host_count] += share;
    }
  }
  return shares;
}

}  // namespace

std::vector<double> max_min_rates(const RoutingMap& map, const RoutingTables& tables,
                                  const std::vector<LongFlow>& flows) {
  std::vector<std::vector<double>> shares;
  for (const LongFlow& flow : flows) shares.push_back(shares_of(map, tables, flow));
  std::vector<double> room;
  for (const TopologyLink& link : map.topology.links) room.insert(room.end(), 2, static_cast<double>(link.rate_bps));
  std::vector<double> rates(flows.size(), 0);
  std::vector<bool> rising(flows.size(), true);
  while (std::find(rising.begin(), rising.end(), true) != rising.end()) {
    double step = std::numeric_limits<double>::max();
    std::vector<double> load(room.size(), 0);
    for (std::size_t link = 0; link < room.size(); ++link) {
      for (std::size_t f = 0; f < flows.size(); ++f) load[link] += rising[f] ? shares[f][link] : 0;
      if (load[link] > 0) step = std::min(step, room[link] / load[link]);
    }
    for (std::size_t f = 0; f < flows.size(); ++f) rates[f] += rising[f] ? step : 0;
    for (std::size_t link = 0; link < room.size(); ++link) {
      room[link] -= load[link] * step;
      if (load[link] == 0 || room[link] > 1e-6 * static_cast<double>(map.topology.links[link / 2].rate_bps)) continue;
      for (std::size_t f = 0; f < flows.size(); ++f) rising[f] = rising[f] && shares[f][link] == 0;
    }
  }
  return rates;
}

}  // namespace rocelab::sim
