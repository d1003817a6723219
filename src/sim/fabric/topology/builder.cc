// Adding nodes and links, and where they are drawn; see builder.h.
#include "sim/fabric/topology/builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace rocelab::sim {

namespace {

constexpr std::int64_t kStep = 1000;  ///< between neighbouring hosts
constexpr std::int64_t kTierStep = 3000;

tl::unexpected<TopologyError> fail(std::string_view key, std::string what) {
  return tl::make_unexpected(TopologyError{std::string(key), std::move(what)});
}

/// Mean place of a switch's neighbours below it, or its present one when there are none.
std::int64_t mean_below(const Topology& topology, const Adjacency& adjacency, std::uint32_t node) {
  std::int64_t sum = 0;
  std::int64_t count = 0;
  for (const TopologyPort* port = adjacency.begin(node); port != adjacency.end(node); ++port) {
    if (topology.nodes[port->peer].tier >= topology.nodes[node].tier) continue;
    sum += topology.nodes[port->peer].x;
    ++count;
  }
  return count == 0 ? topology.nodes[node].x : sum / count;
}

}  // namespace

TopologyBuilder::TopologyBuilder(std::string_view kind, std::uint64_t hosts) {
  topology_.kind = kind;
  topology_.host_count = static_cast<std::uint32_t>(hosts);
  topology_.nodes.resize(hosts);
  next_port_.resize(hosts, 0);
  for (std::uint32_t i = 0; i < topology_.host_count; ++i) topology_.nodes[i].name = fmt::format("host{}", i);
}

std::uint32_t TopologyBuilder::add_switch(std::string_view role, std::uint64_t number, std::uint8_t tier,
                                          std::uint32_t group) {
  TopologyNode node;
  node.name = fmt::format("{}{}", role, number);
  node.tier = tier;
  node.group = group;
  topology_.nodes.push_back(std::move(node));
  next_port_.push_back(0);
  return topology_.node_count() - 1;
}

void TopologyBuilder::link(std::uint32_t a, std::uint32_t b, const LinkSpec& spec, std::uint32_t count) {
  TopologyLink link;
  link.a = a;
  link.b = b;
  link.rate_bps = spec.rate_bps;
  link.delay = spec.delay;
  link.packet_loss_e9 = spec.packet_loss_e9;
  link.bit_error_e18 = spec.bit_error_e18;
  for (std::uint32_t i = 0; i < count; ++i) add_link(topology_, next_port_, link);
}

TopologyResult<Topology> TopologyBuilder::finish(bool placed) {
  if (auto good = validate(topology_); !good) return tl::make_unexpected(good.error());
  if (!placed) place_by_tier(topology_);
  return std::move(topology_);
}

TopologyResult<void> check_range(std::string_view key, std::uint64_t value, std::uint64_t least, std::uint64_t most) {
  if (value >= least && value <= most) return {};
  return fail(key, fmt::format("{}: expected {} to {}", value, least, most));
}

TopologyResult<void> check_hosts(std::string_view key, std::uint64_t hosts) {
  if (hosts >= 2 && hosts <= kHostsMax) return {};
  return fail(key, fmt::format("{} hosts in all: expected 2 to {}", hosts, kHostsMax));
}

TopologyResult<void> check_spec(std::string_view key, const LinkSpec& spec) {
  if (spec.rate_bps == 0 || spec.rate_bps > kRateMaxBps) {
    return fail(fmt::format("{}.rate", key), fmt::format("{} bit/s: expected 1 to {}", spec.rate_bps, kRateMaxBps));
  }
  if (spec.delay <= base::Duration() || spec.delay > kDelayMax) {
    return fail(fmt::format("{}.delay", key), fmt::format("{} ps: expected 1 ps to 1 s", spec.delay.count_ps()));
  }
  return {};
}

void derive_tiers(Topology& topology) {
  constexpr std::uint8_t kUnknown = std::numeric_limits<std::uint8_t>::max();
  const Adjacency adjacency(topology);
  std::vector<std::uint32_t> queue;
  for (std::uint32_t node = 0; node < topology.node_count(); ++node) {
    topology.nodes[node].tier = topology.is_host(node) ? 0 : kUnknown;
    if (topology.is_host(node)) queue.push_back(node);
  }
  for (std::size_t next = 0; next < queue.size(); ++next) {
    const std::uint8_t tier = topology.nodes[queue[next]].tier;
    for (const TopologyPort* port = adjacency.begin(queue[next]); port != adjacency.end(queue[next]); ++port) {
      TopologyNode& peer = topology.nodes[port->peer];
      if (peer.tier != kUnknown) continue;
      peer.tier = static_cast<std::uint8_t>(std::min<unsigned>(tier + 1u, kUnknown - 1u));
      queue.push_back(port->peer);
    }
  }
}

void place_by_tier(Topology& topology) {
  const Adjacency adjacency(topology);
  for (std::uint32_t i = 0; i < topology.host_count; ++i) {
    topology.nodes[i].x = static_cast<std::int32_t>(i * kStep);
    topology.nodes[i].y = 0;
  }
  const std::int64_t width = static_cast<std::int64_t>(topology.host_count) * kStep;
  std::vector<std::vector<std::uint32_t>> tiers(256);
  for (std::uint32_t node = topology.host_count; node < topology.node_count(); ++node) {
    tiers[topology.nodes[node].tier].push_back(node);
  }
  std::int64_t y = 0;
  for (std::vector<std::uint32_t>& tier : tiers) {
    if (tier.empty()) continue;
    y += kTierStep;
    for (const std::uint32_t node : tier) {
      topology.nodes[node].x = static_cast<std::int32_t>(mean_below(topology, adjacency, node));
    }
    std::stable_sort(tier.begin(), tier.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return topology.nodes[a].x < topology.nodes[b].x; });
    const auto count = static_cast<std::int64_t>(tier.size());
    for (std::int64_t i = 0; i < count; ++i) {
      TopologyNode& node = topology.nodes[tier[static_cast<std::size_t>(i)]];
      node.x = static_cast<std::int32_t>((2 * i + 1) * width / (2 * count) - kStep / 2);
      node.y = static_cast<std::int32_t>(y);
    }
  }
}

}  // namespace rocelab::sim
