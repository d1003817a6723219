// `rocelab report`: one HTML page of one or two runs, with everything that it needs inside (charts, script, styles,
// data). Called by src/cli. The page reads a summary that is computed here, so its size does not grow with the number
// of flows or links.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace rocelab::sim {

inline constexpr std::size_t kPageRunsMax = 2;

/// Reads one or two results files and writes the page to `output`. The sentence of a failure names the file.
base::TextResult<void> write_page(const std::vector<std::string>& results, const std::string& output,
                                  const std::string& version);

}  // namespace rocelab::sim
