// What the page draws, as JSON: each part in a file of its own (page_*.cc). Sums are made here and in SQL, and every
// list has a limit, so that a run of a million flows gives a page of the same size as one of a thousand. Times are
// picoseconds, sizes bytes, shares 0 to 1. Used by page.cc alone.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "sim/report/database.h"

namespace rocelab::sim {

inline constexpr std::size_t kBucketsMax = 18;       ///< flow sizes
inline constexpr std::size_t kCurvePointsMax = 300;  ///< of a distribution
inline constexpr std::size_t kTagsMax = 6;           ///< workloads with a curve of their own
inline constexpr std::size_t kDotsMax = 1500;        ///< flows drawn one by one
inline constexpr std::size_t kRowsMax = 300;         ///< of a table
inline constexpr std::size_t kSlowestMax = 25;       ///< flows of the table of the slowest
inline constexpr std::size_t kTimeBinsMax = 200;     ///< of a line over time
inline constexpr std::size_t kTopMax = 6;            ///< single queues or ports with a line of their own
inline constexpr std::size_t kBusiestMax = 40;       ///< links of the heat map over time
inline constexpr std::size_t kDrawnLinksMax = 2500;  ///< more are drawn in bundles
inline constexpr std::size_t kFramesMax = 60;        ///< instants of the topology's slider
inline constexpr std::size_t kFrameValuesMax = 150'000;
inline constexpr std::size_t kLanesMax = 64;  ///< of a timeline
inline constexpr std::size_t kTimelinesMax = 8;
inline constexpr std::size_t kBarsMax = 5000;  ///< of all timelines

struct PageNode {
  std::string name;
  bool is_switch = false;
  std::uint32_t tier = 0;
  std::uint32_t pod = 0;
  double x = 0;
  double y = 0;
};

/// "host3", "leaf1 port 4": names of places, by node id.
class PageNodes {
 public:
  static base::TextResult<PageNodes> read(Database& database);
  const PageNode* find(std::int64_t id) const;
  const std::unordered_map<std::int64_t, PageNode>& all() const { return nodes_; }
  std::string name(std::int64_t id) const;
  std::string name(std::int64_t id, std::int64_t port) const;

 private:
  std::unordered_map<std::int64_t, PageNode> nodes_;
};

struct PageFlow {
  std::int64_t id = 0;
  std::int64_t source = 0;
  std::int64_t destination = 0;
  std::int64_t bytes = 0;
  std::int64_t start_ps = 0;
  std::int64_t fct_ps = -1;         ///< negative: has none
  std::int64_t retransmitted = -1;  ///< negative: not counted by flow
  double slowdown = std::numeric_limits<double>::quiet_NaN();
  std::uint32_t tag = 0;
};

struct PageFlows {
  std::vector<PageFlow> all;
  std::vector<std::string> tags;
  std::int64_t failed = 0;
  std::int64_t unfinished = 0;
};

/// Bins of equal width over the run. None when nothing was sampled.
struct TimeBins {
  std::int64_t first_ps = 0;
  std::int64_t width_ps = 1;
  std::size_t count = 0;
  std::int64_t end_ps = 0;  ///< of the run: the last bin may reach over it
  std::size_t bin(std::int64_t at_ps) const;
};

base::TextResult<PageFlows> read_flows(Database& database);
/// Upper bounds of the size buckets, the same for all runs so that they compare.
std::vector<std::int64_t> size_bounds(const std::vector<PageFlows>& runs);
nlohmann::json flows_part(const PageFlows& flows, const std::vector<std::int64_t>& bounds, const PageNodes& nodes);

base::TextResult<TimeBins> time_bins(Database& database, const char* table, const char* column, std::size_t bins_max);
base::TextResult<nlohmann::json> queues_part(Database& database, const PageNodes& nodes);
base::TextResult<nlohmann::json> pauses_part(Database& database, const PageNodes& nodes);
base::TextResult<nlohmann::json> links_part(Database& database, const PageNodes& nodes);
base::TextResult<nlohmann::json> timelines_part(Database& database, const PageNodes& nodes);
base::TextResult<nlohmann::json> counters_part(Database& database, const PageNodes& nodes);
base::TextResult<nlohmann::json> findings_part(Database& database, const PageNodes& nodes);
/// The run's row, its settings and, when the file beside it is there, its cost.
base::TextResult<nlohmann::json> run_part(Database& database, const std::string& path);

/// Rounded to four significant digits: what a chart shows, at a third of the bytes.
double rounded(double value);
/// The value that a share of the sorted values does not exceed (nearest rank). `sorted` is not empty.
double quantile(const std::vector<double>& sorted, double share);

}  // namespace rocelab::sim
