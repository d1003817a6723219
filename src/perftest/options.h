// What a benchmark is asked to do. Plain values; the defaults are perftest's.
#pragma once

#include <cstdint>
#include <string>

namespace rocelab::perftest {

enum class Verb : std::uint8_t { kWrite, kRead, kSend, kAtomic };
enum class Measure : std::uint8_t { kBandwidth, kLatency };

struct Options {
  Verb verb = Verb::kWrite;
  Measure measure = Measure::kBandwidth;
  std::string device;            ///< empty: the first
  std::uint32_t bytes = 0;       ///< of a message; 0: 65,536 for bandwidth, 2 for latency. Atomics have 8
  bool all_sizes = false;        ///< 2 bytes to 2^23, doubling
  std::uint32_t iterations = 0;  ///< 0: 5,000 for bandwidth, 1,000 for latency
  std::uint32_t tx_depth = 128;  ///< requests outstanding; READs and atomics 16 of them
  std::uint32_t mtu = 0;         ///< path MTU in bytes; 0: the port's
  std::uint8_t gid_index = 0;
  std::uint8_t service_level = 0;
  std::uint8_t traffic_class = 0;
  std::uint32_t inline_bytes = 0;  ///< messages up to this size go inline (latency); READs and atomics never do
};

/// "write_bw" and so on; false: there is no such benchmark.
bool parse_name(const std::string& name, Options& options);
std::string name_of(const Options& options);

}  // namespace rocelab::perftest
