// [[route]] in a scenario: names become ports, mistakes are told with their line.
#include "sim/workload/scenario/scenario.h"
#include "tests/support/catch.h"

namespace rocelab::sim {
namespace {

constexpr const char* kStart = R"([topology]
kind = "leaf_spine"
leaves = 2
spines = 2
hosts_per_leaf = 2
links_per_spine = 2

[[workload]]
kind = "permutation"
)";

TEST_CASE("scenario: a route names hosts and neighbours, and parallel links count as one neighbour",
          "[sim][scenario]") {
  const auto scenario = parse_scenario(std::string(kStart) + R"([[route]]
at = "leaf0"
to = ["host2", "host3"]
via = ["spine1"]
)",
                                       "s.toml", {});
  REQUIRE(scenario.has_value());
  REQUIRE((*scenario)->routes.size() == 2);
  for (std::uint32_t i = 0; i < 2; ++i) {
    CHECK((*scenario)->routes[i].switch_index == 0);
    CHECK((*scenario)->routes[i].destination == 2 + i);
    CHECK((*scenario)->routes[i].ports == std::vector<std::uint16_t>{4, 5});
  }
}

TEST_CASE("scenario: impossible routes are refused with file, line and key", "[sim][scenario]") {
  const auto refused = [](const std::string& route) {
    const auto scenario = parse_scenario(kStart + route, "s.toml", {});
    return scenario ? std::string("accepted") : scenario.error();
  };
  CHECK(refused("[[route]]\nat = \"host0\"\nto = [\"host2\"]\nvia = [\"spine0\"]\n") ==
        "s.toml:11: key `route[0].at`: there is no switch `host0`");
  CHECK(refused("[[route]]\nat = \"leaf0\"\nto = [\"host2\"]\nvia = [\"leaf1\"]\n") ==
        "s.toml:13: key `route[0].via`: `leaf0` has no link to `leaf1`");
  CHECK(refused("[[route]]\nat = \"leaf0\"\nto = [\"host1\"]\nvia = [\"host0\"]\n") ==
        "s.toml:13: key `route[0].via`: a route to host1 by port 0 of leaf0, where host0 is");
  CHECK(refused("[[route]]\nat = \"leaf0\"\nvia = [\"spine0\"]\n").find("`route[0].to`") != std::string::npos);
}

}  // namespace
}  // namespace rocelab::sim
