// Sections name file, line and key of the first mistake, and know which keys nobody read.
#include "sim/workload/scenario/section.h"

#include "tests/support/catch.h"

namespace rocelab::sim {

namespace {

/// Reads a document as a scenario reader would: a rate, a number and a table.
std::string problem_of(std::string_view text) {
  const auto tree = parse_toml(text, "s.toml");
  if (!tree) return tree.error();
  Reading reading("s.toml");
  Section root(*tree, "", reading);
  std::uint64_t rate = 1, count = 0, alpha = 0;
  bool on = false;
  std::string name;
  root.rate("rate", rate);
  root.number("count", count, {1, 8});
  root.boolean("on", on);
  root.text("name", name);
  Section inner = root.section("switch");
  inner.decimal("alpha", alpha, 6, {1, 16'000'000});
  inner.finish();
  root.finish();
  return reading.text();
}

}  // namespace

TEST_CASE("section: mistakes are named with file, line and key", "[sim][workload]") {
  CHECK(problem_of("rate = \"1Gb/s\"\ncount = 3\n[switch]\nalpha = 0.5\n").empty());
  CHECK(problem_of("\nrate = \"0Gb/s\"") == "s.toml:2: key `rate`: must not be zero");
  CHECK(problem_of("rate = 5") == "s.toml:1: key `rate`: must be a text with a unit, like \"100Gb/s\"");
  CHECK(problem_of("count = 9") == "s.toml:1: key `count`: 9 is out of range (1 to 8)");
  CHECK(problem_of("count = -1") == "s.toml:1: key `count`: -1 is out of range (1 to 8)");
  CHECK(problem_of("count = \"2\"") == "s.toml:1: key `count`: must be a whole number");
  CHECK(problem_of("on = 1") == "s.toml:1: key `on`: must be true or false");
  CHECK(problem_of("name = 1") == "s.toml:1: key `name`: must be a text in quotes");
  CHECK(problem_of("switch = 1") == "s.toml:1: key `switch`: must be a table");
  CHECK(problem_of("[switch]\n\nalpha = 20") == "s.toml:3: key `switch.alpha`: 20 is out of range (1e-06 to 16)");
  CHECK(problem_of("[switch]\nalhpa = 1") == "s.toml:2: key `switch.alhpa`: is unknown here; did you mean `alpha`?");
  CHECK(problem_of("[swich]\nalpha = 1") == "s.toml:1: key `swich`: is unknown here; did you mean `switch`?");
  CHECK(problem_of("something = 1") == "s.toml:1: key `something`: is unknown here");
}

TEST_CASE("section: what is no TOML is named with its line", "[sim][workload]") {
  const std::string text = problem_of("rate = \"1Gb/s\"\ncount = = 3\n");
  CHECK(text.rfind("s.toml:2: ", 0) == 0);
}

TEST_CASE("section: --set replaces one value by its path", "[sim][workload]") {
  auto tree = parse_toml("[switch]\nalpha = 0.5\n[[workload]]\nload = 0.3\n", "s.toml");
  REQUIRE(tree);
  REQUIRE(set_value(*tree, "switch.alpha=0.25"));
  REQUIRE(set_value(*tree, "workload.0.load=0.8"));
  REQUIRE(set_value(*tree, "transport.congestion=dcqcn"));
  CHECK(tree->find("switch")->find("alpha")->text == "0.25");
  CHECK(tree->find("workload")->elements[0].find("load")->text == "0.8");
  CHECK(tree->find("transport")->find("congestion")->text == "dcqcn");
  CHECK_FALSE(set_value(*tree, "no equals sign"));
  CHECK_FALSE(set_value(*tree, "workload.1.load=0.8"));
  CHECK_FALSE(set_value(*tree, "switch.alpha.x=1"));
  Reading reading("s.toml");
  REQUIRE(set_value(*tree, "switch.alpha=99"));
  Section section(*tree->find("switch"), "switch", reading);
  std::uint64_t alpha = 0;
  section.decimal("alpha", alpha, 6, {0, 1});
  CHECK(reading.text().rfind("--set: key `switch.alpha`: 99 is out of range", 0) == 0);
}

TEST_CASE("section: numbers with an exponent are exact decimals", "[sim][workload]") {
  const auto tree = parse_toml("a = 1e-12\nb = 2.5e-7\nc = 1.5e3\nd = -1e-3\ne = 1e20\nf = inf\n", "s.toml");
  REQUIRE(tree);
  CHECK(tree->find("a")->text == "0.000000000001");
  CHECK(tree->find("b")->text == "0.00000025");
  CHECK(tree->find("c")->text == "1500");
  CHECK(tree->find("d")->text == "-0.001");
  CHECK(tree->find("e")->text == "100000000000000000000");
  Reading reading("s.toml");
  Section root(*tree, "", reading);
  std::uint64_t value = 0;
  root.decimal("f", value, 6);
  CHECK(reading.text() == "s.toml:6: key `f`: `inf` does not begin with a number");
}

TEST_CASE("section: the parameters in force include the defaults", "[sim][workload]") {
  const auto tree = parse_toml("alpha = 0.5", "s.toml");
  Reading reading("s.toml");
  Section root(*tree, "", reading);
  std::uint64_t alpha = 0, delay = 1'000'000;
  root.decimal("alpha", alpha, 6);
  root.time("delay", delay);
  const std::vector<std::pair<std::string, std::string>> expected = {{"alpha", "0.5"}, {"delay", "1000000ps"}};
  CHECK(reading.settings() == expected);
}

}  // namespace rocelab::sim
