// Long flows against the rates of max-min fairness: each sends as many bytes as it should in a common time, so that all
// should end together at that time.
#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "sim/fabric/topology/generators.h"
#include "sim/fabric/topology/importers.h"
#include "tests/sim/support/scenario_run.h"
#include "tests/sim/topology/max_min.h"
#include "tests/sim/topology/shape.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"

namespace rocelab::sim {
namespace {

std::vector<std::uint64_t> gbps(const Topology& topology, const std::vector<LongFlow>& flows) {
  const RoutingMap map(topology);
  std::vector<std::uint64_t> rates;
  for (const double rate : max_min_rates(map, tables_of(map), flows)) {
    rates.push_back(static_cast<std::uint64_t>(std::llround(rate / 1e8)));  // tenths
  }
  return rates;
}

Topology parking_lot() {
  std::ifstream file(test::source_path("tests/golden/sim/parking_lot.toml"));
  std::ostringstream text;
  text << file.rdbuf();
  auto topology = import_toml(text.str(), "parking_lot.toml");
  if (!topology) FAIL(topology.error());
  return std::move(*topology);
}

TEST_CASE("max-min: textbook cases", "[sim][maxmin]") {
  const Topology star = good(single_switch({.hosts = 5, .host_link = {}}));
  CHECK(gbps(star, {{0, 1}}) == std::vector<std::uint64_t>{1000});
  CHECK(gbps(star, {{0, 2}, {1, 2}, {4, 2}, {1, 3}}) == std::vector<std::uint64_t>{333, 333, 333, 667});
  // Both directions of a link are independent.
  CHECK(gbps(star, {{0, 1}, {1, 0}}) == std::vector<std::uint64_t>{1000, 1000});
  // a0 -> c0 and b0 -> c1 share 40; a1 -> b1 has what a0 leaves.
  CHECK(gbps(parking_lot(), {{0, 4}, {2, 5}, {1, 3}}) == std::vector<std::uint64_t>{200, 200, 800});
  const Topology narrow = good(leaf_spine(
      {.leaves = 2, .spines = 1, .hosts_per_leaf = 4, .links_per_spine = 2, .host_link = {}, .spine_link = {}}));
  CHECK(gbps(narrow, {{0, 4}, {1, 5}, {2, 6}, {3, 7}}) == std::vector<std::uint64_t>{500, 500, 500, 500});
}

TEST_CASE("max-min: congestion control gives long flows nearly their fair rates", "[sim][maxmin]") {
  struct Control {
    const char* name;
    double least;  ///< of the common time
    double most;
  };
  // DCQCN finds back to a rate by small steps only, and slowly at 40 Gb/s. HPCC fills the links at once, evens out
  // shares by a small additive step (Li et al., SIGCOMM 2019, 3.3), and is held to 95 % of a link.
  const Control control = GENERATE(Control{"dcqcn", 0.7, 1.7}, Control{"hpcc", 0.6, 1.25});
  struct Case {
    std::string topology;
    Topology built;
    std::vector<LongFlow> flows;
  };
  const std::vector<Case> cases = {
      {"kind = \"file\"\nfile = \"" + test::source_path("tests/golden/sim/parking_lot.toml") + "\"\n",
       parking_lot(),
       {{0, 4}, {2, 5}, {1, 3}}},
      {"kind = \"single_switch\"\nhosts = 5\n",
       good(single_switch({.hosts = 5, .host_link = {}})),
       {{0, 2}, {1, 2}, {4, 2}, {1, 3}}},
  };
  for (const Case& c : cases) {
    const RoutingMap map(c.built);
    const std::vector<double> rates = max_min_rates(map, tables_of(map), c.flows);
    constexpr double kSeconds = 0.02;
    constexpr double kGoodput = 1024.0 / (1024 + 82);
    std::string text = "[topology]\n" + c.topology + "[host]\nprofile = \"ideal\"\n[transport]\ncongestion = \"" +
                       control.name + "\"\n";
    for (std::size_t f = 0; f < c.flows.size(); ++f) {
      text += fmt::format("[[workload]]\nkind = \"incast\"\nsources = [\"{}\"]\ndestinations = [\"{}\"]\nbytes = {}\n",
                          c.built.nodes[c.flows[f].source].name, c.built.nodes[c.flows[f].destination].name,
                          std::llround(rates[f] * kSeconds * kGoodput / 8));
    }
    const test::ScenarioRun run(text);
    REQUIRE(run.results().size() == c.flows.size());
    for (std::size_t f = 0; f < c.flows.size(); ++f) {
      const double took = static_cast<double>(run.fct_ps(f)) / 1e12;
      INFO(control.name << ", flow " << f << " should take " << kSeconds << " s, took " << took);
      CHECK(took > kSeconds * control.least);
      CHECK(took < kSeconds * control.most);
    }
  }
}

}  // namespace
}  // namespace rocelab::sim
