// Assembles the rig; setup errors are exceptions, which fail the test.
#include "tests/sim/fabric/rig.h"

#include <stdexcept>

#include "sim/fabric/topology/generators.h"

namespace rocelab::sim::test {
namespace {

std::vector<RoutingEpoch> one_epoch(const RoutingMap& map, const RigOptions& options) {
  std::vector<RoutingEpoch> epochs(1);
  const std::vector<bool> all_up(map.topology.links.size());
  epochs[0].tables = compute_tables(map, all_up, resolve_paths(map.topology, options.paths), options.routes, nullptr);
  return epochs;
}

RoutingOptions routing_options(const RigOptions& options) {
  RoutingOptions routing;
  routing.seed = options.seed;
  return routing;
}

SwitchProfile made(const SwitchOptions& options) {
  base::TextResult<SwitchProfile> profile = SwitchProfile::make(options);
  if (!profile) throw std::runtime_error(profile.error());
  return *profile;
}

}  // namespace

Rig::Rig(const Topology& topology, const RigOptions& options)
    : topology_(topology),
      map_(topology_),
      profile_(made(options.switches)),
      routing_(map_, routing_options(options), one_epoch(map_, options)) {
  for (std::uint32_t i = 0; i < topology_.host_count; ++i) {
    hosts_.push_back(std::make_unique<StubHost>(pools_));
    simulation_.add(*hosts_.back());
  }
  for (std::uint32_t i = 0; i < topology_.switch_count(); ++i) {
    const unsigned ports = map_.adjacency.port_count(topology_.host_count + i);
    switches_.push_back(std::make_unique<Switch>(profile_, i, ports, routing_, pools_, options.seed));
    simulation_.add(*switches_.back());
  }
  for (const TopologyLink& link : topology_.links) {
    simulation_.connect(link.a, link.b, link.delay);
    const auto attach = [&](std::uint32_t node, std::uint16_t port, std::uint32_t peer, std::uint16_t peer_port) {
      PortOptions end{node, peer, peer_port, port, link.rate_bps, link.delay, !topology_.is_host(peer)};
      if (topology_.is_host(node)) {
        hosts_[node]->port.attach(end);
      } else {
        switches_[node - topology_.host_count]->attach(port, end, options.ports);
      }
    };
    attach(link.a, link.a_port, link.b, link.b_port);
    attach(link.b, link.b_port, link.a, link.a_port);
  }
  for (auto& node : switches_) {
    if (base::TextResult<void> ready = node->finish_setup(); !ready) throw std::runtime_error(ready.error());
  }
}

void Rig::send(NodeId from, SendRequest request, unsigned count, TimePoint at) {
  std::vector<SendRequest> batch;
  for (unsigned i = 1; i <= count; ++i) {
    request.user = i;
    batch.push_back(request);
  }
  StubHost& source = *hosts_[from];
  source.scheduled.push_back(std::move(batch));
  simulation_.schedule_initial(at, from, StubHost::kSend, 0, source.scheduled.size() - 1);
}

void Rig::pause(NodeId host, std::uint8_t classes, std::uint16_t quanta, TimePoint at) {
  simulation_.schedule_initial(at, host, StubHost::kPause, 0, classes | std::uint64_t{quanta} << 8);
}

void Rig::link_state(std::size_t link, bool up, TimePoint at) {
  const TopologyLink& both = topology_.links[link];
  simulation_.schedule_initial(at, both.a, event_kind::kLinkState, both.a_port, up ? 1 : 0);
  simulation_.schedule_initial(at, both.b, event_kind::kLinkState, both.b_port, up ? 1 : 0);
}

RunOutcome Rig::run(TimePoint until, unsigned partitions) {
  pools_.resize(partitions);
  RunOptions options;
  options.partitions = partitions;
  const RunOutcome outcome = simulation_.run(until, options);
  now_ = outcome.now;
  return outcome;
}

std::string Rig::audit(bool over) const {
  for (const auto& node : switches_) {
    if (base::TextResult<void> sound = node->audit(); !sound) return sound.error();
    if (over && node->queued_bytes() != 0) return "packets are still queued";
    if (over && node->buffer_used_bytes() != 0) return "the buffer is not empty";
  }
  if (over && pools_.in_use() != 0) return "packets are in no pool";
  return {};
}

Topology star(unsigned hosts, std::uint64_t rate_bps, Duration delay) {
  SingleSwitchOptions options;
  options.hosts = hosts;
  options.host_link.rate_bps = rate_bps;
  options.host_link.delay = delay;
  return single_switch(options).value();
}

}  // namespace rocelab::sim::test
