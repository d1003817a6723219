// Flows without dependencies: Poisson arrivals at a load, permutations, incasts, all to all. Each draws from random
// streams of its own, named after the workload, so that adding one workload changes no other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sim/workload/plan/plan.h"
#include "sim/workload/sizes/distribution.h"

namespace rocelab::sim {

/// What all of them have in common.
struct TrafficCommon {
  std::string name;  ///< of the workload: names the random streams
  std::uint64_t seed = 0;
  std::uint16_t workload = 0;
  std::uint8_t priority = 0;
  std::uint64_t start_ps = 0;
  std::vector<std::uint32_t> sources;       ///< hosts
  std::vector<std::uint32_t> destinations;  ///< hosts
};

struct PoissonTraffic {
  SizeDistribution sizes;
  std::uint64_t load_ppm = 500'000;             ///< of a source's rate, in millionths; payload bytes count
  std::vector<std::uint64_t> rates_bits_per_s;  ///< of the sources' ports
  std::uint64_t duration_ps = 0;                ///< flows begin in [start, start + duration)
  std::uint64_t flows_max = 0;                  ///< 0: no other limit
};

/// Each source starts flows to destinations drawn evenly (never itself). Fails when there would be too many flows.
base::TextResult<void> add_poisson(Plan& plan, const TrafficCommon& common, const PoissonTraffic& traffic);
/// Everybody sends `bytes` to one other, everybody receives from one: a random cyclic permutation of the sources.
void add_permutation(Plan& plan, const TrafficCommon& common, std::uint64_t bytes);
/// Every source sends `bytes` to each destination at once, `repeat` times with `period_ps` in between.
void add_incast(Plan& plan, const TrafficCommon& common, std::uint64_t bytes, std::uint32_t repeat,
                std::uint64_t period_ps);

}  // namespace rocelab::sim
