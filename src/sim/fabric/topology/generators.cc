// Trees: single switch, dumbbell, leaf-spine, fat tree, rails. Those with rings are in rings.cc.
#include "sim/fabric/topology/generators.h"

#include <fmt/format.h>

#include "sim/fabric/topology/builder.h"

namespace rocelab::sim {

namespace {

tl::unexpected<TopologyError> fail(std::string key, std::string what) {
  return tl::make_unexpected(TopologyError{std::move(key), std::move(what)});
}

/// The first failure of several checks.
TopologyResult<void> all_of(std::initializer_list<TopologyResult<void>> checks) {
  for (const TopologyResult<void>& check : checks) {
    if (!check) return check;
  }
  return {};
}

TopologyResult<Topology> fat_tree_of_two(const FatTreeOptions& options) {
  const std::uint32_t half = options.k / 2;
  const std::uint32_t per_leaf = half * options.oversubscription;
  TopologyBuilder builder("fat_tree", std::uint64_t{options.k} * per_leaf);
  const std::uint32_t first_leaf = builder.topology().node_count();
  for (std::uint32_t leaf = 0; leaf < options.k; ++leaf) builder.add_switch("leaf", leaf, 1, leaf);
  const std::uint32_t first_spine = builder.topology().node_count();
  for (std::uint32_t spine = 0; spine < half; ++spine) builder.add_switch("spine", spine, 2, 0);
  for (std::uint32_t leaf = 0; leaf < options.k; ++leaf) {
    for (std::uint32_t i = 0; i < per_leaf; ++i) {
      builder.host(leaf * per_leaf + i).group = leaf;
      builder.link(leaf * per_leaf + i, first_leaf + leaf, options.host_link);
    }
  }
  // Leaves have k/2 uplinks for k/2 spines of k ports.
  for (std::uint32_t leaf = 0; leaf < options.k; ++leaf) {
    for (std::uint32_t spine = 0; spine < half; ++spine) {
      builder.link(first_leaf + leaf, first_spine + spine, options.edge_link);
    }
  }
  return builder.finish();
}

TopologyResult<Topology> fat_tree_of_three(const FatTreeOptions& options) {
  const std::uint32_t k = options.k;
  const std::uint32_t half = k / 2;
  const std::uint32_t per_edge = half * options.oversubscription;
  TopologyBuilder builder("fat_tree", std::uint64_t{k} * half * per_edge);
  const std::uint32_t first_edge = builder.topology().node_count();
  for (std::uint32_t i = 0; i < k * half; ++i) builder.add_switch("edge", i, 1, i / half);
  const std::uint32_t first_aggregation = builder.topology().node_count();
  for (std::uint32_t i = 0; i < k * half; ++i) builder.add_switch("agg", i, 2, i / half);
  const std::uint32_t first_core = builder.topology().node_count();
  for (std::uint32_t i = 0; i < half * half; ++i) builder.add_switch("core", i, 3, 0);

  for (std::uint32_t edge = 0; edge < k * half; ++edge) {
    for (std::uint32_t i = 0; i < per_edge; ++i) {
      builder.host(edge * per_edge + i).group = edge / half;
      builder.link(edge * per_edge + i, first_edge + edge, options.host_link);
    }
  }
  for (std::uint32_t pod = 0; pod < k; ++pod) {
    for (std::uint32_t edge = 0; edge < half; ++edge) {
      for (std::uint32_t agg = 0; agg < half; ++agg) {
        builder.link(first_edge + pod * half + edge, first_aggregation + pod * half + agg, options.edge_link);
      }
    }
  }
  // The i-th aggregation switch of every pod reaches the i-th k/2 cores.
  for (std::uint32_t pod = 0; pod < k; ++pod) {
    for (std::uint32_t agg = 0; agg < half; ++agg) {
      for (std::uint32_t i = 0; i < half; ++i) {
        builder.link(first_aggregation + pod * half + agg, first_core + agg * half + i, options.core_link);
      }
    }
  }
  return builder.finish();
}

}  // namespace

TopologyResult<Topology> single_switch(const SingleSwitchOptions& options) {
  if (auto good =
          all_of({check_range("hosts", options.hosts, 2, kPortsMax), check_spec("host_link", options.host_link)});
      !good) {
    return tl::make_unexpected(good.error());
  }
  TopologyBuilder builder("single_switch", options.hosts);
  const std::uint32_t center = builder.add_switch("switch", 0, 1, 0);
  for (std::uint32_t host = 0; host < options.hosts; ++host) builder.link(host, center, options.host_link);
  return builder.finish();
}

TopologyResult<Topology> dumbbell(const DumbbellOptions& options) {
  if (auto good = all_of({check_range("hosts_left", options.hosts_left, 1, kPortsMax / 2),
                          check_range("hosts_right", options.hosts_right, 1, kPortsMax / 2),
                          check_range("middle_links", options.middle_links, 1, kPortsMax / 2),
                          check_spec("host_link", options.host_link), check_spec("middle_link", options.middle_link)});
      !good) {
    return tl::make_unexpected(good.error());
  }
  TopologyBuilder builder("dumbbell", options.hosts_left + options.hosts_right);
  const std::uint32_t left = builder.add_switch("left", 0, 1, 0);
  const std::uint32_t right = builder.add_switch("right", 0, 1, 1);
  for (std::uint32_t host = 0; host < options.hosts_left + options.hosts_right; ++host) {
    const bool on_left = host < options.hosts_left;
    builder.host(host).group = on_left ? 0 : 1;
    builder.link(host, on_left ? left : right, options.host_link);
  }
  builder.link(left, right, options.middle_link, options.middle_links);
  return builder.finish();
}

TopologyResult<Topology> leaf_spine(const LeafSpineOptions& options) {
  const std::uint64_t hosts = std::uint64_t{options.leaves} * options.hosts_per_leaf;
  if (auto good =
          all_of({check_range("leaves", options.leaves, 1, 16'384), check_range("spines", options.spines, 1, 4096),
                  check_range("hosts_per_leaf", options.hosts_per_leaf, 1, 16'384),
                  check_range("links_per_spine", options.links_per_spine, 1, 4), check_hosts("hosts_per_leaf", hosts),
                  check_spec("host_link", options.host_link), check_spec("spine_link", options.spine_link)});
      !good) {
    return tl::make_unexpected(good.error());
  }
  TopologyBuilder builder("leaf_spine", hosts);
  const std::uint32_t first_leaf = builder.topology().node_count();
  for (std::uint32_t leaf = 0; leaf < options.leaves; ++leaf) builder.add_switch("leaf", leaf, 1, leaf);
  const std::uint32_t first_spine = builder.topology().node_count();
  for (std::uint32_t spine = 0; spine < options.spines; ++spine) builder.add_switch("spine", spine, 2, 0);
  for (std::uint32_t host = 0; host < hosts; ++host) {
    builder.host(host).group = host / options.hosts_per_leaf;
    builder.link(host, first_leaf + host / options.hosts_per_leaf, options.host_link);
  }
  for (std::uint32_t leaf = 0; leaf < options.leaves; ++leaf) {
    for (std::uint32_t spine = 0; spine < options.spines; ++spine) {
      builder.link(first_leaf + leaf, first_spine + spine, options.spine_link, options.links_per_spine);
    }
  }
  return builder.finish();
}

TopologyResult<Topology> fat_tree(const FatTreeOptions& options) {
  if (options.k % 2 != 0)
    return fail("k", fmt::format("{} is odd: each switch has k/2 ports up and k/2 down", options.k));
  const std::uint32_t half = options.k / 2;
  const std::uint64_t per_edge = std::uint64_t{half} * options.oversubscription;
  const std::uint64_t hosts = options.k * per_edge * (options.tiers == 3 ? half : 1);
  if (auto good = all_of({check_range("k", options.k, 2, 128), check_range("tiers", options.tiers, 2, 3),
                          check_range("oversubscription", options.oversubscription, 1, 64),
                          check_hosts(options.oversubscription > 1 ? "oversubscription" : "k", hosts),
                          check_spec("host_link", options.host_link), check_spec("edge_link", options.edge_link),
                          check_spec("core_link", options.core_link)});
      !good) {
    return tl::make_unexpected(good.error());
  }
  return options.tiers == 3 ? fat_tree_of_three(options) : fat_tree_of_two(options);
}

TopologyResult<Topology> rail_pods(const RailOptions& options) {
  const std::uint64_t servers = std::uint64_t{options.pods} * options.servers_per_pod;
  if (auto good = all_of({check_range("pods", options.pods, 1, 1024),
                          check_range("servers_per_pod", options.servers_per_pod, 1, 4096),
                          check_range("rails", options.rails, 1, 64), check_range("spines", options.spines, 0, 1024),
                          check_range("links_per_spine", options.links_per_spine, 1, 4),
                          check_hosts("servers_per_pod", servers * options.rails),
                          check_spec("host_link", options.host_link), check_spec("spine_link", options.spine_link)});
      !good) {
    return tl::make_unexpected(good.error());
  }
  if (options.spines == 0 && (options.rails > 1 || options.pods > 1)) {
    return fail("spines", "0: rails and pods are connected by spines only");
  }
  TopologyBuilder builder("rail_pods", servers * options.rails);
  const std::uint32_t first_rail = builder.topology().node_count();
  for (std::uint32_t i = 0; i < options.pods * options.rails; ++i) builder.add_switch("rail", i, 1, i / options.rails);
  const std::uint32_t first_spine = builder.topology().node_count();
  for (std::uint32_t spine = 0; spine < options.spines; ++spine) builder.add_switch("spine", spine, 2, 0);
  for (std::uint32_t server = 0; server < servers; ++server) {
    const std::uint32_t pod = server / options.servers_per_pod;
    for (std::uint32_t rail = 0; rail < options.rails; ++rail) {
      const std::uint32_t host = server * options.rails + rail;
      builder.host(host).group = server;
      builder.link(host, first_rail + pod * options.rails + rail, options.host_link);
    }
  }
  for (std::uint32_t i = 0; i < options.pods * options.rails; ++i) {
    for (std::uint32_t spine = 0; spine < options.spines; ++spine) {
      builder.link(first_rail + i, first_spine + spine, options.spine_link, options.links_per_spine);
    }
  }
  return builder.finish();
}

}  // namespace rocelab::sim
