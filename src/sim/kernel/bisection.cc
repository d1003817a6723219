// Growing a half from several starts, and the passes that improve it.
#include "sim/kernel/bisection.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace rocelab::sim {
namespace {

constexpr unsigned kStarts = 4;
constexpr unsigned kPasses = 8;
constexpr std::uint32_t kNobody = ~0u;

class Bisection {
 public:
  Bisection(const WeightedGraph& graph, const std::vector<std::uint32_t>& members, const Halves& halves)
      : n_(members.size()), halves_(halves), weight_(n_), edges_(n_) {
    std::vector<std::uint32_t> local(graph.weight.size(), kNobody);
    for (std::uint32_t i = 0; i < n_; ++i) local[members[i]] = i;
    std::uint64_t heaviest = 0;
    for (std::uint32_t i = 0; i < n_; ++i) {
      weight_[i] = graph.weight[members[i]];
      total_ += weight_[i];
      heaviest = std::max(heaviest, weight_[i]);
      for (const auto& [neighbour, weight] : graph.edges[members[i]]) {
        if (local[neighbour] != kNobody) edges_[i].emplace_back(local[neighbour], static_cast<std::int64_t>(weight));
      }
    }
    target_ = total_ * halves.numerator / halves.denominator;
    slack_ = std::max(total_ / 50, heaviest);
  }

  std::vector<bool> best() {
    std::vector<bool> best;
    std::int64_t best_cut = std::numeric_limits<std::int64_t>::max();
    std::uint32_t start = 0;
    for (unsigned i = 0; i < kStarts; ++i) {
      start = i % 2 == 0 ? farthest(start) : static_cast<std::uint32_t>((start + n_ / 3 + 1) % n_);
      grow(start);
      for (unsigned pass = 0; pass < kPasses && improve(); ++pass) {
      }
      const std::int64_t now = cut();
      if (now < best_cut) {
        best_cut = now;
        best = first_;
      }
    }
    return best;
  }

 private:
  /// Of the nodes that can be reached, one that is farthest.
  std::uint32_t farthest(std::uint32_t from) const {
    std::vector<bool> seen(n_, false);
    std::vector<std::uint32_t> queue{from};
    seen[from] = true;
    for (std::size_t head = 0; head < queue.size(); ++head) {
      for (const auto& edge : edges_[queue[head]]) {
        if (seen[edge.first]) continue;
        seen[edge.first] = true;
        queue.push_back(edge.first);
      }
    }
    return queue.back();
  }

  void grow(std::uint32_t start) {
    first_.assign(n_, false);
    first_weight_ = 0;
    first_count_ = 0;
    // Of each node outside: edges into the half less edges to the rest.
    std::vector<std::int64_t> pull(n_, 0);
    std::vector<bool> touched(n_, false);
    for (std::uint32_t i = 0; i < n_; ++i) {
      for (const auto& edge : edges_[i]) pull[i] -= edge.second;
    }
    std::uint32_t next = start;
    while (first_count_ < n_ - halves_.second_min &&
           (first_count_ < halves_.first_min || first_weight_ + weight_[next] / 2 < target_)) {
      first_[next] = true;
      first_weight_ += weight_[next];
      ++first_count_;
      for (const auto& edge : edges_[next]) {
        pull[edge.first] += 2 * edge.second;
        touched[edge.first] = true;
      }
      next = kNobody;
      for (std::uint32_t i = 0; i < n_; ++i) {
        if (first_[i]) continue;
        if (next == kNobody || (touched[i] && !touched[next]) ||
            (touched[i] == touched[next] && pull[i] > pull[next])) {
          next = i;
        }
      }
    }
  }

  /// One pass: moves each node at most once, always the one that helps most (or hurts least) and keeps the balance,
  /// then goes back to the best moment. True if that was better than the beginning.
  bool improve() {
    std::vector<std::int64_t> gain(n_, 0);
    for (std::uint32_t i = 0; i < n_; ++i) {
      for (const auto& edge : edges_[i]) gain[i] += first_[edge.first] == first_[i] ? -edge.second : edge.second;
    }
    std::vector<bool> moved(n_, false);
    std::vector<std::uint32_t> moves;
    std::int64_t sum = 0;
    std::int64_t best_sum = 0;
    std::size_t best_moves = 0;
    const std::size_t moves_max = std::min<std::size_t>(n_, 500);
    while (moves.size() < moves_max) {
      std::uint32_t pick = kNobody;
      for (std::uint32_t i = 0; i < n_; ++i) {
        if (!moved[i] && (pick == kNobody || gain[i] > gain[pick]) && balanced_after(i)) pick = i;
      }
      if (pick == kNobody) break;
      sum += gain[pick];
      flip(pick, gain);
      moved[pick] = true;
      moves.push_back(pick);
      if (sum > best_sum) {
        best_sum = sum;
        best_moves = moves.size();
      }
    }
    while (moves.size() > best_moves) {
      flip(moves.back(), gain);
      moves.pop_back();
    }
    return best_sum > 0;
  }

  bool balanced_after(std::uint32_t i) const {
    if (first_[i] ? first_count_ <= halves_.first_min : n_ - first_count_ <= halves_.second_min) return false;
    const std::uint64_t weight = first_[i] ? first_weight_ - weight_[i] : first_weight_ + weight_[i];
    const std::uint64_t off = weight > target_ ? weight - target_ : target_ - weight;
    const std::uint64_t off_now = first_weight_ > target_ ? first_weight_ - target_ : target_ - first_weight_;
    return off <= slack_ || off < off_now;
  }

  void flip(std::uint32_t i, std::vector<std::int64_t>& gain) {
    first_weight_ = first_[i] ? first_weight_ - weight_[i] : first_weight_ + weight_[i];
    first_count_ = first_[i] ? first_count_ - 1 : first_count_ + 1;
    first_[i] = !first_[i];
    gain[i] = -gain[i];
    for (const auto& edge : edges_[i]) {
      gain[edge.first] += first_[edge.first] == first_[i] ? -2 * edge.second : 2 * edge.second;
    }
  }

  std::int64_t cut() const {
    std::int64_t cut = 0;
    for (std::uint32_t i = 0; i < n_; ++i) {
      for (const auto& edge : edges_[i]) cut += first_[edge.first] != first_[i] ? edge.second : 0;
    }
    return cut;
  }

  std::size_t n_;
  Halves halves_;
  std::vector<std::uint64_t> weight_;
  std::vector<std::vector<std::pair<std::uint32_t, std::int64_t>>> edges_;
  std::uint64_t total_ = 0;
  std::uint64_t target_ = 0;
  std::uint64_t slack_ = 0;
  std::vector<bool> first_;
  std::uint64_t first_weight_ = 0;
  std::size_t first_count_ = 0;
};

}  // namespace

std::vector<bool> bisect(const WeightedGraph& graph, const std::vector<std::uint32_t>& members, const Halves& halves) {
  return Bisection(graph, members, halves).best();
}

}  // namespace rocelab::sim
