// The checks that every topology passes before a run, however it was made, and the look-ups by port and by name.
#include "sim/fabric/topology/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

namespace rocelab::sim {

namespace {

tl::unexpected<TopologyError> fail(std::string key, std::string what) {
  return tl::make_unexpected(TopologyError{std::move(key), std::move(what)});
}

std::string between(const Topology& topology, const TopologyLink& link) {
  return fmt::format("the link between {} and {}", topology.nodes[link.a].name, topology.nodes[link.b].name);
}

TopologyResult<void> check_sizes(const Topology& topology) {
  if (topology.host_count < 2)
    return fail("hosts", fmt::format("{} hosts: at least 2 are needed", topology.host_count));
  if (topology.host_count > kHostsMax) {
    return fail("hosts", fmt::format("{} hosts: more than {}", topology.host_count, kHostsMax));
  }
  if (topology.host_count >= topology.node_count()) return fail("switches", "there is no switch");
  if (topology.switch_count() > kSwitchesMax) {
    return fail("switches", fmt::format("{} switches: more than {}", topology.switch_count(), kSwitchesMax));
  }
  return {};
}

TopologyResult<void> check_names(const Topology& topology) {
  std::vector<std::string_view> names;
  names.reserve(topology.nodes.size());
  for (const TopologyNode& node : topology.nodes) {
    if (node.name.empty()) return fail("name", "a node has no name");
    names.push_back(node.name);
  }
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
    return fail("name", fmt::format("{} is the name of two nodes", *twice));
  }
  return {};
}

TopologyResult<void> check_link(const Topology& topology, const TopologyLink& link) {
  if (link.a >= topology.node_count() || link.b >= topology.node_count()) {
    return fail("links",
                fmt::format("a link to node {}: there are {} nodes", std::max(link.a, link.b), topology.node_count()));
  }
  if (link.a == link.b) return fail("links", fmt::format("a link from {} to itself", topology.nodes[link.a].name));
  if (link.rate_bps == 0 || link.rate_bps > kRateMaxBps) {
    return fail("rate", fmt::format("{} has a rate of {} bit/s: expected 1 to {}", between(topology, link),
                                    link.rate_bps, kRateMaxBps));
  }
  // A delay of zero would leave a parallel run no time to look ahead.
  if (link.delay <= base::Duration() || link.delay > kDelayMax) {
    return fail("delay", fmt::format("{} has a delay of {} ps: expected 1 ps to 1 s", between(topology, link),
                                     link.delay.count_ps()));
  }
  if (link.packet_loss_e9 > 1'000'000'000) {
    return fail("loss", fmt::format("{} loses more than every packet", between(topology, link)));
  }
  if (link.bit_error_e18 > 1'000'000'000'000'000'000) {
    return fail("bit_error_rate", fmt::format("{} flips more than every bit", between(topology, link)));
  }
  return {};
}

TopologyResult<void> check_links(const Topology& topology) {
  std::vector<std::uint32_t> ports(topology.nodes.size(), 0);
  for (const TopologyLink& link : topology.links) {
    if (auto good = check_link(topology, link); !good) return good;
    ++ports[link.a];
    ++ports[link.b];
  }
  std::vector<std::vector<bool>> used(topology.nodes.size());
  for (std::uint32_t node = 0; node < topology.node_count(); ++node) {
    const std::string& name = topology.nodes[node].name;
    if (ports[node] > kPortsMax) {
      return fail("links", fmt::format("{} has {} links: more than {}", name, ports[node], kPortsMax));
    }
    if (topology.is_host(node) && ports[node] == 0) return fail("links", fmt::format("{} is not connected", name));
    if (topology.is_host(node) && ports[node] > 1) {
      return fail("links", fmt::format("{} has {} links: a host has one port", name, ports[node]));
    }
    used[node].resize(ports[node]);
  }
  for (const TopologyLink& link : topology.links) {
    if (topology.is_host(link.a) && topology.is_host(link.b)) {
      return fail("links", fmt::format("{} joins two hosts: there must be a switch between", between(topology, link)));
    }
    for (const auto& [node, port] : {std::pair(link.a, link.a_port), std::pair(link.b, link.b_port)}) {
      if (port >= ports[node] || used[node][port]) {
        return fail("links", fmt::format("port {} of {} is used twice, or those before it are free", port,
                                         topology.nodes[node].name));
      }
      used[node][port] = true;
    }
  }
  return {};
}

TopologyResult<void> check_connected(const Topology& topology) {
  const Adjacency adjacency(topology);
  std::vector<bool> seen(topology.nodes.size(), false);
  std::vector<std::uint32_t> queue{0};
  seen[0] = true;
  for (std::size_t next = 0; next < queue.size(); ++next) {
    for (const TopologyPort* port = adjacency.begin(queue[next]); port != adjacency.end(queue[next]); ++port) {
      if (seen[port->peer]) continue;
      seen[port->peer] = true;
      queue.push_back(port->peer);
    }
  }
  for (std::uint32_t host = 0; host < topology.host_count; ++host) {
    if (!seen[host]) {
      return fail("links", fmt::format("no path from {} to {}", topology.nodes[0].name, topology.nodes[host].name));
    }
  }
  return {};
}

}  // namespace

Adjacency::Adjacency(const Topology& topology) : first_(topology.nodes.size() + 1, 0) {
  for (const TopologyLink& link : topology.links) {
    ++first_[link.a + 1];
    ++first_[link.b + 1];
  }
  std::partial_sum(first_.begin(), first_.end(), first_.begin());
  ports_.resize(first_.back());
  for (std::uint32_t i = 0; i < topology.links.size(); ++i) {
    const TopologyLink& link = topology.links[i];
    ports_[first_[link.a] + link.a_port] = {i, link.b, link.b_port};
    ports_[first_[link.b] + link.b_port] = {i, link.a, link.a_port};
  }
}

void add_link(Topology& topology, std::vector<std::uint16_t>& next_port, const TopologyLink& link) {
  topology.links.push_back(link);
  topology.links.back().a_port = next_port[link.a]++;
  topology.links.back().b_port = next_port[link.b]++;
}

TopologyResult<void> validate(const Topology& topology) {
  if (auto good = check_sizes(topology); !good) return good;
  if (auto good = check_names(topology); !good) return good;
  if (auto good = check_links(topology); !good) return good;
  return check_connected(topology);
}

NodeNames::NodeNames(const Topology& topology) : topology_(topology), by_name_(topology.nodes.size()) {
  std::iota(by_name_.begin(), by_name_.end(), 0u);
  std::sort(by_name_.begin(), by_name_.end(),
            [&](std::uint32_t a, std::uint32_t b) { return topology.nodes[a].name < topology.nodes[b].name; });
  if (topology.nodes.empty() || topology.nodes.front().file_id == kNoFileId) return;
  by_file_id_.resize(topology.nodes.size());
  std::iota(by_file_id_.begin(), by_file_id_.end(), 0u);
  std::sort(by_file_id_.begin(), by_file_id_.end(),
            [&](std::uint32_t a, std::uint32_t b) { return topology.nodes[a].file_id < topology.nodes[b].file_id; });
}

std::optional<std::uint32_t> NodeNames::find(std::string_view text) const {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return find_number(number);
  const auto found =
      std::lower_bound(by_name_.begin(), by_name_.end(), text,
                       [this](std::uint32_t node, std::string_view t) { return topology_.nodes[node].name < t; });
  if (found == by_name_.end() || topology_.nodes[*found].name != text) return std::nullopt;
  return *found;
}

std::optional<std::uint32_t> NodeNames::find_number(std::uint64_t number) const {
  if (by_file_id_.empty()) {
    if (number >= topology_.nodes.size()) return std::nullopt;
    return static_cast<std::uint32_t>(number);
  }
  const auto found =
      std::lower_bound(by_file_id_.begin(), by_file_id_.end(), number,
                       [this](std::uint32_t node, std::uint64_t n) { return topology_.nodes[node].file_id < n; });
  if (found == by_file_id_.end() || topology_.nodes[*found].file_id != number) return std::nullopt;
  return *found;
}

}  // namespace rocelab::sim
