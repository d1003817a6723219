// Shares of long flows: max-min, and DCQCN's fixed point.
#include <fmt/format.h>

#include <cmath>

#include "tests/sim/support/scenario_run.h"

namespace rocelab::test {

namespace {

/// Bytes of the workload's messages per second of their whole duration, in Gb/s.
double gbps(const ScenarioRun& run, std::size_t index) {
  return static_cast<double>(run.task(run.results()[index]).bytes) * 8e3 / static_cast<double>(run.fct_ps(index));
}

}  // namespace

TEST_CASE("validation: DCQCN gives two long flows equal shares and the link is used", "[sim][validation]") {
  const ScenarioRun run(
      "[topology]\nkind = \"dumbbell\"\n[host]\nprofile = \"ideal\"\n[transport]\ncongestion = \"dcqcn\"\n"
      "[[workload]]\nkind = \"incast\"\nname = \"a\"\nsources = [\"host0\"]\ndestinations = [\"host2\"]\nbytes = "
      "\"100MB\"\n"
      "[[workload]]\nkind = \"incast\"\nname = \"b\"\nsources = [\"host1\"]\ndestinations = [\"host3\"]\nbytes = "
      "\"100MB\"\n");
  REQUIRE(run.results().size() == 2);
  const double a = gbps(run, 0), b = gbps(run, 1);
  INFO(a << " and " << b << " Gb/s");
  const double goodput = 100.0 * 1024 / (1024 + 82);
  // Jain's index of fairness: 1 when equal, 0.5 when one has all. DCQCN converges slowly, so the beginning shows.
  CHECK((a + b) * (a + b) / (2 * (a * a + b * b)) > 0.97);
  const double ends = static_cast<double>(run.last_end_ps());
  CHECK(200e6 * 8e3 / ends > 0.85 * goodput);
}

TEST_CASE("validation: three flows into one host leave the fourth what max-min fairness gives it",
          "[sim][validation]") {
  // host0, host1 and host4 send to host2: a third each. host1 also sends to host3: what is left of its link, two
  // thirds.
  const ScenarioRun run(
      "[topology]\nkind = \"single_switch\"\nhosts = 5\n[host]\nprofile = \"ideal\"\n[transport]\ncongestion = "
      "\"dcqcn\"\n"
      "[[workload]]\nkind = \"incast\"\nname = \"three\"\nsources = [\"host0\", \"host1\", \"host4\"]\n"
      "destinations = [\"host2\"]\nbytes = \"100MB\"\n"
      "[[workload]]\nkind = \"incast\"\nname = \"one\"\nsources = [\"host1\"]\ndestinations = [\"host3\"]\nbytes = "
      "\"200MB\"\n");
  REQUIRE(run.results().size() == 4);
  const double goodput = 100.0 * 1024 / (1024 + 82);
  for (std::size_t i = 0; i < 3; ++i) {
    INFO("flow " << i << ": " << gbps(run, i) << " Gb/s");
    CHECK(std::abs(gbps(run, i) - goodput / 3) < 0.3 * goodput / 3);
  }
  INFO("the fourth: " << gbps(run, 3) << " Gb/s");
  CHECK(std::abs(gbps(run, 3) - goodput * 2 / 3) < 0.2 * goodput * 2 / 3);
}

}  // namespace rocelab::test
