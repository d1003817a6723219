// Tables with links out of service, the plan of a whole fault script, explicit routes, and what is found out
// beforehand: unreachable hosts, routes in circles, possible deadlocks.
#include <set>

#include "base/rng.h"
#include "sim/fabric/routing/dependency.h"
#include "sim/fabric/routing/plan.h"
#include "sim/fabric/topology/generators.h"
#include "tests/sim/topology/shape.h"
#include "tests/support/catch.h"

namespace rocelab::sim {
namespace {

using base::Duration;
using base::TimePoint;

Topology tree(std::uint32_t k) {
  return good(fat_tree({.k = k, .tiers = 3, .oversubscription = 1, .host_link = {}, .edge_link = {}, .core_link = {}}));
}

Topology two_by_two() {
  return good(leaf_spine(
      {.leaves = 2, .spines = 2, .hosts_per_leaf = 2, .links_per_spine = 1, .host_link = {}, .spine_link = {}}));
}

Topology rings(std::vector<std::uint32_t> size) {
  return good(torus({.size = std::move(size), .hosts_per_switch = 1, .host_link = {}, .switch_link = {}}));
}

std::uint32_t link_between(const Topology& t, const std::string& a, const std::string& b) {
  for (std::uint32_t i = 0; i < t.links.size(); ++i) {
    if (t.nodes[t.links[i].a].name == a && t.nodes[t.links[i].b].name == b) return i;
  }
  FAIL("no link " << a << " " << b);
  return 0;
}

TEST_CASE("failures: a fat tree routes around a lost link from edge to aggregation", "[sim][routing]") {
  const Topology t = tree(4);
  const RoutingMap map(t);
  std::vector<bool> down(t.links.size(), false);
  down[link_between(t, "edge0", "agg0")] = true;
  const RoutingTables tables = compute_tables(map, down, RoutingPaths::kAuto, {}, nullptr);
  CHECK(find_unreachable(map, tables, down).pairs == 0);
  // Whoever sends to edge 0 must already have chosen the right aggregation position: no path has a detour.
  CHECK(check_all_pairs(map, tables, 6) == "");
  CHECK(paths_between(map, tables, 0, 15).paths == 2);
  CHECK(paths_between(map, tables, 15, 0).paths == 2);
  CHECK(paths_between(map, tables, 15, 4).paths == 4);
}

TEST_CASE("failures: a lost core link leaves the other cores", "[sim][routing]") {
  const Topology t = tree(4);
  const RoutingMap map(t);
  std::vector<bool> down(t.links.size(), false);
  down[link_between(t, "agg0", "core1")] = true;
  const RoutingTables tables = compute_tables(map, down, RoutingPaths::kAuto, {}, nullptr);
  CHECK(check_all_pairs(map, tables, 6) == "");
  CHECK(paths_between(map, tables, 0, 15).paths == 3);
  CHECK(paths_between(map, tables, 8, 15).paths == 4);
}

TEST_CASE("failures: up-down refuses the detour that shortest paths take", "[sim][routing]") {
  const Topology t = good(leaf_spine(
      {.leaves = 3, .spines = 2, .hosts_per_leaf = 1, .links_per_spine = 1, .host_link = {}, .spine_link = {}}));
  const RoutingMap map(t);
  std::vector<bool> down(t.links.size(), false);
  down[link_between(t, "leaf0", "spine1")] = true;
  down[link_between(t, "leaf1", "spine0")] = true;
  const RoutingTables up_down = compute_tables(map, down, RoutingPaths::kAuto, {}, nullptr);
  const Unreachable cut = find_unreachable(map, up_down, down);
  CHECK(cut.pairs == 2);
  CHECK(cut.from == 0);
  CHECK(cut.to == 1);
  const RoutingTables shortest = compute_tables(map, down, RoutingPaths::kShortest, {}, nullptr);
  CHECK(find_unreachable(map, shortest, down).pairs == 0);
  CHECK(paths_between(map, shortest, 0, 1).most == 6);
  CHECK(find_dependency_cycle(map, up_down).empty());
}

TEST_CASE("failures: hosts cut off are counted", "[sim][routing]") {
  const Topology t = tree(4);
  const RoutingMap map(t);
  std::vector<bool> down(t.links.size(), false);
  down[map.adjacency.port(3, 0).link] = true;  // host 3's own link
  const RoutingTables one = compute_tables(map, down, RoutingPaths::kAuto, {}, nullptr);
  CHECK(find_unreachable(map, one, down).pairs == 2 * 15);
  CHECK(find_unreachable(map, one, down).to == 3);
  down[map.adjacency.port(3, 0).link] = false;
  down[link_between(t, "edge0", "agg0")] = true;
  down[link_between(t, "edge0", "agg1")] = true;
  const RoutingTables edge = compute_tables(map, down, RoutingPaths::kAuto, {}, nullptr);
  CHECK(find_unreachable(map, edge, down).pairs == 2 * 2 * 14);
  CHECK(paths_between(map, edge, 0, 1).complete);
}

TEST_CASE("failures: whatever links fail, a route arrives without a detour or there is none", "[sim][routing]") {
  const std::vector<Topology> all = {tree(4), two_by_two(), rings({4, 4}), good(dragonfly_plus({})),
                                     good(rail_pods({.pods = 2,
                                                     .servers_per_pod = 2,
                                                     .rails = 2,
                                                     .spines = 2,
                                                     .links_per_spine = 1,
                                                     .host_link = {},
                                                     .spine_link = {}}))};
  base::Rng rng(11, "failures");
  for (int round = 0; round < 60; ++round) {
    const Topology& t = all[rng.below(all.size())];
    const RoutingMap map(t);
    std::vector<bool> down(t.links.size(), false);
    const std::uint64_t failed = 1 + rng.below(t.links.size() / 3);
    for (std::uint64_t i = 0; i < failed; ++i) down[rng.below(down.size())] = true;
    const RoutingTables tables = compute_tables(map, down, RoutingPaths::kAuto, {}, nullptr);
    std::uint64_t cut = 0;
    for (std::uint32_t from = 0; from < t.host_count; ++from) {
      for (std::uint32_t to = 0; to < t.host_count; ++to) {
        if (from == to) continue;
        const std::uint32_t edge = map.edge_switches[map.hosts[from].edge];
        const bool route = tables.switches[edge]->by_edge[map.hosts[to].edge] != kEntryNone;
        if (route) {
          const PathLengths lengths = paths_between(map, tables, from, to);
          CHECK(lengths.complete);
          CHECK(lengths.least == lengths.most);
        }
        if (!route || down[map.adjacency.port(from, 0).link] || down[map.adjacency.port(to, 0).link]) ++cut;
      }
    }
    CHECK(find_unreachable(map, tables, down).pairs == cut);
    CHECK(!find_broken_route(map, tables).found);
  }
}

TEST_CASE("failures: no table uses a link that is down", "[sim][routing]") {
  const Topology t = rings({4, 3});
  const RoutingMap map(t);
  std::vector<bool> down(t.links.size(), false);
  const std::uint32_t lost = link_between(t, "switch0", "switch1");
  down[lost] = true;
  const RoutingTables tables = compute_tables(map, down, RoutingPaths::kAuto, {}, nullptr);
  for (std::uint32_t s = 0; s < t.switch_count(); ++s) {
    for (const RouteEntry entry : tables.switches[s]->by_edge) {
      if (entry == kEntryLocal) continue;
      for (const std::uint16_t port : ports_of_entry(*tables.switches[s], entry, 0)) {
        CHECK(map.adjacency.port(t.host_count + s, port).link != lost);
      }
    }
  }
  CHECK(find_unreachable(map, tables, down).pairs == 0);
}

TEST_CASE("failures: tables that do not change are shared", "[sim][routing]") {
  const Topology t = tree(4);
  const RoutingMap map(t);
  std::vector<bool> down(t.links.size(), false);
  const RoutingTables whole = compute_tables(map, down, RoutingPaths::kAuto, {}, nullptr);
  down[link_between(t, "agg0", "core1")] = true;
  const RoutingTables less = compute_tables(map, down, RoutingPaths::kAuto, {}, &whole);
  std::size_t shared = 0;
  for (std::uint32_t s = 0; s < t.switch_count(); ++s) shared += whole.switches[s] == less.switches[s] ? 1 : 0;
  CHECK(shared < t.switch_count());
  CHECK(shared >= 8);  // the edges of all pods at least
}

TEST_CASE("failures: a plan has the tables of each state of the links once", "[sim][routing]") {
  const Topology t = tree(4);
  const RoutingMap map(t);
  const std::uint32_t link = link_between(t, "edge0", "agg0");
  std::vector<LinkTransition> flaps;
  for (std::uint64_t ms = 1; ms <= 10; ++ms) flaps.push_back({TimePoint::from_ns(ms * 1'000'000), link, ms % 2 == 0});
  RoutingPlanOptions options;
  options.convergence = Duration::us(100);
  options.lossless = true;
  const RoutingPlan plan = plan_routing(map, options, flaps);
  REQUIRE(plan.epochs.size() == 11);
  CHECK(plan.epochs[0].at == TimePoint());
  CHECK(plan.epochs[1].at == TimePoint::from_ns(1'100'000));
  for (std::size_t i = 2; i < plan.epochs.size(); ++i)
    CHECK(plan.epochs[i].tables.switches == plan.epochs[i - 2].tables.switches);
  CHECK(plan.findings.empty());
}

TEST_CASE("failures: changes at one time make one epoch, and unreachable hosts a finding", "[sim][routing]") {
  const Topology t = tree(4);
  const RoutingMap map(t);
  const TimePoint at = TimePoint::from_ns(5);
  const RoutingPlan plan = plan_routing(
      map, {}, {{at, link_between(t, "edge0", "agg0"), false}, {at, link_between(t, "edge0", "agg1"), false}});
  REQUIRE(plan.epochs.size() == 2);
  REQUIRE(plan.findings.size() == 1);
  CHECK(plan.findings[0].kind == RoutingFinding::Kind::kUnreachable);
  CHECK(plan.findings[0].at == at);
  CHECK(plan.findings[0].text == "56 pairs of hosts have no path, the first is host0 to host2");
}

TEST_CASE("deadlock: rings of four can wait for each other, trees cannot", "[sim][routing]") {
  RoutingPlanOptions lossless;
  lossless.lossless = true;
  const Topology ring = rings({4, 2});
  const RoutingMap ring_map(ring);
  const std::vector<Channel> cycle = find_dependency_cycle(ring_map, tables_of(ring_map));
  REQUIRE(cycle.size() == 4);
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    const std::uint32_t peer = ring_map.adjacency.port(ring.host_count + cycle[i].switch_index, cycle[i].port).peer;
    CHECK(peer == ring.host_count + cycle[(i + 1) % cycle.size()].switch_index);
  }
  const RoutingPlan plan = plan_routing(ring_map, lossless, {});
  REQUIRE(plan.findings.size() == 1);
  CHECK(plan.findings[0].kind == RoutingFinding::Kind::kMayDeadlock);
  CHECK(plan.findings[0].text.starts_with(
      "under PFC the routes can deadlock, for 4 ports can wait for each other: switch"));
  // In a ring of three the shorter way is one hop: nobody passes two links of it.
  const Topology three = rings({3, 3});
  const RoutingMap three_map(three);
  CHECK(find_dependency_cycle(three_map, tables_of(three_map)).empty());

  for (const Topology& t : {tree(4), two_by_two(), good(dragonfly_plus({}))}) {
    INFO(t.kind);
    const RoutingMap map(t);
    CHECK(find_dependency_cycle(map, tables_of(map)).empty());
    CHECK(plan_routing(map, lossless, {}).findings.empty());
  }
}

TEST_CASE("routes: an explicit route replaces the computed one for its host alone", "[sim][routing]") {
  const Topology t = two_by_two();
  const RoutingMap map(t);
  // At leaf 0 packets for host 2 go by spine 1 only; ports 2 and 3 lead to the spines.
  const std::vector<ExplicitRoute> routes = {{.switch_index = 0, .destination = 2, .ports = {3}}};
  CHECK(check_routes(map, routes).has_value());
  std::vector<bool> down(t.links.size(), false);
  const RoutingTables tables = compute_tables(map, down, RoutingPaths::kAuto, routes, nullptr);
  CHECK(paths_between(map, tables, 0, 2).paths == 1);
  CHECK(paths_between(map, tables, 0, 3).paths == 2);
  Routing routing(map, {}, {{TimePoint(), tables}});
  const std::vector<std::uint32_t> queues(4, 0);
  for (std::uint32_t hash = 0; hash < 50; ++hash) {
    CHECK(routing.egress(0, {.destination = 2, .flow_hash = hash}, TimePoint(), {queues.data(), 4}) == 3);
  }
  // With its port out of service the computed route takes over.
  down[link_between(t, "leaf0", "spine1")] = true;
  const RoutingTables less = compute_tables(map, down, RoutingPaths::kAuto, routes, nullptr);
  CHECK(paths_between(map, less, 0, 2).complete);
}

TEST_CASE("routes: explicit routes in a circle are found before the run", "[sim][routing]") {
  const Topology t = two_by_two();
  const RoutingMap map(t);
  // Spine 0 sends packets for host 2 back to leaf 0, which has no other way.
  RoutingPlanOptions options;
  options.routes = {{.switch_index = 0, .destination = 2, .ports = {2}},
                    {.switch_index = 2, .destination = 2, .ports = {0}}};
  options.lossless = true;
  const RoutingPlan plan = plan_routing(map, options, {});
  REQUIRE(plan.findings.size() == 2);
  CHECK(plan.findings[0].kind == RoutingFinding::Kind::kRoutesLoop);
  CHECK(plan.findings[0].text == "the routes from host0 to host2 go round in a circle or end nowhere");
  CHECK(plan.findings[1].kind == RoutingFinding::Kind::kMayDeadlock);
}

TEST_CASE("routes: impossible explicit routes are refused", "[sim][routing]") {
  const Topology t = two_by_two();
  const RoutingMap map(t);
  const auto refused = [&](ExplicitRoute route) {
    const auto result = check_routes(map, {std::move(route)});
    return result ? std::string() : result.error();
  };
  CHECK(refused({.switch_index = 9, .destination = 0, .ports = {0}}) == "a route at switch 9: there are 4");
  CHECK(refused({.switch_index = 0, .destination = 4, .ports = {0}}) == "a route to host 4: there are 4");
  CHECK(refused({.switch_index = 0, .destination = 0, .ports = {}}) == "a route at leaf0 without a port");
  CHECK(refused({.switch_index = 0, .destination = 0, .ports = {4}}) == "a route by port 4 of leaf0, which has 4");
  CHECK(refused({.switch_index = 0, .destination = 0, .ports = {1}}) ==
        "a route to host0 by port 1 of leaf0, where host1 is");
}

TEST_CASE("routing: the tables of 8,192 hosts take two bytes per switch and edge", "[sim][routing]") {
  const Topology t = tree(32);
  REQUIRE(t.host_count == 8192);
  const RoutingMap map(t);
  const RoutingTables tables = tables_of(map);
  std::size_t bytes = 0;
  for (const auto& table : tables.switches) {
    bytes += sizeof(SwitchTable) + table->by_edge.size() * sizeof(RouteEntry) +
             table->groups.size() * sizeof(PortGroup) + table->ports.size() * sizeof(std::uint16_t);
  }
  CHECK(bytes < 2'000'000);
  for (const std::uint32_t to : {1u, 20u, 300u, 8191u}) CHECK(paths_between(map, tables, 0, to).complete);
  CHECK(paths_between(map, tables, 0, 8191).paths == 256);
}

}  // namespace
}  // namespace rocelab::sim
