// Flow-size distributions: a cumulative distribution as points, linear in between, sampled with integers alone so that
// every machine draws the same sizes. Files have a line "BYTES PERCENT" a point, the format of HPCC's traffic
// generator; '#' begins a comment. Three distributions are built in (sizes/data, with their sources).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/rng.h"

namespace rocelab::sim {

class SizeDistribution {
 public:
  /// "FILE:LINE: what" on a mistake: percentages must rise from 0 to 100, sizes must rise.
  static base::TextResult<SizeDistribution> parse(std::string_view text, const std::string& file);
  /// "websearch", "fb_hadoop", "ali_storage".
  static base::TextResult<SizeDistribution> built_in(std::string_view name);
  /// All messages of one size; bytes > 0.
  static SizeDistribution constant(std::uint64_t bytes);

  std::uint64_t draw(base::Rng& rng) const;  ///< at least 1
  /// The mean, rounded down.
  std::uint64_t mean() const;

 private:
  static constexpr std::uint64_t kOne = 100'000'000;  ///< 100 % with six decimals
  struct Point {
    std::uint64_t bytes = 0;
    std::uint64_t share = 0;  ///< of kOne
  };
  std::vector<Point> points_;
};

std::vector<std::string_view> built_in_distributions();

}  // namespace rocelab::sim
