// Topologies by a few numbers. Each function returns a topology that has passed validate(), or the key to blame (named
// as the member here) and what is wrong with it. Host and switch numbers follow the drawing from left to right.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/fabric/topology/topology.h"

namespace rocelab::sim {

struct LinkSpec {
  std::uint64_t rate_bps = 100'000'000'000;
  base::Duration delay = base::Duration::us(1);
  std::uint64_t packet_loss_e9 = 0;
  std::uint64_t bit_error_e18 = 0;
};

struct SingleSwitchOptions {
  std::uint32_t hosts = 2;
  LinkSpec host_link;
};

/// Two switches and one link (or `middle_links` in parallel) between them.
struct DumbbellOptions {
  std::uint32_t hosts_left = 2;
  std::uint32_t hosts_right = 2;
  std::uint32_t middle_links = 1;
  LinkSpec host_link;
  LinkSpec middle_link;
};

/// Every leaf with `links_per_spine` links to every spine.
struct LeafSpineOptions {
  std::uint32_t leaves = 4;
  std::uint32_t spines = 4;
  std::uint32_t hosts_per_leaf = 4;
  std::uint32_t links_per_spine = 1;
  LinkSpec host_link;
  LinkSpec spine_link;
};

/// Al-Fares et al., SIGCOMM 2008: switches of k ports, k even. Three tiers: k pods of k/2 edge and k/2 aggregation
/// switches, (k/2)^2 cores, k^3/4 hosts. Two tiers: k leaves, k/2 spines, k^2/2 hosts. `oversubscription` n hangs n
/// times as many hosts on each edge switch (whose port count grows accordingly).
struct FatTreeOptions {
  std::uint32_t k = 4;
  std::uint32_t tiers = 3;
  std::uint32_t oversubscription = 1;
  LinkSpec host_link;
  LinkSpec edge_link;  ///< edge to aggregation
  LinkSpec core_link;  ///< aggregation to core; three tiers only
};

/// Servers of `rails` GPUs, a NIC each: a host here is one GPU with its NIC. In each pod rail switch r joins the r-th
/// GPUs of all the pod's servers; spines join all rail switches. Host number: (pod * servers_per_pod + server) * rails
/// + rail; a node's group is its server for hosts, its pod for rail switches.
struct RailOptions {
  std::uint32_t pods = 1;
  std::uint32_t servers_per_pod = 8;
  std::uint32_t rails = 8;
  std::uint32_t spines = 8;
  std::uint32_t links_per_spine = 1;
  LinkSpec host_link;
  LinkSpec spine_link;
};

/// Shpiner et al., HiPINEB 2017: groups that are leaf-spines, joined by links between spines. The global links of a
/// group (spines * global_links) go in equal numbers to every other group.
struct DragonflyOptions {
  std::uint32_t groups = 5;
  std::uint32_t leaves = 2;  ///< of a group
  std::uint32_t spines = 2;  ///< of a group
  std::uint32_t hosts_per_leaf = 2;
  std::uint32_t global_links = 2;  ///< of a spine
  LinkSpec host_link;
  LinkSpec local_link;
  LinkSpec global_link;
};

/// A switch at each point of a grid whose lines are closed to rings; 2 or 3 dimensions of at least 2. Under PFC the
/// rings can deadlock: Routing's check reports it (routing/dependency.h).
struct TorusOptions {
  std::vector<std::uint32_t> size = {4, 4};
  std::uint32_t hosts_per_switch = 1;
  LinkSpec host_link;
  LinkSpec switch_link;
};

TopologyResult<Topology> single_switch(const SingleSwitchOptions& options);
TopologyResult<Topology> dumbbell(const DumbbellOptions& options);
TopologyResult<Topology> leaf_spine(const LeafSpineOptions& options);
TopologyResult<Topology> fat_tree(const FatTreeOptions& options);
TopologyResult<Topology> rail_pods(const RailOptions& options);
TopologyResult<Topology> dragonfly_plus(const DragonflyOptions& options);
TopologyResult<Topology> torus(const TorusOptions& options);

}  // namespace rocelab::sim
