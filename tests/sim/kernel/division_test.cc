// How graphs are divided: evenly, hosts with their switches, short links kept whole, few links cut.
#include "sim/kernel/division.h"

#include <algorithm>
#include <vector>

#include "sim/kernel/event_queue.h"
#include "tests/support/catch.h"

namespace rocelab::sim {
namespace {

std::vector<std::size_t> sizes(const Division& division) {
  std::vector<std::size_t> out(division.partitions, 0);
  for (const std::uint16_t part : division.partition_of) ++out[part];
  return out;
}

/// k-ary fat tree: hosts first, then edge, aggregation and core switches.
struct FatTree {
  explicit FatTree(unsigned k) : hosts(k * k * k / 4) {
    const unsigned half = k / 2;
    const NodeId edge = hosts;
    const NodeId aggregation = edge + k * half;
    const NodeId core = aggregation + k * half;
    nodes = core + half * half;
    for (NodeId host = 0; host < hosts; ++host) connections.push_back({host, edge + host / half, 100});
    for (unsigned pod = 0; pod < k; ++pod) {
      for (unsigned e = 0; e < half; ++e) {
        for (unsigned a = 0; a < half; ++a) {
          connections.push_back({edge + pod * half + e, aggregation + pod * half + a, 1000});
        }
      }
      for (unsigned a = 0; a < half; ++a) {
        for (unsigned c = 0; c < half; ++c) {
          connections.push_back({aggregation + pod * half + a, core + a * half + c, 1000});
        }
      }
    }
  }
  NodeId hosts;
  std::size_t nodes = 0;
  std::vector<DivisionEdge> connections;
};

TEST_CASE("division: a fat tree is cut between its pods", "[sim][kernel]") {
  const FatTree tree(8);
  for (const unsigned partitions : {2u, 4u, 8u}) {
    const Division division = divide(tree.nodes, tree.connections, partitions);
    CHECK(division.partitions == partitions);
    CHECK(division.lookahead_ps == 1000);
    for (NodeId host = 0; host < tree.hosts; ++host) {
      CHECK(division.partition_of[host] == division.partition_of[tree.hosts + host / 4]);
    }
    // Cutting at the cores alone cuts (p-1)/p of their links; some more may fall inside pods.
    CHECK(division.cut <= 128 * (partitions - 1) / partitions + 32);
    const std::vector<std::size_t> parts = sizes(division);
    CHECK(*std::max_element(parts.begin(), parts.end()) <= tree.nodes / partitions * 5 / 4);
  }
}

TEST_CASE("division: short links are not cut while the parts come out even", "[sim][kernel]") {
  // Four racks of 8 tightly joined nodes in a ring of long links.
  std::vector<DivisionEdge> connections;
  for (NodeId rack = 0; rack < 4; ++rack) {
    for (NodeId i = 0; i < 8; ++i) connections.push_back({rack * 8 + i, rack * 8 + (i + 1) % 8, 10});
    connections.push_back({rack * 8, (rack * 8 + 8) % 32, 5000});
  }
  const Division two = divide(32, connections, 2);
  CHECK(two.lookahead_ps == 5000);
  CHECK(two.cut == 2);
  const Division four = divide(32, connections, 4);
  CHECK(four.lookahead_ps == 5000);
  CHECK(four.cut == 4);
  // Eight parts need short links cut.
  const Division eight = divide(32, connections, 8);
  CHECK(eight.partitions == 8);
  CHECK(eight.lookahead_ps == 10);
}

TEST_CASE("division: nodes without latency between them stay together", "[sim][kernel]") {
  const std::vector<DivisionEdge> connections{{0, 1, 0}, {1, 2, 700}, {2, 3, 0}, {3, 4, 0}, {4, 0, 900}};
  const Division division = divide(5, connections, 3);
  CHECK(division.partitions == 2);
  CHECK(division.partition_of[0] == division.partition_of[1]);
  CHECK(division.partition_of[2] == division.partition_of[4]);
  CHECK(division.lookahead_ps == 700);
}

TEST_CASE("division: connections seldom used count for the lookahead alone", "[sim][kernel]") {
  FatTree tree(4);
  const NodeId observer = static_cast<NodeId>(tree.nodes);
  for (NodeId host = 0; host < tree.hosts; ++host) tree.connections.push_back({host, observer, 400, true});
  const Division division = divide(tree.nodes + 1, tree.connections, 2);
  CHECK(division.partitions == 2);
  CHECK(division.lookahead_ps == 400);
  CHECK(division.cut <= 10);
  for (NodeId host = 0; host < tree.hosts; ++host) {
    CHECK(division.partition_of[host] == division.partition_of[tree.hosts + host / 2]);
  }
}

TEST_CASE("division: what is not connected is divided too", "[sim][kernel]") {
  const Division division = divide(8, {}, 4);
  CHECK(division.partitions == 4);
  CHECK(division.lookahead_ps == kNever);
  CHECK(sizes(division) == std::vector<std::size_t>(4, 2));
  CHECK(divide(1, {}, 4).partitions == 1);
}

TEST_CASE("division: a star of hosts is one part", "[sim][kernel]") {
  std::vector<DivisionEdge> connections;
  for (NodeId host = 0; host < 16; ++host) connections.push_back({host, 16, 1000});
  CHECK(divide(17, connections, 2).partitions == 1);
}

}  // namespace
}  // namespace rocelab::sim
