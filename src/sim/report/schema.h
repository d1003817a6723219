// The tables of a results file, as SQL; docs/results.md explains them, and a test compares the two. Written by
// ResultsWriter, read by the report and the CSV export.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sim/report/database.h"

namespace rocelab::sim {

/// PRAGMA user_version. It grows when a reader of the older tables would go wrong; added tables and columns don't
/// count.
inline constexpr std::int64_t kSchemaVersion = 1;
/// PRAGMA application_id: "RcLb". Written last, so that a file without it was never finished.
inline constexpr std::int64_t kApplicationId = 0x52634c62;

/// CREATE TABLE and CREATE VIEW statements.
extern const char* const kSchema;

inline constexpr std::array<std::string_view, 11> kTables = {
    "run",          "setting",      "node",        "link",    "flow",    "span",
    "queue_sample", "pause_sample", "link_sample", "counter", "finding",
};
inline constexpr std::string_view kFlowTimeView = "flow_time";

/// Opens a results file to read, after checking that it is one, finished and of our schema; else a sentence with the
/// path.
base::TextResult<Database> open_results(const std::string& path);

}  // namespace rocelab::sim
