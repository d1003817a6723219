// Cycles of the processor's time-stamp counter, which runs at the nominal frequency whatever the core does: the second
// unit of every micro-benchmark besides nanoseconds. Used by perf/bm_*.cc.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace rocelab::perf {

inline std::uint64_t read_cycles() {
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  std::uint64_t value;
  asm volatile("mrs %0, cntvct_el0" : "=r"(value));
  return value;
#else
  return 0;
#endif
}

/// Lives around a benchmark's loop; adds the column `cycles`, per iteration. `operations`: how many one iteration does.
class CountCycles {
 public:
  explicit CountCycles(benchmark::State& state, std::int64_t operations = 1)
      : state_(state), operations_(operations), start_(read_cycles()) {}
  CountCycles(const CountCycles&) = delete;
  CountCycles& operator=(const CountCycles&) = delete;
  ~CountCycles() {
    const auto total = static_cast<double>(read_cycles() - start_);
    const auto count = static_cast<double>(state_.iterations() * operations_);
    state_.counters["cycles"] = count > 0 ? total / count : 0;
  }

 private:
  benchmark::State& state_;
  std::int64_t operations_;
  std::uint64_t start_;
};

}  // namespace rocelab::perf
