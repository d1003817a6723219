// main() of `bm`: Google Benchmark's, which runs what the bm_*.cc files register (--benchmark_filter=, --help).
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
