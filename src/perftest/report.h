// What the benchmarks print: perftest's heading and columns, so that scripts which read those read these.
#pragma once

#include <cstdint>
#include <string>

#include "perftest/endpoint.h"
#include "perftest/options.h"

namespace rocelab::perftest {

struct BandwidthLine {
  std::uint64_t bytes = 0;
  std::uint64_t iterations = 0;
  double peak_bytes_per_s = 0;
  double average_bytes_per_s = 0;
  double messages_per_s = 0;
};

struct LatencyLine {
  std::uint64_t bytes = 0;
  std::uint64_t iterations = 0;
  double min_us = 0, max_us = 0, typical_us = 0, average_us = 0, deviation_us = 0, p99_us = 0, p999_us = 0;
};

std::string rule();
std::string heading(const Options& options, const Endpoint& end);
std::string to_line(const BandwidthLine& line);
std::string to_line(const LatencyLine& line);

}  // namespace rocelab::perftest
