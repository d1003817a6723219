// Repeating measurements in turn, printing the table, writing the CSV.
#include "perf/measure.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace rocelab::perf {

namespace {

int write_csv(const char* program, const std::vector<Measurement>& all, const Processors& processors,
              const std::string& path) {
  std::FILE* csv = std::fopen(path.c_str(), "w");
  if (csv == nullptr) {
    std::fprintf(stderr, "%s: cannot write %s: %s\n", program, path.c_str(), std::strerror(errno));
    return 1;
  }
  std::fprintf(csv, "name,median,unit,processors\n");
  for (const Measurement& m : all) {
    std::fprintf(csv, "%s,%.6g,%s,%d\n", m.name.c_str(), median(m.values), m.unit.c_str(), processors.shared ? 1 : 2);
  }
  return std::fclose(csv) == 0 ? 0 : 1;
}

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::size_t scaled(double count, double scale, std::size_t least) {
  return static_cast<std::size_t>(std::max(static_cast<double>(least), count * scale));
}

int run_measurements(const char* program, std::vector<Measurement> all, const Processors& processors,
                     const RunOptions& options) {
  std::erase_if(all, [&](const Measurement& m) { return m.name.find(options.only) == std::string::npos; });
  if (all.empty()) {
    std::fprintf(stderr, "%s: --only %s: no measurement has this in its name\n", program, options.only.c_str());
    return 2;
  }
  for (int r = 0; r < options.repetitions; ++r) {
    for (Measurement& m : all) {
      m.values.push_back(m.run());
      if (m.values.back() < 0) {
        std::fprintf(stderr, "%s: %s: the other process failed or the data is wrong\n", program, m.name.c_str());
        return 1;
      }
    }
  }
  if (options.silent) return 0;
  if (processors.shared) {
    std::printf("ONE PROCESSOR ONLY: two processes take turns on it; what two of them do measures the scheduler.\n");
  }
  std::printf("%-36s %10s %10s %10s  %s\n", program, "median", "min", "max", "unit");
  for (const Measurement& m : all) {
    const auto [low, high] = std::minmax_element(m.values.begin(), m.values.end());
    std::printf("%-36s %10.3f %10.3f %10.3f  %s\n", m.name.c_str(), median(m.values), *low, *high, m.unit.c_str());
  }
  return options.csv.empty() ? 0 : write_csv(program, all, processors, options.csv);
}

}  // namespace rocelab::perf
