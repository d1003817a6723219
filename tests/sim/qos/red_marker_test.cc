// Marking probability at, below, between and above the thresholds.
#include "qos/red_marker.h"

#include "base/rng.h"
#include "tests/support/catch.h"

namespace rocelab::qos {
namespace {

unsigned marked_of_100000(const RedMarker& marker, std::uint32_t queue_bytes) {
  base::Rng rng(3, "red");
  unsigned marked = 0;
  for (unsigned i = 0; i < 100'000; ++i) marked += marker.mark(queue_bytes, [&] { return rng.next(); }) ? 1 : 0;
  return marked;
}

TEST_CASE("red: nothing up to kmin, everything above kmax, a line in between", "[qos][red]") {
  const RedMarker marker(RedOptions{100'000, 400'000, 200'000});
  CHECK(marked_of_100000(marker, 0) == 0);
  CHECK(marked_of_100000(marker, 100'000) == 0);
  CHECK(marked_of_100000(marker, 400'001) == 100'000);
  // Half way up a fifth: a tenth. Four standard deviations of a binomial are 380.
  CHECK(std::abs(static_cast<int>(marked_of_100000(marker, 250'000)) - 10'000) < 380);
  CHECK(std::abs(static_cast<int>(marked_of_100000(marker, 400'000)) - 20'000) < 506);
  CHECK(std::abs(static_cast<int>(marked_of_100000(marker, 103'000)) - 200) < 57);
}

TEST_CASE("red: equal thresholds are a step", "[qos][red]") {
  const RedMarker marker(RedOptions{65'000, 65'000, 1'000'000});
  CHECK(marked_of_100000(marker, 65'000) == 0);
  CHECK(marked_of_100000(marker, 65'001) == 100'000);
}

TEST_CASE("red: probability one at kmax", "[qos][red]") {
  const RedMarker marker(RedOptions{0, 1000, 1'000'000});
  CHECK(marked_of_100000(marker, 1000) >= 99'999);
  CHECK(std::abs(static_cast<int>(marked_of_100000(marker, 500)) - 50'000) < 633);
}

TEST_CASE("red: made of nothing it marks nothing", "[qos][red]") {
  CHECK(marked_of_100000(RedMarker(), 0xffff'fffe) == 0);
}

}  // namespace
}  // namespace rocelab::qos
