// cm_soak --seed N --count N [--forge] [--twice]: scenarios by seed; says which one went wrong. --twice: each runs two
// times and must do the same. It also demands that together they reached what there is to reach.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/cm/scenario/random_chooser.h"

using namespace rocelab::test;

namespace {

constexpr std::uint32_t kChoices = 4000;

std::uint64_t number(const char* text) {
  std::uint64_t value = 0;
  const auto end = text + std::strlen(text);
  if (std::from_chars(text, end, value).ptr != end) std::fprintf(stderr, "not a number: %s\n", text), std::exit(2);
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seed = 1, count = 100;
  bool twice = false;
  ScenarioOptions options;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--forge") == 0) {
      options.forges = true;
    } else if (std::strcmp(argv[i], "--twice") == 0) {
      twice = true;
    } else if (i + 1 < argc && std::strcmp(argv[i], "--seed") == 0) {
      seed = number(argv[++i]);
    } else if (i + 1 < argc && std::strcmp(argv[i], "--count") == 0) {
      count = number(argv[++i]);
    } else {
      return std::fprintf(stderr, "usage: cm_soak --seed N --count N [--forge] [--twice]\n"), 2;
    }
  }
  Scenario::Reached all;
  for (std::uint64_t i = seed; i < seed + count; ++i) {
    try {
      RandomChooser chooser(i, kChoices);
      Scenario scenario(chooser, options);
      const std::uint64_t digest = scenario.run();
      const auto& reached = scenario.reached();
      all.established += reached.established;
      all.resolved += reached.resolved;
      all.refused += reached.refused;
      all.deaths += reached.deaths;
      all.timeouts += reached.timeouts;
      if (!twice) continue;
      RandomChooser again(i, kChoices);
      if (Scenario(again, options).run() != digest) throw Violation("the same seed does the same");
    } catch (const Violation& violation) {
      std::printf("seed %llu: does not hold: %s\n", static_cast<unsigned long long>(i), violation.what());
      return 1;
    }
  }
  const auto shown = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  std::printf("%llu seeds: %llu established, %llu resolved, %llu refused, %llu timeouts, %llu deaths\n", shown(count),
              shown(all.established), shown(all.resolved), shown(all.refused), shown(all.timeouts), shown(all.deaths));
  const bool reached_all = all.established && all.resolved && all.refused && all.timeouts && all.deaths;
  if (!reached_all && count >= 20) return std::puts("something was never reached"), 1;
  return 0;
}
