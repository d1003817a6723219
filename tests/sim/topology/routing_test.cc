// The choice of the egress port: balance, loyalty of flows, flowlets, adaptive choice, new tables at their time.
#include "sim/fabric/routing/routing.h"

#include <array>
#include <cstdlib>
#include <map>

#include "sim/fabric/topology/generators.h"
#include "tests/sim/topology/shape.h"
#include "tests/support/catch.h"

namespace rocelab::sim {
namespace {

using base::Duration;
using base::TimePoint;

/// Two leaves, `spines` spines, two hosts: leaf 0's ports 1.. lead to the spines.
struct Fork {
  explicit Fork(std::uint32_t spines, RoutingOptions options = {})
      : topology(good(leaf_spine({.leaves = 2,
                                  .spines = spines,
                                  .hosts_per_leaf = 1,
                                  .links_per_spine = 1,
                                  .host_link = {},
                                  .spine_link = {}}))),
        map(topology),
        queues(spines + 1, 0),
        routing(map, options, {{TimePoint(), tables_of(map)}}) {}

  unsigned egress(std::uint32_t hash, TimePoint now = TimePoint()) {
    return routing.egress(0, {.destination = 1, .flow_hash = hash}, now, {queues.data(), sizeof(std::uint32_t)});
  }

  Topology topology;
  RoutingMap map;
  std::vector<std::uint32_t> queues;
  Routing routing;
};

/// At most `percent` of `expected` away.
bool near(int value, int expected, int percent) { return std::abs(value - expected) * 100 <= expected * percent; }

RoutingOptions with(RoutingPolicy policy, std::uint64_t seed = 1) {
  RoutingOptions options;
  options.policy = policy;
  options.seed = seed;
  return options;
}

TEST_CASE("routing: a packet for the switch's own host leaves by the host's port", "[sim][routing]") {
  Fork fork(4);
  CHECK(fork.routing.egress(0, {.destination = 0, .flow_hash = 5}, TimePoint(), {fork.queues.data(), 4}) == 0);
  CHECK(fork.routing.egress(1, {.destination = 1, .flow_hash = 5}, TimePoint(), {fork.queues.data(), 4}) == 0);
}

TEST_CASE("routing: ECMP spreads flows evenly and keeps each to its path", "[sim][routing]") {
  const std::uint32_t spines = GENERATE(2u, 3u, 8u, 16u);
  Fork fork(spines, with(RoutingPolicy::kEcmp));
  std::vector<int> flows(spines + 1, 0);
  constexpr int kFlows = 16'000;
  for (std::uint32_t hash = 0; hash < kFlows; ++hash) {
    const unsigned port = fork.egress(hash);
    REQUIRE(port >= 1);
    REQUIRE(port <= spines);
    CHECK(fork.egress(hash) == port);
    ++flows[port];
  }
  const auto fair = static_cast<int>(kFlows / spines);
  for (std::uint32_t port = 1; port <= spines; ++port) CHECK(near(flows[port], fair, 12));
}

TEST_CASE("routing: each switch hashes in its own way", "[sim][routing]") {
  // Flows that the edge sends to one aggregation switch must not all go to one core behind it.
  const Topology t =
      good(fat_tree({.k = 8, .tiers = 3, .oversubscription = 1, .host_link = {}, .edge_link = {}, .core_link = {}}));
  const RoutingMap map(t);
  Routing routing(map, with(RoutingPolicy::kEcmp, 3), {{TimePoint(), tables_of(map)}});
  const std::vector<std::uint32_t> queues(16, 0);
  const QueueView view{queues.data(), 4};
  std::map<unsigned, int> second;
  int first = 0;
  for (std::uint32_t hash = 0; hash < 8000; ++hash) {
    const RouteKey key{.destination = t.host_count - 1, .flow_hash = hash};
    if (routing.egress(0, key, TimePoint(), view) != 4) continue;  // to aggregation switch 0 of pod 0
    ++first;
    ++second[routing.egress(32, key, TimePoint(), view)];
  }
  CHECK(near(first, 2000, 12));
  CHECK(second.size() == 4);
  for (const auto& [port, count] : second) CHECK(near(count, 500, 25));
}

TEST_CASE("routing: the same seed decides alike, another one differently", "[sim][routing]") {
  const RoutingPolicy policy =
      GENERATE(RoutingPolicy::kEcmp, RoutingPolicy::kSpray, RoutingPolicy::kFlowlet, RoutingPolicy::kAdaptive);
  Fork a(8, with(policy, 5));
  Fork b(8, with(policy, 5));
  Fork c(8, with(policy, 6));
  int differ = 0;
  for (std::uint32_t hash = 0; hash < 200; ++hash) {
    const unsigned port = a.egress(hash);
    CHECK(b.egress(hash) == port);
    differ += c.egress(hash) != port ? 1 : 0;
  }
  CHECK(differ > 100);
}

TEST_CASE("routing: spraying spreads the packets of one flow evenly", "[sim][routing]") {
  Fork fork(8, with(RoutingPolicy::kSpray));
  std::array<int, 9> packets{};
  for (int i = 0; i < 16'000; ++i) ++packets[fork.egress(42)];
  for (std::size_t port = 1; port <= 8; ++port) CHECK(near(packets[port], 2000, 10));
}

TEST_CASE("routing: a flowlet keeps its path until the gap is exceeded", "[sim][routing]") {
  RoutingOptions options = with(RoutingPolicy::kFlowlet);
  options.flowlet_gap = Duration::us(50);
  Fork fork(8, options);
  std::map<unsigned, int> flowlets;
  TimePoint now = TimePoint::from_ns(1'000);
  for (int flowlet = 0; flowlet < 400; ++flowlet) {
    const unsigned port = fork.egress(42, now);
    ++flowlets[port];
    for (int packet = 0; packet < 5; ++packet) {
      now = now + Duration::us(50);  // exactly the gap: still the same
      CHECK(fork.egress(42, now) == port);
    }
    now = now + Duration::us(50) + Duration::ps(1);
  }
  CHECK(flowlets.size() == 8);
  for (const auto& [port, count] : flowlets) CHECK(near(count, 50, 50));
}

TEST_CASE("routing: adaptive takes the shortest queue and stays within the hysteresis", "[sim][routing]") {
  RoutingOptions options = with(RoutingPolicy::kAdaptive);
  options.adaptive_hysteresis_bytes = 10'000;
  Fork fork(4, options);
  fork.queues = {0, 9'000, 3'000, 9'000, 9'000};
  CHECK(fork.egress(42) == 2);
  fork.queues = {0, 0, 9'999, 5'000, 5'000};
  CHECK(fork.egress(42) == 2);  // 9,999 more than the shortest: stays
  fork.queues = {0, 0, 10'000, 5'000, 5'000};
  CHECK(fork.egress(42) == 2);
  fork.queues = {0, 0, 10'001, 5'000, 5'000};
  CHECK(fork.egress(42) == 1);
  fork.queues = {0, 5'000, 0, 5'000, 5'000};
  CHECK(fork.egress(42) == 1);
  // A new flow is not bound.
  std::map<unsigned, int> ports;
  for (std::uint32_t hash = 100; hash < 200; ++hash) ++ports[fork.egress(hash)];
  CHECK(ports[2] > 95);  // all but those that share the bucket of flow 42
}

TEST_CASE("routing: adaptive breaks ties without preference", "[sim][routing]") {
  Fork fork(4, with(RoutingPolicy::kAdaptive));
  std::map<unsigned, int> ports;
  for (std::uint32_t hash = 0; hash < 800; ++hash) ++ports[fork.egress(hash)];
  CHECK(ports.size() == 4);
  for (const auto& [port, count] : ports) CHECK(near(count, 200, 30));
}

TEST_CASE("routing: queues are read with the distance between a switch's ports", "[sim][routing]") {
  struct Side {
    std::uint64_t before;
    std::uint32_t queued;
    std::uint32_t after[5];
  };
  std::vector<Side> sides(5);
  for (Side& side : sides) side.queued = 500;
  sides[3].queued = 1;
  Fork fork(4, with(RoutingPolicy::kAdaptive));
  CHECK(fork.routing.egress(0, {.destination = 1, .flow_hash = 9}, TimePoint(), {&sides[0].queued, sizeof(Side)}) == 3);
}

TEST_CASE("routing: new tables are used from their time on, and no route is kNoRoute", "[sim][routing]") {
  const Topology t = good(leaf_spine(
      {.leaves = 2, .spines = 2, .hosts_per_leaf = 1, .links_per_spine = 1, .host_link = {}, .spine_link = {}}));
  const RoutingMap map(t);
  std::vector<bool> down(t.links.size(), false);
  std::vector<RoutingEpoch> epochs;
  epochs.push_back({TimePoint(), compute_tables(map, down, RoutingPaths::kAuto, {}, nullptr)});
  down[2] = true;  // leaf 0 to spine 0
  epochs.push_back({TimePoint::from_ns(100), compute_tables(map, down, RoutingPaths::kAuto, {}, &epochs[0].tables)});
  down[3] = true;  // leaf 0 to spine 1
  epochs.push_back({TimePoint::from_ns(200), compute_tables(map, down, RoutingPaths::kAuto, {}, &epochs[1].tables)});
  epochs.push_back({TimePoint::from_ns(300), epochs[0].tables});
  const RoutingPolicy policy =
      GENERATE(RoutingPolicy::kEcmp, RoutingPolicy::kSpray, RoutingPolicy::kFlowlet, RoutingPolicy::kAdaptive);
  Routing routing(map, with(policy), epochs);
  const std::vector<std::uint32_t> queues(8, 0);
  const auto ports_at = [&](std::uint64_t ns) {
    std::map<unsigned, int> ports;
    for (std::uint32_t hash = 0; hash < 64; ++hash) {
      ++ports[routing.egress(0, {.destination = 1, .flow_hash = hash}, TimePoint::from_ns(ns), {queues.data(), 4})];
    }
    return ports;
  };
  CHECK(ports_at(99).size() == 2);
  CHECK(ports_at(100) == std::map<unsigned, int>{{2, 64}});
  CHECK(ports_at(200) == std::map<unsigned, int>{{kNoRoute, 64}});
  CHECK(ports_at(1'000'000).size() == 2);
  // A switch that saw no packet in between goes straight to the latest.
  CHECK(routing.egress(1, {.destination = 0, .flow_hash = 1}, TimePoint::from_ns(250), {queues.data(), 4}) == kNoRoute);
}

}  // namespace
}  // namespace rocelab::sim
