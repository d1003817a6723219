// The soak's command line: runs seeds and says how to replay the ones that fail.
//   soak [--seed N] [--count M] [--seeds FILE] [--selective] [--xrc] [--twice] [--trace]
//        [--canary flip|stray|lose-completion]
// Kept seeds (FILE) run first. --trace prints each packet that is sent. Exit status 0: all promises kept; with
// --canary: the fault was noticed.
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/rxe/soak/scenario.h"

namespace {

using rocelab::test::soak::Canary;
using rocelab::test::soak::Outcome;

struct Arguments {
  std::uint64_t seed = 1;
  std::uint64_t count = 1;
  std::string seeds_file;
  bool twice = false;
  bool trace = false;
  bool selective = false;
  bool xrc = false;
  Canary canary = Canary::kNone;
};

bool parse_number(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--twice") {
      arguments.twice = true;
      continue;
    }
    if (option == "--selective") {
      arguments.selective = true;
      continue;
    }
    if (option == "--xrc") {
      arguments.xrc = true;
      continue;
    }
    if (option == "--trace") {
      arguments.trace = true;
      continue;
    }
    if (++i == argc) return false;
    const std::string_view value = argv[i];
    if (option == "--seed") {
      if (!parse_number(value, arguments.seed)) return false;
    } else if (option == "--count") {
      if (!parse_number(value, arguments.count)) return false;
    } else if (option == "--seeds") {
      arguments.seeds_file = value;
    } else if (option == "--canary") {
      if (value == "flip") arguments.canary = Canary::kFlip;
      if (value == "stray") arguments.canary = Canary::kStray;
      if (value == "lose-completion") arguments.canary = Canary::kLoseCompletion;
      if (arguments.canary == Canary::kNone) return false;
    } else {
      return false;
    }
  }
  return true;
}

/// Lines of FILE that begin with a digit; what follows the number says why it is kept.
bool read_seeds(const std::string& path, std::vector<std::uint64_t>& seeds) {
  std::ifstream file(path);
  if (!file) return false;
  for (std::string line; std::getline(file, line);) {
    std::uint64_t seed = 0;
    if (parse_number(std::string_view(line).substr(0, line.find(' ')), seed)) seeds.push_back(seed);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fprintf(
        stderr,
        "usage: %s [--seed N] [--count M] [--seeds FILE] [--selective] [--xrc] [--twice] [--trace] [--canary NAME]\n",
        argv[0]);
    return 2;
  }
  std::vector<std::uint64_t> seeds;
  if (!arguments.seeds_file.empty() && !read_seeds(arguments.seeds_file, seeds)) {
    std::fprintf(stderr, "cannot read %s\n", arguments.seeds_file.c_str());
    return 2;
  }
  for (std::uint64_t i = 0; i < arguments.count; ++i) seeds.push_back(arguments.seed + i);

  const rocelab::test::soak::Options options{
      .canary = arguments.canary, .trace = arguments.trace, .xrc = arguments.xrc, .selective = arguments.selective};
  Outcome total;
  std::uint64_t failures = 0, gave_up = 0;
  for (const std::uint64_t seed : seeds) {
    Outcome outcome = rocelab::test::soak::run_seed(seed, options);
    if (arguments.twice && outcome.failure.empty()) {
      if (rocelab::test::soak::run_seed(seed, options).digest != outcome.digest) {
        outcome.failure = "two runs of the same seed sent different packets";
      }
    }
    total.operations += outcome.operations;
    total.completions += outcome.completions;
    total.packets += outcome.packets;
    gave_up += outcome.gave_up.size();
    for (const std::string& text : outcome.gave_up) {
      std::printf("seed %llu gave up: %s\n", static_cast<unsigned long long>(seed), text.c_str());
    }
    if (outcome.failure.empty()) continue;
    ++failures;
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), outcome.failure.c_str());
    if (arguments.canary == Canary::kNone) {
      std::printf("replay: %s --seed %llu --count 1%s%s\n", argv[0], static_cast<unsigned long long>(seed),
                  arguments.selective ? " --selective" : "", arguments.xrc ? " --xrc" : "");
    }
    if (failures == 10) break;
  }
  std::printf("%zu seeds, %llu requests, %llu completions, %llu packets, %llu gave up, %llu failures\n", seeds.size(),
              static_cast<unsigned long long>(total.operations), static_cast<unsigned long long>(total.completions),
              static_cast<unsigned long long>(total.packets), static_cast<unsigned long long>(gave_up),
              static_cast<unsigned long long>(failures));
  if (arguments.canary != Canary::kNone) return failures != 0 ? 0 : 1;
  if (seeds.size() >= 100 && gave_up * 100 > seeds.size()) {
    std::printf("more than one seed in a hundred gave up: retries do not do their work\n");
    return 1;
  }
  return failures == 0 ? 0 : 1;
}
