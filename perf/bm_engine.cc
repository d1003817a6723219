// Micro-benchmarks of the engine: what each step of an exchange costs, in nanoseconds and cycles an operation. Two
// engines exchange batches of 32 messages as frames; one step of each batch is timed (manual time), the others run
// untimed around it. Argument: bytes of a message, one packet each.
//   post        post_send, 32 times
//   transmit    poll_transmit: requester, headers, payload copied into the frame, ICRC
//   arrive      ICRC and length checks, responder, payload copied to its place (SEND: into a posted receive)
//   ack         the responder's acknowledgement sent, decoded, and the requests retired
//   poll        poll_cq, an operation each (SEND: receive completions)
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "perf/cycles.h"
#include "perf/engine_pair.h"

namespace rocelab::perf {
namespace {

constexpr std::size_t kBatch = 32;

enum class Step { kPost, kTransmit, kArrive, kAck, kPoll };

/// Times one step of every batch: runs it, and adds its duration when it is the one that is asked for.
class StepTimer {
 public:
  StepTimer(benchmark::State& state, Step wanted) : state_(state), wanted_(wanted) {}

  template <class Work>
  void step(Step which, const Work& work) {
    if (which != wanted_) {
      work();
      return;
    }
    const auto begin = std::chrono::steady_clock::now();
    const std::uint64_t begin_cycles = read_cycles();
    work();
    cycles_ += read_cycles() - begin_cycles;
    state_.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  /// Adds the columns; Google Benchmark's own Time is that of a whole batch.
  void report() const {
    const double operations = static_cast<double>(state_.iterations()) * kBatch;
    state_.counters["cycles"] = operations > 0 ? static_cast<double>(cycles_) / operations : 0;
    state_.counters["time_an_operation"] =
        benchmark::Counter(operations, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  }

 private:
  benchmark::State& state_;
  Step wanted_;
  std::uint64_t cycles_ = 0;
};

/// Polls all completions; returns how many.
std::size_t drain(rxe::Device& device, rxe::CqId cq) {
  std::array<rxe::Completion, kBatch> completions;
  std::size_t total = 0;
  while (const std::size_t n = device.poll_cq(cq, completions)) total += n;
  return total;
}

void BM_engine(benchmark::State& state, rxe::SendOpcode opcode, Step wanted) {
  EnginePair pair;
  if (!pair.valid()) return state.SkipWithError("the engines do not connect");
  const auto length = static_cast<std::uint32_t>(state.range(0));
  const bool is_send = opcode == rxe::SendOpcode::kSend;
  StepTimer timer(state, wanted);
  bool good = true;
  for ([[maybe_unused]] auto _ : state) {
    pair.advance();
    for (std::size_t i = 0; is_send && i < kBatch; ++i) good = pair.b.post_receive() && good;
    timer.step(Step::kPost, [&] {
      for (std::size_t i = 0; i < kBatch; ++i) {
        const rxe::SendRequest request = pair.a.request(opcode, length, i + 1 == kBatch, pair.b);
        good = pair.a.device.post_send(pair.now, pair.a.qpn, request).has_value() && good;
      }
    });
    timer.step(Step::kTransmit, [&] { good = pair.transmit(pair.a) == kBatch && good; });
    timer.step(Step::kArrive, [&] { good = pair.deliver(pair.a, pair.b) && good; });
    timer.step(Step::kAck, [&] {
      pair.transmit(pair.b);
      good = pair.deliver(pair.b, pair.a) && good;
    });
    timer.step(Step::kPoll, [&] {
      good = drain(pair.a.device, pair.a.cq) == 1 && drain(pair.b.device, pair.b.cq) == (is_send ? kBatch : 0) && good;
    });
    if (!good) {
      state.SkipWithError("an exchange went wrong");
      break;
    }
  }
  timer.report();
}

void BM_poll_cq_empty(benchmark::State& state) {
  EnginePair pair;
  if (!pair.valid()) return state.SkipWithError("the engines do not connect");
  std::array<rxe::Completion, kBatch> completions;
  const CountCycles cycles(state);
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(pair.a.device.poll_cq(pair.a.cq, completions));
}

BENCHMARK(BM_poll_cq_empty);

#define ROCELAB_ENGINE_STEP(name, opcode, step) \
  BENCHMARK_CAPTURE(BM_engine, name, opcode, step)->Arg(8)->Arg(64)->Arg(4096)->UseManualTime()
ROCELAB_ENGINE_STEP(write_post, rxe::SendOpcode::kRdmaWrite, Step::kPost);
ROCELAB_ENGINE_STEP(write_transmit, rxe::SendOpcode::kRdmaWrite, Step::kTransmit);
ROCELAB_ENGINE_STEP(write_arrive, rxe::SendOpcode::kRdmaWrite, Step::kArrive);
ROCELAB_ENGINE_STEP(write_ack, rxe::SendOpcode::kRdmaWrite, Step::kAck);
ROCELAB_ENGINE_STEP(send_post, rxe::SendOpcode::kSend, Step::kPost);
ROCELAB_ENGINE_STEP(send_transmit, rxe::SendOpcode::kSend, Step::kTransmit);
ROCELAB_ENGINE_STEP(send_arrive, rxe::SendOpcode::kSend, Step::kArrive);
ROCELAB_ENGINE_STEP(send_ack, rxe::SendOpcode::kSend, Step::kAck);
ROCELAB_ENGINE_STEP(send_poll, rxe::SendOpcode::kSend, Step::kPoll);
#undef ROCELAB_ENGINE_STEP

}  // namespace
}  // namespace rocelab::perf
