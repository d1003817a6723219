// Cutting a weighted graph in two so that few edges are cut: grown from a node at the border, then improved by moving
// single nodes (Fiduccia and Mattheyses). For graphs of some thousand nodes; called by division.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace rocelab::sim {

/// Nodes are numbered from 0; an edge appears at both of its ends.
struct WeightedGraph {
  std::vector<std::uint64_t> weight;
  std::vector<std::vector<std::pair<std::uint32_t, std::uint64_t>>> edges;  ///< (neighbour, weight)
};

/// What the two halves are to be.
struct Halves {
  std::uint64_t numerator = 1;  ///< of the weight in the first half
  std::uint64_t denominator = 2;
  std::size_t first_min = 1;  ///< nodes at least; together no more than there are
  std::size_t second_min = 1;
};

/// For each of `members` whether it is in the first half.
std::vector<bool> bisect(const WeightedGraph& graph, const std::vector<std::uint32_t>& members, const Halves& halves);

}  // namespace rocelab::sim
