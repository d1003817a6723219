// See distribution.h. The built-in ones are the files of sizes/data, made into built_in_data.cc by the build.
#include "sim/workload/sizes/distribution.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/workload/quantities.h"
#include "sim/workload/sizes/built_in.h"

namespace rocelab::sim {

namespace {

__extension__ using Wide = unsigned __int128;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

}  // namespace

base::TextResult<SizeDistribution> SizeDistribution::parse(std::string_view text, const std::string& file) {
  SizeDistribution out;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    line = trimmed(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const std::size_t space = line.find_first_of(" \t");
    if (space == std::string_view::npos) {
      return base::fail_text(fmt::format("{}:{}: `{}` is not \"BYTES PERCENT\"", file, number, line));
    }
    const auto bytes = parse_decimal(line.substr(0, space), 0);
    const auto share = parse_decimal(trimmed(line.substr(space)), 6);
    if (!bytes) return base::fail_text(fmt::format("{}:{}: {}", file, number, bytes.error()));
    if (!share) return base::fail_text(fmt::format("{}:{}: {}", file, number, share.error()));
    if (!out.points_.empty() && (*bytes <= out.points_.back().bytes || *share < out.points_.back().share)) {
      return base::fail_text(fmt::format("{}:{}: sizes and percentages must rise", file, number));
    }
    if (*share > kOne)
      return base::fail_text(
          fmt::format("{}:{}: `{}` percent are more than 100", file, number, trimmed(line.substr(space))));
    out.points_.push_back({*bytes, *share});
  }
  if (out.points_.size() < 2 || out.points_.front().share != 0 || out.points_.back().share != kOne) {
    return base::fail_text(
        fmt::format("{}:{}: the percentages must go from 0 to 100", file, std::max<std::size_t>(number, 1)));
  }
  if (out.mean() == 0) return base::fail_text(fmt::format("{}:{}: the mean size is less than a byte", file, number));
  return out;
}

base::TextResult<SizeDistribution> SizeDistribution::built_in(std::string_view name) {
  for (const BuiltInDistribution& entry : built_in_distribution_files()) {
    if (entry.name == name) return parse(entry.text, std::string(name));
  }
  return base::fail_text(fmt::format("`{}` is not one of the built-in distributions: {}", name,
                                     fmt::join(built_in_distributions(), ", ")));
}

SizeDistribution SizeDistribution::constant(std::uint64_t bytes) {
  SizeDistribution out;
  out.points_ = {{bytes, 0}, {bytes, kOne}};
  return out;
}

std::uint64_t SizeDistribution::draw(base::Rng& rng) const {
  // 32 bits below the grain of the table, so that sizes between two points are even.
  const std::uint64_t drawn = rng.below(kOne << 32);
  const auto above = std::upper_bound(points_.begin() + 1, points_.end() - 1, drawn,
                                      [](std::uint64_t value, const Point& p) { return value < p.share << 32; });
  const Point& to = *above;
  const Point& from = *(above - 1);
  const std::uint64_t span = (to.share - from.share) << 32;
  const std::uint64_t bytes =
      span == 0
          ? to.bytes
          : from.bytes + static_cast<std::uint64_t>(Wide{to.bytes - from.bytes} * (drawn - (from.share << 32)) / span);
  return std::max<std::uint64_t>(bytes, 1);
}

std::uint64_t SizeDistribution::mean() const {
  Wide twice = 0;
  for (std::size_t i = 1; i < points_.size(); ++i) {
    twice += Wide{points_[i].bytes + points_[i - 1].bytes} * (points_[i].share - points_[i - 1].share);
  }
  return static_cast<std::uint64_t>(twice / (2 * Wide{kOne}));
}

std::vector<std::string_view> built_in_distributions() {
  std::vector<std::string_view> names;
  for (const BuiltInDistribution& entry : built_in_distribution_files()) names.push_back(entry.name);
  return names;
}

}  // namespace rocelab::sim
