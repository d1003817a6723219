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

TEST_CASE("validation: under DCQCN's fixed point of two flows the queue stands just above Kmin", "[sim][validation]") {
  ScenarioRun run(
      "[topology]\nkind = \"dumbbell\"\n[host]\nprofile = \"ideal\"\n[transport]\ncongestion = \"dcqcn\"\n"
      "[sampling]\ninterval = \"20us\"\n"
      "[[workload]]\nkind = \"incast\"\nname = \"a\"\nsources = [\"host0\"]\ndestinations = [\"host2\"]\nbytes = "
      "\"400MB\"\n"
      "[[workload]]\nkind = \"incast\"\nname = \"b\"\nsources = [\"host1\"]\ndestinations = [\"host3\"]\nbytes = "
      "\"400MB\"\n");
  // Zhu et al., "ECN or Delay: Lessons Learnt from Analysis of DCQCN and TIMELY", CoNEXT 2016, equation 11, in packets:
  // p* is about the cube root of R_AI N^2 / (tau' C^2) * (1 / B + N / (T C))^2; the queue marks so many at
  // Kmin + p* (Kmax - Kmin) / Pmax.
  constexpr double kPacket = 1024 + 82, kFlows = 2;
  constexpr double kCapacity = 100e9 / 8 / kPacket, kIncrease = 40e6 / 8 / kPacket, kTimer = 55e-6,
                   kBytes = 10e6 / kPacket;
  const double once = 1 / kBytes + kFlows / (kTimer * kCapacity);
  const double marked = std::cbrt(kIncrease * kFlows * kFlows / (kTimer * kCapacity * kCapacity) * once * once);
  const double expected = 400e3 + marked * 1200e3 / 0.2;
  double sum = 0;
  std::uint64_t count = 0;
  for (const sim::QueueLengthSample& sample : run.experiment().network().switches()[0]->samples().queues) {
    const bool middle = sample.port == 2 && sample.priority == 3;
    if (!middle || sample.at_ps < 40'000'000'000 || sample.at_ps > 60'000'000'000) continue;
    sum += sample.bytes;
    ++count;
  }
  REQUIRE(count > 500);
  const double mean = sum / static_cast<double>(count);
  INFO("mean queue " << mean << " bytes, fixed point " << expected);
  CHECK(std::abs(mean - expected) < 0.1 * expected);
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

TEST_CASE("validation: packets spread over all paths finish a permutation near line rate, flows hashed to paths do not",
          "[sim][validation]") {
  const auto last = [](const std::string& policy) {
    const ScenarioRun run(
        "[topology]\nkind = \"fat_tree\"\nk = 4\n[host]\nprofile = \"ideal\"\n[transport]\nrecovery = "
        "\"selective_repeat\"\ncongestion = \"none\"\n[routing]\npolicy = \"" +
        policy + "\"\n[[workload]]\nkind = \"permutation\"\nbytes = \"4MB\"\n");
    return run.last_end_ps();
  };
  const std::uint64_t alone = 4'000'000 / 1024 * (1024 + 82) * 80;
  const std::uint64_t hashed = last("ecmp"), sprayed = last("spray"), recycled = last("reps");
  INFO("alone " << alone / 1'000'000 << " us, ecmp " << hashed / 1'000'000 << ", spray " << sprayed / 1'000'000
                << ", reps " << recycled / 1'000'000);
  CHECK(hashed > alone * 19 / 10);  // two flows on one link
  CHECK(sprayed < alone * 13 / 10);
  CHECK(recycled < alone * 13 / 10);
}

}  // namespace rocelab::test
