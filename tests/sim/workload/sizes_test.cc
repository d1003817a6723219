// Distributions: their tables, their means, their samples.
#include <algorithm>

#include "sim/workload/sizes/distribution.h"
#include "sim/workload/sizes/exponential.h"
#include "tests/support/catch.h"

namespace rocelab::sim {

TEST_CASE("sizes: the built-in distributions have the means of their tables", "[sim][workload]") {
  CHECK(SizeDistribution::built_in("websearch").value().mean() == 1'711'250);
  CHECK(SizeDistribution::built_in("fb_hadoop").value().mean() == 120'420);
  CHECK(SizeDistribution::built_in("ali_storage").value().mean() == 40'869);
  CHECK_FALSE(SizeDistribution::built_in("web"));
}

TEST_CASE("sizes: samples follow the table, and the same seed gives the same sizes", "[sim][workload]") {
  const SizeDistribution sizes = SizeDistribution::built_in("websearch").value();
  base::Rng a(7, "sizes"), b(7, "sizes");
  constexpr std::uint64_t kCount = 200'000;
  std::uint64_t small = 0, medium = 0;
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const std::uint64_t size = sizes.draw(a);
    REQUIRE(size == sizes.draw(b));
    REQUIRE(size >= 1);
    REQUIRE(size <= 30'000'000);
    small += size <= 10'000 ? 1u : 0u;
    medium += size <= 1'000'000 ? 1u : 0u;
    sum += size;
  }
  // Four standard deviations of a binomial.
  CHECK(small > kCount * 15 / 100 - 640);
  CHECK(small < kCount * 15 / 100 + 640);
  CHECK(medium > kCount * 70 / 100 - 820);
  CHECK(medium < kCount * 70 / 100 + 820);
  CHECK(sum / kCount > 1'711'250 * 97 / 100);
  CHECK(sum / kCount < 1'711'250 * 103 / 100);
}

TEST_CASE("sizes: a file that is no distribution is refused with its line", "[sim][workload]") {
  const auto problem = [](std::string_view text) {
    const auto parsed = SizeDistribution::parse(text, "f.cdf");
    return parsed ? std::string() : parsed.error();
  };
  CHECK(problem("0 0\nten 5\n") == "f.cdf:2: `ten` does not begin with a number");
  CHECK(problem("0 0\n10\n") == "f.cdf:2: `10` is not \"BYTES PERCENT\"");
  CHECK(problem("0 0\n10 50\n10 100\n") == "f.cdf:3: sizes and percentages must rise");
  CHECK(problem("0 0\n10 50\n") == "f.cdf:2: the percentages must go from 0 to 100");
  CHECK(problem("") == "f.cdf:1: the percentages must go from 0 to 100");
  CHECK(problem("0 0\n10 101\n") == "f.cdf:2: `101` percent are more than 100");
  CHECK(SizeDistribution::parse("# one size\n100 0\n200 100\n", "f.cdf").value().mean() == 150);
  base::Rng rng(1, "x");
  CHECK(SizeDistribution::constant(5000).draw(rng) == 5000);
  CHECK(SizeDistribution::constant(5000).mean() == 5000);
}

TEST_CASE("sizes: the logarithm in integers is right to eight digits", "[sim][workload]") {
  constexpr std::uint64_t kOne = std::uint64_t{1} << 32;
  CHECK(negative_log(std::uint64_t{1} << 63) >= 2'977'044'471);  // ln 2
  CHECK(negative_log(std::uint64_t{1} << 63) <= 2'977'044'473);
  CHECK(negative_log(~std::uint64_t{0}) < 4);
  const std::uint64_t ln64 = negative_log(1);  // 64 ln 2 = 44.3614195558
  CHECK(ln64 / kOne == 44);
  CHECK(ln64 % kOne * 100'000'000 / kOne == 36'141'955);
  const std::uint64_t e = 6'786'177'901'268'885'274;  // 2^64 / e
  CHECK(negative_log(e) > kOne - 8);
  CHECK(negative_log(e) < kOne + 8);
}

TEST_CASE("sizes: exponential gaps have their mean and no memory", "[sim][workload]") {
  base::Rng rng(3, "gaps");
  constexpr std::uint64_t kCount = 200'000;
  std::uint64_t sum = 0;
  std::uint64_t longer = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const std::uint64_t gap = draw_exponential(rng, 1'000'000);
    sum += gap;
    longer += gap > 1'000'000 ? 1u : 0u;
  }
  CHECK(sum / kCount > 990'000);
  CHECK(sum / kCount < 1'010'000);
  CHECK(longer > kCount * 36'788 / 100'000 - 870);  // 1/e, four standard deviations
  CHECK(longer < kCount * 36'788 / 100'000 + 870);
}

}  // namespace rocelab::sim
