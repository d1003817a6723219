// Fabrics as a whole, between stub hosts: every policy delivers, latencies add up, failures lose what they must and are
// routed around, restarts empty a switch, and threads change nothing.
#include "sim/fabric/fabric.h"

#include <algorithm>
#include <set>

#include "sim/fabric/topology/generators.h"
#include "sim/parallel/thread_executor.h"
#include "tests/sim/fabric/stub_host.h"
#include "tests/sim/topology/shape.h"
#include "tests/support/catch.h"

namespace rocelab::sim {
namespace {

using test::Received;
using test::SendRequest;
using test::StubHost;

struct Run {
  Run(Topology topology, FabricOptions options, unsigned partitions = 1) : pools(partitions) {
    auto made = Fabric::make(std::move(topology), std::move(options), pools);
    if (!made) FAIL(made.error().key << ": " << made.error().what);
    fabric = std::move(*made);
    std::vector<Port*> ports;
    for (std::uint32_t i = 0; i < fabric->topology().host_count; ++i) {
      hosts.push_back(std::make_unique<StubHost>(pools));
      simulation.add(*hosts.back());
      ports.push_back(&hosts.back()->port);
    }
    const auto built = fabric->build(simulation, ports);
    if (!built) FAIL(built.error().key << ": " << built.error().what);
    run_options.partitions = partitions;
  }

  /// `count` packets of flow `hash`; `spread` gives each packet an entropy of its own.
  void send(std::uint32_t from, std::uint32_t to, unsigned count, TimePoint at = TimePoint(), bool spread = false) {
    std::vector<SendRequest> batch(count);
    for (unsigned i = 0; i < count; ++i) {
      batch[i].destination = to;
      batch[i].flow_hash = from * 1000 + to + (spread ? i * 7919 : 0);
      batch[i].user = i + 1;
    }
    hosts[from]->scheduled.push_back(std::move(batch));
    simulation.schedule_initial(at, from, StubHost::kSend, 0, hosts[from]->scheduled.size() - 1);
  }

  void run() { simulation.run(TimePoint::from_ps(10'000'000'000'000), run_options); }

  std::uint64_t received() const {
    std::uint64_t sum = 0;
    for (const auto& host : hosts) sum += host->received.size();
    return sum;
  }
  std::uint64_t sent() const {
    std::uint64_t sum = 0;
    for (const auto& host : hosts) sum += host->sent;
    return sum;
  }
  void check_books() const {
    for (const auto& node : fabric->switches()) {
      const auto sound = node->audit();
      if (!sound) FAIL(sound.error());
      CHECK(node->queued_bytes() == 0);
    }
    CHECK(pools.in_use() == 0);
  }

  PacketPools pools;
  Simulation simulation;
  std::unique_ptr<Fabric> fabric;
  std::vector<std::unique_ptr<StubHost>> hosts;
  RunOptions run_options;
};

Topology tree(std::uint32_t k) {
  return good(fat_tree({.k = k, .tiers = 3, .oversubscription = 1, .host_link = {}, .edge_link = {}, .core_link = {}}));
}

Topology two_leaves(std::uint32_t spines) {
  return good(leaf_spine(
      {.leaves = 2, .spines = spines, .hosts_per_leaf = 2, .links_per_spine = 1, .host_link = {}, .spine_link = {}}));
}

FabricOptions with(RoutingPolicy policy) {
  FabricOptions options;
  options.routing.policy = policy;
  options.seed = 3;
  return options;
}

Fault fault(Fault::Kind kind, std::uint32_t target, Duration at, Duration lasts = {}) {
  Fault made;
  made.kind = kind;
  made.target = target;
  made.at = TimePoint() + at;
  made.lasts = lasts;
  return made;
}

constexpr std::uint32_t kWire = 1000 + 66 + 20;  ///< what StubHost sends

TEST_CASE("fabric: every policy delivers every packet of an all-to-all in every topology", "[sim][fabric]") {
  const RoutingPolicy policy =
      GENERATE(RoutingPolicy::kEcmp, RoutingPolicy::kSpray, RoutingPolicy::kFlowlet, RoutingPolicy::kAdaptive);
  for (const Topology& topology :
       {tree(4), good(dragonfly_plus({})),
        good(torus({.size = {3, 3}, .hosts_per_switch = 1, .host_link = {}, .switch_link = {}})),
        good(rail_pods({.pods = 2,
        .servers_per_pod = 2,
        .rails = 2,
        .spines = 2,
        .links_per_spine = 1,
        .host_link = {},
        .spine_link = {}}))}) {
    INFO(topology.kind);
    Run run(topology, with(policy));
    for (std::uint32_t from = 0; from < topology.host_count; ++from) {
      for (std::uint32_t to = 0; to < topology.host_count; ++to) {
        if (from != to) run.send(from, to, 5);
      }
    }
    run.run();
    const std::uint64_t all = std::uint64_t{topology.host_count} * (topology.host_count - 1) * 5;
    CHECK(run.sent() == all);
    CHECK(run.received() == all);
    run.check_books();
  }
}

TEST_CASE("fabric: latency is links, pipelines and serialisations", "[sim][fabric]") {
  Topology topology = two_leaves(1);
  for (std::uint32_t s = topology.host_count; s < topology.node_count(); ++s)
    topology.nodes[s].latency = Duration::ns(300);
  Run run(topology, {});
  run.send(0, 2, 1);
  run.run();
  REQUIRE(run.hosts[2]->received.size() == 1);
  // Four links of 1 us, three switches of 300 ns, four times 1086 bytes at 80 ps.
  CHECK(run.hosts[2]->received[0].time_ps == 4 * 1'000'000 + 3 * 300'000 + 4 * kWire * 80);
}

TEST_CASE("fabric: spraying uses every spine, ECMP one a flow", "[sim][fabric]") {
  const auto spines_used = [](RoutingPolicy policy, bool spread) {
    Run run(two_leaves(4), with(policy));
    run.send(0, 2, 400, TimePoint(), spread);
    run.run();
    CHECK(run.hosts[2]->received.size() == 400);
    int used = 0;
    for (std::uint32_t spine = 0; spine < 4; ++spine) {
      const Switch& node = run.fabric->switch_at(2 + spine);
      used += node.port(0).counters().rx_packets + node.port(1).counters().rx_packets > 0 ? 1 : 0;
    }
    return used;
  };
  CHECK(spines_used(RoutingPolicy::kEcmp, false) == 1);
  CHECK(spines_used(RoutingPolicy::kSpray, false) == 4);
  CHECK(spines_used(RoutingPolicy::kEcmp, true) == 4);  // the host chooses entropy per packet, as REPS does
}

TEST_CASE("fabric: adaptive routing shares two spines between flows that ECMP would send over one", "[sim][fabric]") {
  const auto last_arrival = [](RoutingPolicy policy) {
    FabricOptions options = with(policy);
    options.routing.adaptive_hysteresis_bytes = 0;
    std::uint64_t worst = 0;
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      options.seed = seed;
      Run run(two_leaves(2), options);
      run.send(0, 2, 500);
      run.send(1, 3, 500);
      run.run();
      worst = std::max({worst, run.hosts[2]->received.back().time_ps, run.hosts[3]->received.back().time_ps});
    }
    return worst;
  };
  const std::uint64_t alone = 500 * kWire * 80 + 4'000'000 + 3 * kWire * 80;
  CHECK(last_arrival(RoutingPolicy::kEcmp) > alone * 18 / 10);
  CHECK(last_arrival(RoutingPolicy::kAdaptive) < alone * 11 / 10);
}

TEST_CASE("fabric: a failed link loses packets until the tables know of it", "[sim][fabric]") {
  FabricOptions options = with(RoutingPolicy::kSpray);
  const Topology topology = two_leaves(2);
  const std::uint32_t leaf0 = topology.host_count;
  const std::vector<std::uint32_t> lost = links_between(topology, leaf0, topology.host_count + 2);
  REQUIRE(lost.size() == 1);
  // 2,000 packets take 173.76 us; the link is down from 40 us on, known at 60 us, back at 100, known at 120.
  options.faults = {fault(Fault::Kind::kLinkDown, lost[0], Duration::us(40), Duration::us(60))};
  options.convergence = Duration::us(20);
  Run run(topology, options);
  run.send(0, 2, 2000);
  run.run();
  const std::uint64_t received = run.hosts[2]->received.size();
  const std::uint64_t blind = 20'000'000 / (kWire * 80);  // packets in the 20 us of convergence
  CHECK(2000 - received > blind * 4 / 10);
  CHECK(2000 - received < blind * 6 / 10 + 20);
  // All that are lost were sent in that time.
  std::set<std::uint64_t> arrived;
  for (const Received& packet : run.hosts[2]->received) arrived.insert(packet.user);
  for (std::uint64_t packet = 1; packet <= 2000; ++packet) {
    const std::uint64_t sent_us = packet * kWire * 80 / 1'000'000;
    if (sent_us < 35 || sent_us > 62) CHECK(arrived.count(packet) == 1);
  }
  const Switch& spine0 = run.fabric->switch_at(2);
  CHECK(spine0.port(0).counters().rx_packets > 500);  // before and after
  run.check_books();
}

TEST_CASE("fabric: a restart empties the switch and its hosts are cut off until it is back", "[sim][fabric]") {
  FabricOptions options;
  Topology topology = two_leaves(1);
  options.faults = {fault(Fault::Kind::kSwitchReboot, topology.host_count + 2, Duration::us(50), Duration::us(50))};
  options.convergence = Duration::us(0);
  Run run(topology, options);
  run.send(0, 2, 2000);
  run.run();
  CHECK(run.fabric->faults().links.size() == 4);  // two links down, two up
  REQUIRE(run.fabric->routing_findings().size() == 1);
  CHECK(run.fabric->routing_findings()[0].kind == RoutingFinding::Kind::kUnreachable);
  const std::uint64_t gone = 2000 - run.hosts[2]->received.size();
  const std::uint64_t during = 50'000'000 / (kWire * 80);
  CHECK(gone >= during);
  CHECK(gone <= during + 60);
  CHECK(run.fabric->switch_at(0).totals().dropped() > during - 60);
  run.check_books();
}

TEST_CASE("fabric: bit errors come and go by script, random loss is the link's own", "[sim][fabric]") {
  FabricOptions options;
  Topology topology = two_leaves(1);
  const std::uint32_t link = links_between(topology, topology.host_count, topology.host_count + 2).front();
  Fault spell = fault(Fault::Kind::kBitErrors, link, Duration::us(40), Duration::us(60));
  spell.bit_error_e18 = 100'000'000'000'000;  // 1e-4: nearly two of three packets
  options.faults = {spell};
  Run run(topology, options);
  run.send(0, 2, 2000);
  run.run();
  const std::uint64_t spoiled = run.fabric->switch_at(2).port(0).counters().rx_fcs_errors;
  CHECK(spoiled > 300);
  CHECK(spoiled < 600);
  CHECK(run.hosts[2]->received.size() == 2000 - spoiled);

  Topology lossy = two_leaves(1);
  lossy.links[0].packet_loss_e9 = 100'000'000;  // host 0's: every tenth
  Run second(lossy, {});
  second.send(0, 2, 2000);
  second.send(1, 3, 2000);
  second.run();
  CHECK(second.hosts[2]->received.size() > 1700);
  CHECK(second.hosts[2]->received.size() < 1900);
  CHECK(second.hosts[3]->received.size() == 2000);
}

TEST_CASE("fabric: scripted losses hit the packets that they name", "[sim][fabric]") {
  FabricOptions options;
  const Topology topology = two_leaves(1);
  LinkLoss loss;
  loss.link = links_between(topology, topology.host_count, topology.host_count + 2).front();
  loss.from = topology.host_count;
  loss.loss.first = 3;
  loss.loss.count = 2;
  options.losses = {loss};
  Run run(topology, options);
  run.send(0, 2, 6);
  run.run();
  std::vector<std::uint64_t> users;
  for (const Received& packet : run.hosts[2]->received) users.push_back(packet.user);
  CHECK(users == std::vector<std::uint64_t>{1, 2, 5, 6});
}

TEST_CASE("fabric: one, two and three threads give the same arrivals", "[sim][fabric][threads]") {
  const RoutingPolicy policy =
      GENERATE(RoutingPolicy::kEcmp, RoutingPolicy::kSpray, RoutingPolicy::kFlowlet, RoutingPolicy::kAdaptive);
  const auto log = [&](unsigned partitions) {
    const Topology topology = tree(4);
    FabricOptions options = with(policy);
    options.convergence = Duration::us(10);
    options.faults = {
        fault(Fault::Kind::kLinkDown, links_between(topology, 16, 24).front(), Duration::us(20), Duration::us(30)),
        fault(Fault::Kind::kSwitchReboot, 33, Duration::us(25), Duration::us(20))};
    Run run(topology, options, partitions);
    ThreadExecutor threads;
    run.run_options.executor = &threads;
    for (std::uint32_t from = 0; from < 16; ++from) {
      run.send(from, (from + 5) % 16, 300);
      run.send(from, (from + 9) % 16, 300, TimePoint::from_ns(7 * from));
    }
    run.run();
    CHECK(run.simulation.partitions() == partitions);
    std::vector<std::vector<std::pair<std::uint64_t, std::uint64_t>>> arrivals;
    for (const auto& host : run.hosts) {
      arrivals.emplace_back();
      for (const Received& packet : host->received)
        arrivals.back().emplace_back(packet.time_ps, packet.user << 32 | packet.source);
    }
    return arrivals;
  };
  const auto one = log(1);
  CHECK(log(2) == one);
  CHECK(log(3) == one);
}

TEST_CASE("faults: overlapping causes are one outage", "[sim][fabric]") {
  const Topology topology = two_leaves(2);
  const std::uint32_t spine0 = topology.host_count + 2;
  const std::uint32_t link = links_between(topology, topology.host_count, spine0).front();
  const auto plan =
      plan_faults(topology, {fault(Fault::Kind::kLinkDown, link, Duration::us(10), Duration::us(10)),
                             fault(Fault::Kind::kSwitchReboot, spine0, Duration::us(15), Duration::us(10)),
                             fault(Fault::Kind::kLinkDown, link, Duration::us(25), Duration::us(5)),
                             fault(Fault::Kind::kLinkDown, link, Duration::us(50)),
                             fault(Fault::Kind::kLinkUp, link, Duration::us(60))});
  REQUIRE(plan.has_value());
  std::vector<std::pair<std::uint64_t, bool>> changes;
  for (const LinkTransition& change : plan->links) {
    if (change.link == link) changes.emplace_back(change.at.count_ps() / 1'000'000, change.up);
  }
  CHECK(changes == std::vector<std::pair<std::uint64_t, bool>>{{10, false}, {30, true}, {50, false}, {60, true}});
}

TEST_CASE("faults: impossible scripts are refused with the fault to blame", "[sim][fabric]") {
  const Topology topology = two_leaves(1);
  const auto refused = [&](Fault bad) {
    const auto plan = plan_faults(topology, {fault(Fault::Kind::kLinkDown, 0, Duration::us(1), Duration::us(1)), bad});
    if (plan) return std::string("accepted");
    CHECK(plan.error().index == 1);
    return plan.error().key + ": " + plan.error().what;
  };
  CHECK(refused(fault(Fault::Kind::kLinkDown, 99, Duration::us(1))) == "link: there is no link 99");
  CHECK(refused(fault(Fault::Kind::kSwitchReboot, 1, Duration::us(1))) == "switch: host1 is a host");
  CHECK(refused(fault(Fault::Kind::kSwitchReboot, 99, Duration::us(1))) == "switch: there is no node 99");
  CHECK(refused(fault(Fault::Kind::kLinkUp, 1, Duration::us(9))) ==
        "link: the link between host1 and leaf0 is not down then");
  CHECK(refused(fault(Fault::Kind::kLinkUp, 0, Duration::us(9), Duration::us(1))) == "for: a link comes up for good");
  CHECK(refused(fault(Fault::Kind::kLinkDown, 0, Duration::us(9), Duration::us(-1))) == "for: a time below 0");

  PacketPools pools;
  FabricOptions options;
  options.losses.push_back({.link = 0, .from = 3, .loss = {}});
  const auto made = Fabric::make(topology, options, pools);
  REQUIRE(!made);
  CHECK(made.error().what == "node 3 is not at an end of link 0");
}

}  // namespace
}  // namespace rocelab::sim
