// See network.h.
#include "sim/workload/run/network.h"

#include <algorithm>

namespace rocelab::sim {

Network::Network(const Scenario& scenario, unsigned partitions)
    : scenario_(scenario), pools_(partitions), map_(scenario.topology) {}

base::TextResult<std::unique_ptr<Network>> Network::make(const Scenario& scenario, unsigned partitions) {
  std::unique_ptr<Network> network(new Network(scenario, partitions));
  if (const auto built = network->build(); !built) return base::fail_text(built.error());
  return network;
}

PortOptions Network::port(std::uint32_t node, std::uint16_t number, const TopologyPort& to) const {
  const Topology& topology = scenario_.topology;
  const TopologyLink& link = topology.links[to.link];
  PortOptions out;
  out.node = node;
  out.peer = to.peer;
  out.peer_port = to.peer_port;
  out.port = number;
  out.rate_bps = link.rate_bps;
  out.delay = link.delay + topology.nodes[to.peer].latency;
  out.peer_is_switch = !topology.is_host(to.peer);
  return out;
}

base::TextResult<void> Network::build() {
  const Topology& topology = scenario_.topology;
  SwitchOptions options = scenario_.switches;
  options.sample_interval = Duration::ps(static_cast<std::int64_t>(scenario_.sampling.interval_ps));
  auto profile = SwitchProfile::make(options);
  if (!profile) return base::fail_text(profile.error());
  profile_ = std::move(*profile);
  std::vector<RoutingEpoch> epochs(1);
  epochs[0].tables =
      compute_tables(map_, std::vector<bool>(topology.links.size()), scenario_.routing.paths, {}, nullptr);
  routing_ = std::make_unique<Routing>(map_, scenario_.routing, std::move(epochs));

  for (std::uint32_t h = 0; h < topology.host_count; ++h) {
    hosts_.push_back(std::make_unique<Host>(scenario_.hosts, pools_, h, topology.nodes[h].name));
    simulation_.add(*hosts_.back());
    hosts_.back()->port().attach(port(h, 0, map_.adjacency.port(h, 0)));
  }
  for (std::uint32_t s = 0; s < topology.switch_count(); ++s) {
    const std::uint32_t node = topology.host_count + s;
    const std::uint32_t ports = map_.adjacency.port_count(node);
    switches_.push_back(std::make_unique<Switch>(*profile_, s, ports, *routing_, pools_, scenario_.seed));
    simulation_.add(*switches_.back());
    for (std::uint16_t p = 0; p < ports; ++p) {
      PortOptions link = port(node, p, map_.adjacency.port(node, p));
      switches_.back()->attach(p, link);
    }
    if (const auto done = switches_.back()->finish_setup(); !done) {
      return base::fail_text(topology.nodes[node].name + ": " + done.error());
    }
  }
  for (const TopologyLink& link : topology.links) simulation_.connect(link.a, link.b, link.delay);
  return {};
}

}  // namespace rocelab::sim
