// A toy model (PHOLD): jobs wander at random over a random graph. Each node writes down all that happens to it; two
// runs are equal when every node's list is. Times are coarse on purpose, so that many events of different origin
// coincide.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "sim/kernel/simulation.h"

namespace rocelab::sim::test {

struct PholdShape {
  unsigned nodes = 20;
  unsigned jobs = 60;
  unsigned hops = 60;              ///< of each job; then it is gone
  unsigned leaves = 0;             ///< more nodes that hang on one other node each
  std::uint64_t latency_ps = 500;  ///< shortest
  bool stops = false;              ///< one node asks for the end in the middle
  bool chain = false;              ///< a ring of nodes instead of a random graph
};

class PholdNode;

class Phold {
 public:
  Phold(const PholdShape& shape, std::uint64_t seed);
  ~Phold();
  RunOutcome run(unsigned partitions, Executor* executor, TimePoint until = TimePoint::from_ps(kNever));
  /// What every node saw, a line an event.
  std::vector<std::vector<Event>> traces() const;
  Simulation& simulation() { return simulation_; }

 private:
  Simulation simulation_;
  std::vector<std::unique_ptr<PholdNode>> nodes_;
};

/// Empty when equal, else the first difference.
std::string difference(const std::vector<std::vector<Event>>& a, const std::vector<std::vector<Event>>& b);

}  // namespace rocelab::sim::test
