// Micro-benchmarks of the verbs library in one process: a queue pair connected to itself, so that every packet goes
// through the device's loopback port as bytes. What a post and a poll cost an application, ABI and lock included. A
// program of its own because it must run under `rocelab run`.
#include <benchmark/benchmark.h>
#include <infiniband/verbs.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>

#include "perf/cycles.h"
#include "perf/pair.h"
#include "perf/verbs_end.h"

namespace rocelab::perf {
namespace {

constexpr std::uint32_t kBatch = 32;

/// Opened once: the first benchmark that asks pays for it.
VerbsEnd* loopback_end() {
  static VerbsEnd end;
  static const bool open = [] {
    int ends[2];
    if (pipe(ends) != 0) return false;
    Channel channel(ends[0], ends[1]);
    EndOptions options;
    options.buffer_bytes = 1u << 20;
    const std::string problem = end.open(options, channel);
    if (!problem.empty()) std::fprintf(stderr, "bm_verbs: %s\n", problem.c_str());
    return problem.empty();
  }();
  return open ? &end : nullptr;
}

/// One signalled request and its completion.
void BM_verbs_post_and_poll(benchmark::State& state, ibv_wr_opcode opcode) {
  VerbsEnd* end = loopback_end();
  if (end == nullptr) return state.SkipWithError("no connection");
  ibv_sge sge;
  ibv_send_wr wr;
  const CountCycles cycles(state);
  for ([[maybe_unused]] auto _ : state) {
    const std::uint64_t before = end->sent;
    end->fill(wr, sge, opcode, 0, static_cast<std::size_t>(state.range(0)), true);
    bool good = end->post(0, wr);
    while (good && end->sent == before) good = end->poll();
    if (!good) return state.SkipWithError("a request failed");
  }
}
BENCHMARK_CAPTURE(BM_verbs_post_and_poll, write, IBV_WR_RDMA_WRITE)->Arg(8)->Arg(64)->Arg(4096)->Arg(65536);
BENCHMARK_CAPTURE(BM_verbs_post_and_poll, read, IBV_WR_RDMA_READ)->Arg(8)->Arg(4096)->Arg(65536);

/// A list of requests, the last one signalled, and its completion; per request.
void BM_verbs_post_batch(benchmark::State& state) {
  VerbsEnd* end = loopback_end();
  if (end == nullptr) return state.SkipWithError("no connection");
  std::array<ibv_sge, kBatch> sges;
  std::array<ibv_send_wr, kBatch> list;
  const CountCycles cycles(state, kBatch);
  for ([[maybe_unused]] auto _ : state) {
    const std::uint64_t before = end->sent;
    for (std::uint32_t i = 0; i < kBatch; ++i) {
      end->fill(list[i], sges[i], IBV_WR_RDMA_WRITE, 0, static_cast<std::size_t>(state.range(0)), i + 1 == kBatch);
      list[i].next = i + 1 < kBatch ? &list[i + 1] : nullptr;
    }
    bool good = end->post(0, list[0]);
    while (good && end->sent == before) good = end->poll();
    if (!good) return state.SkipWithError("a request failed");
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK(BM_verbs_post_batch)->Arg(64)->Arg(4096);

void BM_verbs_poll_cq_empty(benchmark::State& state) {
  VerbsEnd* end = loopback_end();
  if (end == nullptr) return state.SkipWithError("no connection");
  const CountCycles cycles(state);
  for ([[maybe_unused]] auto _ : state) {
    if (!end->poll()) return state.SkipWithError("poll failed");
  }
}
BENCHMARK(BM_verbs_poll_cq_empty);

}  // namespace
}  // namespace rocelab::perf

BENCHMARK_MAIN();
