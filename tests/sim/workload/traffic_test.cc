// Flows without dependencies: their number, their ends, their load.
#include "sim/workload/plan/traffic.h"

#include <set>

#include "tests/support/catch.h"

namespace rocelab::sim {

namespace {

TrafficCommon common(std::uint32_t hosts, std::uint64_t seed = 1) {
  TrafficCommon out;
  out.name = "test";
  out.seed = seed;
  for (std::uint32_t h = 0; h < hosts; ++h) {
    out.sources.push_back(h);
    out.destinations.push_back(h);
  }
  return out;
}

PoissonTraffic poisson(std::uint32_t hosts, std::uint64_t load_ppm, std::uint64_t duration_ps) {
  PoissonTraffic out{SizeDistribution::built_in("ali_storage").value(), load_ppm, {}, duration_ps, 0};
  out.rates_bits_per_s.assign(hosts, 100'000'000'000);
  return out;
}

}  // namespace

TEST_CASE("traffic: Poisson arrivals offer the load asked for, in the order of time", "[sim][workload]") {
  Plan plan;
  REQUIRE(add_poisson(plan, common(16), poisson(16, 500'000, 20'000'000'000)));
  std::uint64_t bytes = 0, last = 0;
  for (const Task& task : plan.tasks()) {
    REQUIRE(task.host != task.peer);
    REQUIRE(task.delay_ps >= last);
    REQUIRE(task.delay_ps < 20'000'000'000);
    last = task.delay_ps;
    bytes += task.bytes;
  }
  // 16 hosts at half of 12.5 GB/s for 20 ms are 2 GB; about 48,600 flows, each spread as its distribution: +-2.5 %.
  CHECK(bytes > 1'950'000'000);
  CHECK(bytes < 2'050'000'000);
}

TEST_CASE("traffic: the same seed gives the same flows, another one gives others", "[sim][workload]") {
  Plan a, b, c;
  REQUIRE(add_poisson(a, common(4, 1), poisson(4, 300'000, 1'000'000'000)));
  REQUIRE(add_poisson(b, common(4, 1), poisson(4, 300'000, 1'000'000'000)));
  REQUIRE(add_poisson(c, common(4, 2), poisson(4, 300'000, 1'000'000'000)));
  REQUIRE(a.size() == b.size());
  bool differ = a.size() != c.size();
  for (TaskId i = 0; i < a.size(); ++i) {
    CHECK(a.task(i).delay_ps == b.task(i).delay_ps);
    CHECK(a.task(i).bytes == b.task(i).bytes);
    differ = differ || a.task(i).delay_ps != c.task(i).delay_ps;
  }
  CHECK(differ);
}

TEST_CASE("traffic: in a permutation everybody sends once and receives once, nobody to itself", "[sim][workload]") {
  for (const std::uint32_t hosts : {2u, 3u, 64u}) {
    Plan plan;
    add_permutation(plan, common(hosts), 1000);
    REQUIRE(plan.size() == hosts);
    std::set<std::uint32_t> from, to;
    for (const Task& task : plan.tasks()) {
      CHECK(task.host != task.peer);
      from.insert(task.host);
      to.insert(task.peer);
    }
    CHECK(from.size() == hosts);
    CHECK(to.size() == hosts);
  }
}

TEST_CASE("traffic: an incast comes from all others, again after each period", "[sim][workload]") {
  Plan plan;
  TrafficCommon c = common(5);
  c.destinations = {3};
  c.start_ps = 7;
  add_incast(plan, c, 1000, 2, 100);
  REQUIRE(plan.size() == 8);
  CHECK(plan.task(0).delay_ps == 7);
  CHECK(plan.task(4).delay_ps == 107);
  for (const Task& task : plan.tasks()) CHECK(task.peer == 3);
}

}  // namespace rocelab::sim
