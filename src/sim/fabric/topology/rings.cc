// Dragonfly+ and torus: topologies whose switches of one tier are joined to each other.
#include <fmt/format.h>

#include <initializer_list>

#include "sim/fabric/topology/builder.h"
#include "sim/fabric/topology/generators.h"

namespace rocelab::sim {

namespace {

constexpr std::int32_t kGrid = 4000;       ///< between neighbouring switches of a torus
constexpr std::int32_t kPlaneShift = 900;  ///< of the third dimension, to the upper right

tl::unexpected<TopologyError> fail(std::string key, std::string what) {
  return tl::make_unexpected(TopologyError{std::move(key), std::move(what)});
}

TopologyResult<void> check_dragonfly(const DragonflyOptions& options, std::uint64_t hosts) {
  for (const auto& check :
       {check_range("groups", options.groups, 2, 1024), check_range("leaves", options.leaves, 1, 256),
        check_range("spines", options.spines, 1, 256), check_range("hosts_per_leaf", options.hosts_per_leaf, 1, 1024),
        check_range("global_links", options.global_links, 1, 1024), check_hosts("groups", hosts),
        check_spec("host_link", options.host_link), check_spec("local_link", options.local_link),
        check_spec("global_link", options.global_link)}) {
    if (!check) return check;
  }
  const std::uint32_t global = options.spines * options.global_links;
  if (global % (options.groups - 1) != 0) {
    return fail("global_links",
                fmt::format("{} spines with {} global links each: {} is not a multiple of the {} other groups",
                            options.spines, options.global_links, global, options.groups - 1));
  }
  return {};
}

}  // namespace

TopologyResult<Topology> dragonfly_plus(const DragonflyOptions& options) {
  const std::uint64_t hosts = std::uint64_t{options.groups} * options.leaves * options.hosts_per_leaf;
  if (auto good = check_dragonfly(options, hosts); !good) return tl::make_unexpected(good.error());
  TopologyBuilder builder("dragonfly_plus", hosts);
  const std::uint32_t first_leaf = builder.topology().node_count();
  for (std::uint32_t i = 0; i < options.groups * options.leaves; ++i)
    builder.add_switch("leaf", i, 1, i / options.leaves);
  const std::uint32_t first_spine = builder.topology().node_count();
  for (std::uint32_t i = 0; i < options.groups * options.spines; ++i)
    builder.add_switch("spine", i, 2, i / options.spines);
  for (std::uint32_t host = 0; host < hosts; ++host) {
    const std::uint32_t leaf = host / options.hosts_per_leaf;
    builder.host(host).group = leaf / options.leaves;
    builder.link(host, first_leaf + leaf, options.host_link);
  }
  for (std::uint32_t group = 0; group < options.groups; ++group) {
    for (std::uint32_t leaf = 0; leaf < options.leaves; ++leaf) {
      for (std::uint32_t spine = 0; spine < options.spines; ++spine) {
        builder.link(first_leaf + group * options.leaves + leaf, first_spine + group * options.spines + spine,
                     options.local_link);
      }
    }
  }
  // Global link number n of a group goes to the (n mod others + 1)-th group after it, and hangs on spine n / links.
  const std::uint32_t others = options.groups - 1;
  const std::uint32_t rounds = options.spines * options.global_links / others;
  const auto spine_of = [&](std::uint32_t group, std::uint32_t number) {
    return first_spine + group * options.spines + number / options.global_links;
  };
  for (std::uint32_t round = 0; round < rounds; ++round) {
    for (std::uint32_t group = 0; group < options.groups; ++group) {
      for (std::uint32_t peer = group + 1; peer < options.groups; ++peer) {
        const std::uint32_t there = peer - group - 1;
        const std::uint32_t back = others - 1 - there;
        builder.link(spine_of(group, round * others + there), spine_of(peer, round * others + back),
                     options.global_link);
      }
    }
  }
  return builder.finish();
}

TopologyResult<Topology> torus(const TorusOptions& options) {
  if (options.size.size() < 2 || options.size.size() > 3) {
    return fail("size", fmt::format("{} dimensions: expected 2 or 3", options.size.size()));
  }
  std::uint64_t switches = 1;
  for (const std::uint32_t size : options.size) {
    if (auto good = check_range("size", size, 2, 256); !good) return tl::make_unexpected(good.error());
    switches *= size;
  }
  for (const auto& check :
       {check_range("size", switches, 4, kSwitchesMax),
        check_range("hosts_per_switch", options.hosts_per_switch, 1, 1024),
        check_hosts("hosts_per_switch", switches * options.hosts_per_switch),
        check_spec("host_link", options.host_link), check_spec("switch_link", options.switch_link)}) {
    if (!check) return tl::make_unexpected(check.error());
  }
  const std::uint32_t per_switch = options.hosts_per_switch;
  TopologyBuilder builder("torus", switches * per_switch);
  builder.topology().torus = options.size;
  const std::uint32_t first = builder.topology().node_count();
  const std::uint32_t width = options.size[0];
  const std::uint32_t height = options.size[1];
  for (std::uint32_t i = 0; i < switches; ++i) {
    const std::uint32_t x = i % width;
    const std::uint32_t y = i / width % height;
    const std::uint32_t z = i / (width * height);
    TopologyNode& node = builder.topology().nodes[builder.add_switch("switch", i, 1, i / width)];
    node.x = static_cast<std::int32_t>(x) * kGrid + static_cast<std::int32_t>(z) * kPlaneShift;
    node.y = static_cast<std::int32_t>(y) * kGrid + static_cast<std::int32_t>(z) * kPlaneShift;
    const std::int32_t at_x = node.x;
    const std::int32_t at_y = node.y;
    for (std::uint32_t h = 0; h < per_switch; ++h) {
      TopologyNode& host = builder.host(i * per_switch + h);
      host.group = i;
      host.x = at_x + kGrid / 8 + static_cast<std::int32_t>(h % 4) * 250;
      host.y = at_y - kGrid / 8 - static_cast<std::int32_t>(h / 4 % 4) * 250;
      builder.link(i * per_switch + h, first + i, options.host_link);
    }
  }
  std::uint32_t stride = 1;
  for (const std::uint32_t size : options.size) {
    for (std::uint32_t i = 0; i < switches; ++i) {
      const std::uint32_t at = i / stride % size;
      if (size == 2 && at == 1) continue;  // a ring of two is one link
      builder.link(first + i, first + i + stride * ((at + 1) % size) - stride * at, options.switch_link);
    }
    stride *= size;
  }
  return builder.finish(true);
}

}  // namespace rocelab::sim
