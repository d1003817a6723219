// The project's only random source: xoshiro256** seeded by splitmix64 from (seed, component name). Deterministic on
// every platform, no floating point. The seed has no default: whoever owns an engine says where chance comes from.
#pragma once

#include <cstdint>
#include <string_view>

namespace rocelab::base {

/// One stream of pseudo-random numbers. Not thread-safe; give each component its own.
class Rng {
 public:
  Rng(std::uint64_t seed, std::string_view component);

  std::uint64_t next();
  /// Uniform in [0, bound); bound > 0. Unbiased (Lemire's multiply-and-reject).
  std::uint64_t below(std::uint64_t bound);
  /// True with probability numerator/denominator.
  bool chance(std::uint64_t numerator, std::uint64_t denominator) { return below(denominator) < numerator; }

 private:
  std::uint64_t state_[4];
};

}  // namespace rocelab::base
