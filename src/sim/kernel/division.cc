// Groups of nodes that stay together, then halves of halves.
#include "sim/kernel/division.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "sim/kernel/bisection.h"
#include "sim/kernel/event_queue.h"

namespace rocelab::sim {
namespace {

/// Sets of nodes that are joined bit by bit.
class Groups {
 public:
  explicit Groups(std::size_t nodes) : parent_(nodes) { std::iota(parent_.begin(), parent_.end(), 0u); }
  std::uint32_t of(std::uint32_t node) {
    while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
    return node;
  }
  void join(std::uint32_t a, std::uint32_t b) {
    a = of(a);
    b = of(b);
    if (a != b) parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::uint32_t> parent_;
};

class Divider {
 public:
  Divider(std::size_t nodes, std::span<const DivisionEdge> connections, unsigned partitions)
      : nodes_(nodes), connections_(connections), wanted_(partitions), node_weight_(nodes, 1) {
    for (const DivisionEdge& c : connections_) {
      if (c.seldom) continue;
      ++node_weight_[c.a];
      ++node_weight_[c.b];
    }
    total_ = std::accumulate(node_weight_.begin(), node_weight_.end(), std::uint64_t{0});
  }

  /// With only connections of at least `latency_ps` cut.
  Division try_cutting(std::uint64_t latency_ps) {
    Groups groups(nodes_);
    join_leaves(groups);
    for (const DivisionEdge& c : connections_) {
      if (c.latency_ps < latency_ps) groups.join(c.a, c.b);
    }
    std::vector<std::uint32_t> number(nodes_, ~0u);
    WeightedGraph graph;
    for (std::uint32_t node = 0; node < nodes_; ++node) {
      std::uint32_t& n = number[groups.of(node)];
      if (n == ~0u) {
        n = static_cast<std::uint32_t>(graph.weight.size());
        graph.weight.push_back(0);
      }
      graph.weight[n] += node_weight_[node];
    }
    const auto group = [&](NodeId node) { return number[groups.of(node)]; };
    graph.edges.resize(graph.weight.size());
    for (const DivisionEdge& c : connections_) {
      const std::uint32_t a = group(c.a);
      const std::uint32_t b = group(c.b);
      if (a == b || c.seldom) continue;
      graph.edges[a].emplace_back(b, 1);
      graph.edges[b].emplace_back(a, 1);
    }
    part_.assign(graph.weight.size(), 0);
    parts_ = 0;
    std::vector<std::uint32_t> all(graph.weight.size());
    std::iota(all.begin(), all.end(), 0u);
    split(graph, all, wanted_);

    Division division;
    division.partitions = parts_;
    division.partition_of.resize(nodes_);
    for (NodeId node = 0; node < nodes_; ++node) division.partition_of[node] = part_[group(node)];
    division.lookahead_ps = kNever;
    for (const DivisionEdge& c : connections_) {
      if (division.partition_of[c.a] == division.partition_of[c.b]) continue;
      division.cut += c.seldom ? 0 : 1;
      division.lookahead_ps = std::min(division.lookahead_ps, c.latency_ps);
    }
    return division;
  }

  /// Whether no part has much more than its share.
  bool even(const Division& division) const {
    if (division.partitions < wanted_) return false;
    std::vector<std::uint64_t> weight(division.partitions, 0);
    for (NodeId node = 0; node < nodes_; ++node) weight[division.partition_of[node]] += node_weight_[node];
    const std::uint64_t share = total_ / wanted_;
    return *std::max_element(weight.begin(), weight.end()) <= share + share / 8 + 1;
  }

 private:
  /// A node that has a single neighbour goes with it, unless these two are alone.
  void join_leaves(Groups& groups) const {
    constexpr NodeId kSeveral = kNoNode - 1;
    std::vector<NodeId> only(nodes_, kNoNode);
    for (const DivisionEdge& c : connections_) {
      if (c.a == c.b || c.seldom) continue;
      only[c.a] = only[c.a] == kNoNode || only[c.a] == c.b ? c.b : kSeveral;
      only[c.b] = only[c.b] == kNoNode || only[c.b] == c.a ? c.a : kSeveral;
    }
    for (NodeId node = 0; node < nodes_; ++node) {
      if (only[node] < kSeveral && only[only[node]] == kSeveral) groups.join(node, only[node]);
    }
  }

  void split(const WeightedGraph& graph, const std::vector<std::uint32_t>& members, unsigned parts) {
    if (parts <= 1 || members.size() <= 1) {
      for (const std::uint32_t member : members) part_[member] = static_cast<std::uint16_t>(parts_);
      ++parts_;
      return;
    }
    parts = std::min(parts, static_cast<unsigned>(members.size()));
    const std::vector<bool> in_first = bisect(graph, members, {parts / 2, parts, parts / 2, parts - parts / 2});
    std::vector<std::uint32_t> first;
    std::vector<std::uint32_t> second;
    for (std::size_t i = 0; i < members.size(); ++i) (in_first[i] ? first : second).push_back(members[i]);
    split(graph, first, parts / 2);
    split(graph, second, parts - parts / 2);
  }

  std::size_t nodes_;
  std::span<const DivisionEdge> connections_;
  unsigned wanted_;
  std::vector<std::uint64_t> node_weight_;
  std::uint64_t total_ = 0;
  std::vector<std::uint16_t> part_;  ///< by group
  unsigned parts_ = 0;
};

}  // namespace

Division divide(std::size_t nodes, std::span<const DivisionEdge> connections, unsigned partitions) {
  assert(nodes > 0 && partitions < 65536);
  if (partitions <= 1) return {std::vector<std::uint16_t>(nodes, 0), 1, kNever, 0};
  std::vector<std::uint64_t> latencies;
  for (const DivisionEdge& c : connections) {
    if (c.latency_ps > 0) latencies.push_back(c.latency_ps);
  }
  std::sort(latencies.begin(), latencies.end());
  latencies.erase(std::unique(latencies.begin(), latencies.end()), latencies.end());
  Divider divider(nodes, connections, partitions);
  // The longest latency with which the parts still come out even.
  Division best = divider.try_cutting(latencies.empty() ? 1 : latencies.front());
  std::size_t low = 0;
  std::size_t high = latencies.size();
  while (high - low > 1 && divider.even(best)) {
    const std::size_t middle = (low + high) / 2;
    Division division = divider.try_cutting(latencies[middle]);
    if (divider.even(division)) {
      best = std::move(division);
      low = middle;
    } else {
      high = middle;
    }
  }
  return best;
}

}  // namespace rocelab::sim
