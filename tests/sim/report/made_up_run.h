// A run that never was: a small leaf-spine fabric with flows, samples, spans and findings, drawn from a seed. Tests of
// the writer and of the page use it where a real run would only take longer.
#pragma once

#include <cstdint>
#include <string>

#include "sim/report/results.h"

namespace rocelab::sim {

struct MadeUpRun {
  std::uint64_t seed = 1;
  std::uint32_t leaves = 4;
  std::uint32_t spines = 2;
  std::uint32_t hosts_per_leaf = 4;
  std::uint64_t flows = 500;
  std::uint32_t samples = 50;    ///< instants
  std::uint64_t kmin_bytes = 0;  ///< a setting
  RunStatus status = RunStatus::kComplete;
};

/// Makes the results file; an empty text when all went well.
std::string write_made_up_run(const std::string& path, const MadeUpRun& run);

}  // namespace rocelab::sim
