// docs/scenario.md names every key that scenarios have; damaged scenarios never crash the reader.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/rng.h"
#include "sim/workload/run/experiment.h"
#include "sim/workload/scenario/scenario.h"
#include "tests/support/catch.h"

namespace rocelab::sim {

namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::filesystem::path root() {
  const char* folder = std::getenv("ROCELAB_SOURCE_ROOT");
  REQUIRE(folder != nullptr);
  return folder;
}

/// The last part of "workload[0].load", without the number of a list.
std::string last_part(const std::string& key) { return key.substr(key.rfind('.') + 1); }

}  // namespace

TEST_CASE("scenario: docs/scenario.md has every key", "[sim][workload]") {
  const std::string page = text_of(root() / "docs" / "scenario.md");
  REQUIRE(!page.empty());
  std::set<std::string> keys;
  const auto collect = [&](const std::string& text) {
    const auto scenario = parse_scenario(text, "s.toml", {});
    INFO(text << (scenario ? "" : scenario.error()));
    REQUIRE(scenario);
    for (const auto& setting : (*scenario)->settings) keys.insert(last_part(setting.first));
  };
  for (const char* kind :
       {"single_switch", "dumbbell", "leaf_spine", "fat_tree", "rail_pods", "dragonfly_plus", "torus"}) {
    collect(std::string("[topology]\nkind = \"") + kind + "\"\n");
  }
  const std::string small = "[topology]\nkind = \"single_switch\"\nhosts = 4\n";
  for (const char* workload : {"kind = \"poisson\"", "kind = \"permutation\"", "kind = \"all_to_all\"",
                               "kind = \"incast\"\ndestinations = [\"host0\"]", "kind = \"training\"\ndata = 2",
                               "kind = \"collective\"\noperation = \"all_reduce\""}) {
    collect(small + "[[workload]]\n" + workload + "\n");
  }
  collect(small + "[[fault]]\nkind = \"link_down\"\nlink = [\"host0\", \"switch0\"]\nat = \"1us\"\n");
  CHECK(keys.size() > 100);
  for (const std::string& key : keys) {
    INFO(key);
    const bool named = page.find("`" + key + "`") != std::string::npos ||
                       page.find("`" + key + " ") != std::string::npos ||
                       page.find("." + key + "`") != std::string::npos;
    CHECK(named);
  }
}

TEST_CASE("scenario: damaged files are refused or run, and never crash", "[sim][workload]") {
  std::vector<std::string> texts;
  for (const auto& entry : std::filesystem::directory_iterator(root() / "examples" / "sim")) {
    if (entry.path().extension() == ".toml") texts.push_back(text_of(entry.path()));
  }
  REQUIRE(texts.size() > 5);
  std::sort(texts.begin(), texts.end());
  base::Rng rng(1, "damaged scenarios");
  unsigned refused = 0;
  constexpr unsigned kTries = 600;
  for (unsigned i = 0; i < kTries; ++i) {
    std::string text = texts[rng.below(texts.size())];
    for (std::uint64_t changes = 1 + rng.below(3); changes > 0; --changes) {
      const std::size_t at = rng.below(text.size());
      switch (rng.below(4)) {
        case 0:
          text[at] = static_cast<char>(rng.below(256));
          break;
        case 1:
          text.erase(at, 1 + rng.below(8));
          break;
        case 2:
          text.insert(at, 1, "0-.[]\"\n="[rng.below(8)]);
          break;
        default:
          text.insert(at, text.substr(rng.below(text.size()), rng.below(40)));
          break;
      }
    }
    // Longer than a moment is not wanted here.
    const auto scenario = parse_scenario(text, "s.toml", {{"limits.until=1ns"}});
    if (scenario) continue;
    ++refused;
    INFO(text);
    CHECK(!scenario.error().empty());
  }
  CHECK(refused > kTries / 4);
}

}  // namespace rocelab::sim
