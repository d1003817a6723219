// Wiring; see fabric.h.
#include "sim/fabric/fabric.h"

#include <fmt/format.h>

#include <algorithm>

namespace rocelab::sim {

namespace {

tl::unexpected<FabricError> fail(std::string key, std::string what) {
  return tl::make_unexpected(FabricError{std::move(key), std::move(what), {}});
}

}  // namespace

Fabric::Fabric(Topology topology, FabricOptions options, PacketPools& pools)
    : topology_(std::move(topology)), options_(std::move(options)), pools_(pools), map_(topology_) {}

tl::expected<std::unique_ptr<Fabric>, FabricError> Fabric::make(Topology topology, FabricOptions options,
                                                                PacketPools& pools) {
  std::unique_ptr<Fabric> fabric(new Fabric(std::move(topology), std::move(options), pools));
  if (auto good = fabric->prepare(); !good) return tl::make_unexpected(good.error());
  return fabric;
}

tl::expected<void, FabricError> Fabric::prepare() {
  auto profile = SwitchProfile::make(options_.switches);
  if (!profile) return fail("switches", profile.error());
  profile_ = std::move(*profile);
  auto faults = plan_faults(topology_, options_.faults);
  if (!faults) return tl::make_unexpected(FabricError{faults.error().key, faults.error().what, faults.error().index});
  faults_ = std::move(*faults);
  if (auto good = check_routes(map_, options_.routes); !good) return fail("routes", good.error());
  if (options_.convergence < base::Duration()) return fail("convergence", "a time below 0");
  for (const LinkLoss& loss : options_.losses) {
    if (loss.link >= topology_.links.size()) return fail("losses", fmt::format("there is no link {}", loss.link));
    const TopologyLink& link = topology_.links[loss.link];
    if (loss.from != link.a && loss.from != link.b) {
      return fail("losses", fmt::format("node {} is not at an end of link {}", loss.from, loss.link));
    }
  }
  RoutingPlanOptions plan_options;
  plan_options.paths = options_.routing.paths;
  plan_options.convergence = options_.convergence;
  plan_options.routes = options_.routes;
  plan_options.lossless = options_.switches.pfc && profile_.lossless != 0;
  RoutingPlan plan = plan_routing(map_, plan_options, faults_.links);
  findings_ = std::move(plan.findings);
  RoutingOptions routing = options_.routing;
  routing.seed = options_.seed;
  routing_ = std::make_unique<Routing>(map_, routing, std::move(plan.epochs));
  return {};
}

tl::expected<void, FabricError> Fabric::build(Simulation& simulation, std::span<Port* const> hosts) {
  if (hosts.size() != topology_.host_count || simulation.nodes() != topology_.host_count) {
    return fail("hosts", fmt::format("the topology has {} hosts, the simulation {} nodes", topology_.host_count,
                                     simulation.nodes()));
  }
  switches_.reserve(topology_.switch_count());
  for (std::uint32_t i = 0; i < topology_.switch_count(); ++i) {
    const std::uint32_t ports = map_.adjacency.port_count(topology_.host_count + i);
    switches_.push_back(std::make_unique<Switch>(profile_, i, ports, *routing_, pools_, options_.seed));
    simulation.add(*switches_.back());
  }
  attach(simulation, hosts);
  for (const auto& node : switches_) {
    if (auto ready = node->finish_setup(); !ready) {
      return fail("switches", fmt::format("{}: {}", topology_.switch_at(node->index()).name, ready.error()));
    }
  }
  schedule_faults(simulation);
  return {};
}

void Fabric::attach(Simulation& simulation, std::span<Port* const> hosts) {
  for (std::uint32_t i = 0; i < topology_.links.size(); ++i) {
    const TopologyLink& link = topology_.links[i];
    // A packet takes the link's delay and then the pipeline of the switch that it reaches.
    simulation.connect(link.a, link.b,
                       link.delay + std::min(topology_.nodes[link.a].latency, topology_.nodes[link.b].latency));
    for (const bool from_a : {true, false}) {
      attach_end(link, from_a, hosts);
      set_effects(i, from_a, hosts);
    }
  }
}

void Fabric::attach_end(const TopologyLink& link, bool from_a, std::span<Port* const> hosts) {
  PortOptions port;
  port.node = from_a ? link.a : link.b;
  port.peer = from_a ? link.b : link.a;
  port.port = from_a ? link.a_port : link.b_port;
  port.peer_port = from_a ? link.b_port : link.a_port;
  port.rate_bps = link.rate_bps;
  port.delay = link.delay + topology_.nodes[port.peer].latency;
  port.peer_is_switch = !topology_.is_host(port.peer);
  if (topology_.is_host(port.node)) {
    hosts[port.node]->attach(port);
    return;
  }
  const SwitchPortOptions own = options_.port_options ? options_.port_options(link) : SwitchPortOptions();
  switches_[port.node - topology_.host_count]->attach(port.port, port, own);
}

void Fabric::set_effects(std::uint32_t index, bool from_a, std::span<Port* const> hosts) {
  const TopologyLink& link = topology_.links[index];
  const std::uint32_t node = from_a ? link.a : link.b;
  LinkEffectsOptions effects;
  effects.bit_errors_per_1e18 = link.bit_error_e18;
  effects.loss_numerator = link.packet_loss_e9;
  effects.loss_denominator = 1'000'000'000;
  for (const LinkLoss& loss : options_.losses) {
    if (loss.link == index && loss.from == node) effects.scripted.push_back(loss.loss);
  }
  if (link.bit_error_e18 == 0 && link.packet_loss_e9 == 0 && effects.scripted.empty()) return;
  if (topology_.is_host(node)) {
    base::Rng rng(options_.seed, fmt::format("host.{}.link", node));
    hosts[node]->set_effects(std::make_unique<LinkEffects>(effects, rng), pools_);
    return;
  }
  switches_[node - topology_.host_count]->set_link_effects(from_a ? link.a_port : link.b_port, effects);
}

void Fabric::schedule_faults(Simulation& simulation) {
  // Both ends learn of a change at the same time, each by an event of its own.
  for (const LinkTransition& change : faults_.links) {
    const TopologyLink& link = topology_.links[change.link];
    const std::uint64_t up = change.up ? 1 : 0;
    simulation.schedule_initial(change.at, link.a, event_kind::kLinkState, link.a_port, up);
    simulation.schedule_initial(change.at, link.b, event_kind::kLinkState, link.b_port, up);
  }
  for (const BitErrorChange& change : faults_.bit_errors) {
    const TopologyLink& link = topology_.links[change.link];
    simulation.schedule_initial(change.at, link.a, event_kind::kBitErrors, link.a_port, change.bit_error_e18);
    simulation.schedule_initial(change.at, link.b, event_kind::kBitErrors, link.b_port, change.bit_error_e18);
  }
}

}  // namespace rocelab::sim
