// See benchmark.h. What one size takes is in bandwidth.cc and latency.cc, what is printed in report.cc.
#include "perftest/benchmark.h"

#include <algorithm>

#include "perftest/endpoint.h"
#include "perftest/measurement.h"
#include "perftest/report.h"

namespace rocelab::perftest {
namespace {

constexpr std::uint32_t kBandwidthBytes = 65'536, kLatencyBytes = 2, kAtomicBytes = 8;
constexpr std::uint32_t kBandwidthIterations = 5'000, kLatencyIterations = 1'000;
constexpr std::uint32_t kSmallest = 2, kLargest = 1u << 23;

Options with_defaults(Options options) {
  const bool bandwidth = options.measure == Measure::kBandwidth;
  if (options.bytes == 0) options.bytes = bandwidth ? kBandwidthBytes : kLatencyBytes;
  if (options.iterations == 0) options.iterations = bandwidth ? kBandwidthIterations : kLatencyIterations;
  if (options.verb == Verb::kAtomic) {
    options.bytes = kAtomicBytes;
    options.all_sizes = false;
  }
  options.tx_depth = std::min(options.tx_depth, options.iterations);
  if (options.verb == Verb::kRead || options.verb == Verb::kAtomic) {
    options.inline_bytes = 0;
    options.tx_depth = std::max(options.tx_depth, kReadsMax);
  }
  return options;
}

}  // namespace

std::string run(const Options& wanted, Role role, Surroundings& surroundings) {
  const Options options = with_defaults(wanted);
  Endpoint end;
  std::string problem = end.open(options, options.all_sizes ? kLargest : options.bytes);
  if (problem.empty()) problem = end.connect(options, surroundings);
  if (!problem.empty()) return problem;
  surroundings.print(heading(options, end));
  std::uint32_t bytes = options.all_sizes ? kSmallest : options.bytes;
  for (;;) {
    const bool good = options.measure == Measure::kBandwidth
                          ? measure_bandwidth(options, role, bytes, end, surroundings)
                          : measure_latency(options, role, bytes, end, surroundings);
    if (!good) return end.problem.empty() ? "the other end is gone" : end.problem;
    if (!options.all_sizes || bytes >= kLargest) break;
    bytes *= 2;
  }
  surroundings.print(rule());
  if (!end.meet(surroundings)) return "the other end is gone";
  return {};
}

bool parse_name(const std::string& name, Options& options) {
  const std::size_t line = name.rfind('_');
  if (line == std::string::npos) return false;
  const std::string verb = name.substr(0, line), measure = name.substr(line + 1);
  if (verb == "write") {
    options.verb = Verb::kWrite;
  } else if (verb == "read") {
    options.verb = Verb::kRead;
  } else if (verb == "send") {
    options.verb = Verb::kSend;
  } else if (verb == "atomic") {
    options.verb = Verb::kAtomic;
  } else {
    return false;
  }
  options.measure = measure == "bw" ? Measure::kBandwidth : Measure::kLatency;
  return measure == "bw" || measure == "lat";
}

std::string name_of(const Options& options) {
  constexpr const char* kVerbs[] = {"write", "read", "send", "atomic"};
  return std::string(kVerbs[static_cast<int>(options.verb)]) +
         (options.measure == Measure::kBandwidth ? "_bw" : "_lat");
}

}  // namespace rocelab::perftest
