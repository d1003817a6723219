// See network.h.
#include "sim/workload/run/network.h"

#include <fmt/format.h>

namespace rocelab::sim {

namespace {

std::string text_of(const Scenario& scenario, const FabricError& error) {
  if (error.fault && *error.fault < scenario.fault_lines.size()) {
    return fmt::format("{}:{}: key `fault.{}`: {}", scenario.file, scenario.fault_lines[*error.fault], error.key,
                       error.what);
  }
  return fmt::format("{}: {}: {}", scenario.file, error.key, error.what);
}

}  // namespace

Network::Network(const Scenario& scenario, unsigned partitions) : scenario_(scenario), pools_(partitions) {}

base::TextResult<std::unique_ptr<Network>> Network::make(const Scenario& scenario, unsigned partitions, bool samples) {
  std::unique_ptr<Network> network(new Network(scenario, partitions));
  if (const auto built = network->build(samples); !built) return base::fail_text(built.error());
  return network;
}

base::TextResult<void> Network::build(bool samples) {
  FabricOptions options;
  options.switches = scenario_.switches;
  if (samples || !scenario_.sampling.automatic) {
    options.switches.sample_interval = Duration::ps(static_cast<std::int64_t>(scenario_.sampling.interval_ps));
  }
  options.routing = scenario_.routing;
  options.convergence = scenario_.convergence;
  options.routes = scenario_.routes;
  options.faults = scenario_.faults;
  options.seed = scenario_.seed;
  auto fabric = Fabric::make(scenario_.topology, std::move(options), pools_);
  if (!fabric) return base::fail_text(text_of(scenario_, fabric.error()));
  fabric_ = std::move(*fabric);
  std::vector<Port*> ports;
  for (std::uint32_t h = 0; h < scenario_.topology.host_count; ++h) {
    hosts_.push_back(std::make_unique<Host>(scenario_.hosts, pools_, h, scenario_.topology.nodes[h].name));
    simulation_.add(*hosts_.back());
    ports.push_back(&hosts_.back()->port());
  }
  if (const auto built = fabric_->build(simulation_, ports); !built) {
    return base::fail_text(text_of(scenario_, built.error()));
  }
  schedule_host_faults();
  return {};
}

void Network::schedule_host_faults() {
  for (const HostFault& fault : scenario_.host_faults) {
    const bool pause = fault.kind == HostFault::Kind::kPause;
    const std::uint16_t kind = pause ? host_event::kHalt : host_event::kReceiveRate;
    simulation_.schedule_initial(TimePoint::from_ps(fault.at_ps), fault.host, kind, 0, pause ? 1 : fault.rate_bps);
    if (fault.until_ps != 0) simulation_.schedule_initial(TimePoint::from_ps(fault.until_ps), fault.host, kind, 0, 0);
  }
}

}  // namespace rocelab::sim
