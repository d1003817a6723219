// The files of sizes/data inside the program: made into a .cc by embed.py, looked up by distribution.cc.
#pragma once

#include <span>
#include <string_view>

namespace rocelab::sim {

struct BuiltInDistribution {
  std::string_view name;
  std::string_view text;
};

std::span<const BuiltInDistribution> built_in_distribution_files();

}  // namespace rocelab::sim
