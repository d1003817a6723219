// Each generator's shape: how many of what, ports of each tier, path lengths, all pairs connected, bisection.
#include "sim/fabric/topology/generators.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "tests/sim/topology/shape.h"
#include "tests/support/catch.h"

namespace rocelab::sim {
namespace {

constexpr std::uint64_t kGbps = 1'000'000'000;

TEST_CASE("topology: a single switch joins its hosts", "[sim][topology]") {
  const Topology t = good(single_switch({.hosts = 17, .host_link = {}}));
  CHECK(t.host_count == 17);
  CHECK(t.switch_count() == 1);
  CHECK(t.links.size() == 17);
  CHECK(degree_of_tier(t, 1) == 17);
  const RoutingMap map(t);
  CHECK(check_all_pairs(map, tables_of(map), 2) == "");
  CHECK(t.nodes[3].name == "host3");
  CHECK(t.nodes[17].name == "switch0");
}

TEST_CASE("topology: a dumbbell has its hosts on two switches", "[sim][topology]") {
  const Topology t =
      good(dumbbell({.hosts_left = 3, .hosts_right = 3, .middle_links = 2, .host_link = {}, .middle_link = {}}));
  CHECK(t.host_count == 6);
  CHECK(t.links.size() == 8);
  CHECK(degree_of_tier(t, 1) == 5);
  const RoutingMap map(t);
  CHECK(check_all_pairs(map, tables_of(map), 3) == "");
  CHECK(paths_between(map, tables_of(map), 0, 3).paths == 2);
  CHECK(bisection_bps(t) == 200 * kGbps);
}

TEST_CASE("topology: leaf-spine joins every leaf to every spine", "[sim][topology]") {
  const Topology t = good(leaf_spine(
      {.leaves = 4, .spines = 3, .hosts_per_leaf = 6, .links_per_spine = 2, .host_link = {}, .spine_link = {}}));
  CHECK(t.host_count == 24);
  CHECK(switches_of_tier(t, 1) == 4);
  CHECK(switches_of_tier(t, 2) == 3);
  CHECK(degree_of_tier(t, 1) == 6 + 6);
  CHECK(degree_of_tier(t, 2) == 8);
  const RoutingMap map(t);
  CHECK(check_all_pairs(map, tables_of(map), 4) == "");
  CHECK(paths_between(map, tables_of(map), 0, 23).paths == 2 * 3 * 2);
  CHECK(bisection_bps(t) == 12 * 100 * kGbps);
}

TEST_CASE("topology: a fat tree of three tiers has k^3/4 hosts and full bisection", "[sim][topology]") {
  const std::uint32_t k = GENERATE(2u, 4u, 6u, 8u);
  const Topology t =
      good(fat_tree({.k = k, .tiers = 3, .oversubscription = 1, .host_link = {}, .edge_link = {}, .core_link = {}}));
  CHECK(t.host_count == k * k * k / 4);
  CHECK(switches_of_tier(t, 1) == k * k / 2);
  CHECK(switches_of_tier(t, 2) == k * k / 2);
  CHECK(switches_of_tier(t, 3) == k * k / 4);
  CHECK(t.links.size() == 3 * k * k * k / 4);
  for (const std::uint8_t tier : {std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{3}})
    CHECK(degree_of_tier(t, tier) == k);
  const RoutingMap map(t);
  const RoutingTables tables = tables_of(map);
  CHECK(check_all_pairs(map, tables, 6) == "");
  CHECK(paths_between(map, tables, 0, t.host_count - 1).paths == k * k / 4);
  CHECK(bisection_bps(t) == t.host_count / 2 * 100 * kGbps);
}

TEST_CASE("topology: a fat tree of two tiers has k^2/2 hosts and full bisection", "[sim][topology]") {
  const std::uint32_t k = GENERATE(4u, 8u);
  const Topology t =
      good(fat_tree({.k = k, .tiers = 2, .oversubscription = 1, .host_link = {}, .edge_link = {}, .core_link = {}}));
  CHECK(t.host_count == k * k / 2);
  CHECK(degree_of_tier(t, 1) == k);
  CHECK(degree_of_tier(t, 2) == k);
  const RoutingMap map(t);
  CHECK(check_all_pairs(map, tables_of(map), 4) == "");
  CHECK(bisection_bps(t) == t.host_count / 2 * 100 * kGbps);
}

TEST_CASE("topology: oversubscription divides the bisection", "[sim][topology]") {
  const Topology t =
      good(fat_tree({.k = 4, .tiers = 3, .oversubscription = 4, .host_link = {}, .edge_link = {}, .core_link = {}}));
  CHECK(t.host_count == 64);
  CHECK(degree_of_tier(t, 1) == 8 + 2);
  CHECK(bisection_bps(t) == t.host_count / 2 * 100 * kGbps / 4);
}

TEST_CASE("topology: rails join equal GPUs of a pod's servers in one hop", "[sim][topology]") {
  const Topology t = good(rail_pods({.pods = 2,
                                     .servers_per_pod = 4,
                                     .rails = 8,
                                     .spines = 4,
                                     .links_per_spine = 1,
                                     .host_link = {},
                                     .spine_link = {}}));
  CHECK(t.host_count == 64);
  CHECK(switches_of_tier(t, 1) == 16);
  CHECK(degree_of_tier(t, 1) == 4 + 4);
  CHECK(degree_of_tier(t, 2) == 16);
  const RoutingMap map(t);
  const RoutingTables tables = tables_of(map);
  CHECK(check_all_pairs(map, tables, 4) == "");
  CHECK(paths_between(map, tables, 0 * 8 + 3, 2 * 8 + 3).most == 2);  // same rail, same pod
  CHECK(paths_between(map, tables, 0 * 8 + 3, 0 * 8 + 4).most == 4);  // same server, other rail
  CHECK(paths_between(map, tables, 0 * 8 + 3, 5 * 8 + 3).most == 4);  // same rail, other pod
  CHECK(t.nodes[5 * 8 + 3].group == 5);
}

TEST_CASE("topology: dragonfly+ joins each pair of groups by the same number of links", "[sim][topology]") {
  const Topology t = good(dragonfly_plus({.groups = 5,
                                          .leaves = 3,
                                          .spines = 4,
                                          .hosts_per_leaf = 2,
                                          .global_links = 2,
                                          .host_link = {},
                                          .local_link = {},
                                          .global_link = {}}));
  CHECK(t.host_count == 30);
  CHECK(degree_of_tier(t, 1) == 2 + 4);
  CHECK(degree_of_tier(t, 2) == 3 + 2);
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> between;
  for (const TopologyLink& link : t.links) {
    if (t.nodes[link.a].tier != 2 || t.nodes[link.b].tier != 2) continue;
    ++between[std::minmax(t.nodes[link.a].group, t.nodes[link.b].group)];
  }
  CHECK(between.size() == 10);
  for (const auto& [pair, count] : between) CHECK(count == 2);
  const RoutingMap map(t);
  CHECK(check_all_pairs(map, tables_of(map), 5) == "");
}

TEST_CASE("topology: a torus closes each line to a ring", "[sim][topology]") {
  const Topology flat = good(torus({.size = {5, 4}, .hosts_per_switch = 2, .host_link = {}, .switch_link = {}}));
  CHECK(flat.host_count == 40);
  CHECK(flat.switch_count() == 20);
  CHECK(degree_of_tier(flat, 1) == 2 + 4);
  const RoutingMap flat_map(flat);
  CHECK(check_all_pairs(flat_map, tables_of(flat_map), 2 + 2 + 2) == "");
  CHECK(check_all_pairs(flat_map, tables_of(flat_map, RoutingPaths::kShortest), 2 + 2 + 2) == "");

  const Topology deep = good(torus({.size = {3, 2, 4}, .hosts_per_switch = 1, .host_link = {}, .switch_link = {}}));
  CHECK(deep.host_count == 24);
  CHECK(degree_of_tier(deep, 1) == 1 + 2 + 1 + 2);
  const RoutingMap deep_map(deep);
  CHECK(check_all_pairs(deep_map, tables_of(deep_map), 1 + 1 + 2 + 2) == "");
}

TEST_CASE("topology: dimension order leaves one path where shortest paths are many", "[sim][topology][routing]") {
  const Topology t = good(torus({.size = {5, 5}, .hosts_per_switch = 1, .host_link = {}, .switch_link = {}}));
  const RoutingMap map(t);
  const std::uint32_t there = 2 + 2 * 5;
  CHECK(paths_between(map, tables_of(map, RoutingPaths::kDimensionOrder), 0, there).paths == 1);
  CHECK(paths_between(map, tables_of(map, RoutingPaths::kShortest), 0, there).paths == 6);
  CHECK(paths_between(map, tables_of(map, RoutingPaths::kDimensionOrder), 0, there).most ==
        paths_between(map, tables_of(map, RoutingPaths::kShortest), 0, there).most);
}

TEST_CASE("topology: every node has a place of its own in the drawing", "[sim][topology]") {
  const std::vector<Topology> all = {
      good(single_switch({})),
      good(dumbbell({})),
      good(leaf_spine({})),
      good(fat_tree({})),
      good(rail_pods({})),
      good(dragonfly_plus({})),
      good(torus({.size = {3, 3, 3}, .hosts_per_switch = 3, .host_link = {}, .switch_link = {}}))};
  for (const Topology& t : all) {
    INFO(t.kind);
    std::set<std::pair<std::int32_t, std::int32_t>> places;
    for (const TopologyNode& node : t.nodes) CHECK(places.insert({node.x, node.y}).second);
  }
}

struct BadInput {
  const char* key;
  const char* what;
  TopologyResult<Topology> result;
};

TEST_CASE("topology: impossible numbers are refused with the key to blame", "[sim][topology]") {
  LinkSpec still;
  still.rate_bps = 0;
  LinkSpec instant;
  instant.delay = base::Duration();
  const std::vector<BadInput> bad = {
      {"k", "5 is odd: each switch has k/2 ports up and k/2 down",
       fat_tree({.k = 5, .tiers = 3, .oversubscription = 1, .host_link = {}, .edge_link = {}, .core_link = {}})},
      {"k", "0: expected 2 to 128",
       fat_tree({.k = 0, .tiers = 3, .oversubscription = 1, .host_link = {}, .edge_link = {}, .core_link = {}})},
      {"k", "4000000000: expected 2 to 128",
       fat_tree(
           {.k = 4'000'000'000, .tiers = 3, .oversubscription = 1, .host_link = {}, .edge_link = {}, .core_link = {}})},
      {"tiers", "4: expected 2 to 3",
       fat_tree({.k = 4, .tiers = 4, .oversubscription = 1, .host_link = {}, .edge_link = {}, .core_link = {}})},
      {"oversubscription", "0: expected 1 to 64",
       fat_tree({.k = 4, .tiers = 3, .oversubscription = 0, .host_link = {}, .edge_link = {}, .core_link = {}})},
      {"oversubscription", "33554432 hosts in all: expected 2 to 1048576",
       fat_tree({.k = 128, .tiers = 3, .oversubscription = 64, .host_link = {}, .edge_link = {}, .core_link = {}})},
      {"hosts", "1: expected 2 to 32767", single_switch({.hosts = 1, .host_link = {}})},
      {"host_link.rate", "0 bit/s: expected 1 to 100000000000000", single_switch({.hosts = 2, .host_link = still})},
      {"core_link.delay", "0 ps: expected 1 ps to 1 s",
       fat_tree({.k = 4, .tiers = 3, .oversubscription = 1, .host_link = {}, .edge_link = {}, .core_link = instant})},
      {"middle_links", "0: expected 1 to 16383",
       dumbbell({.hosts_left = 1, .hosts_right = 1, .middle_links = 0, .host_link = {}, .middle_link = {}})},
      {"hosts_per_leaf", "1 hosts in all: expected 2 to 1048576",
       leaf_spine(
           {.leaves = 1, .spines = 1, .hosts_per_leaf = 1, .links_per_spine = 1, .host_link = {}, .spine_link = {}})},
      {"spines", "0: rails and pods are connected by spines only",
       rail_pods({.pods = 1,
                  .servers_per_pod = 8,
                  .rails = 8,
                  .spines = 0,
                  .links_per_spine = 1,
                  .host_link = {},
                  .spine_link = {}})},
      {"global_links", "2 spines with 3 global links each: 6 is not a multiple of the 4 other groups",
       dragonfly_plus({.groups = 5,
                       .leaves = 2,
                       .spines = 2,
                       .hosts_per_leaf = 2,
                       .global_links = 3,
                       .host_link = {},
                       .local_link = {},
                       .global_link = {}})},
      {"size", "1 dimensions: expected 2 or 3",
       torus({.size = {8}, .hosts_per_switch = 1, .host_link = {}, .switch_link = {}})},
      {"size", "1: expected 2 to 256",
       torus({.size = {4, 1}, .hosts_per_switch = 1, .host_link = {}, .switch_link = {}})},
  };
  for (const BadInput& input : bad) {
    INFO(input.key << ": " << input.what);
    REQUIRE(!input.result);
    CHECK(input.result.error().key == input.key);
    CHECK(input.result.error().what == input.what);
  }
}

}  // namespace
}  // namespace rocelab::sim
