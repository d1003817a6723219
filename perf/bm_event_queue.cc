// The simulator's event queue beside others, by the hold model: with a number of events pending, pop the earliest and
// schedule another one some time after it. Argument: events pending. `items_per_second` is schedule+pop per second.
//   BM_event_queue_hold/QUEUE/INCREMENT/pending
// Increments: `packets` (the delays of a fabric: serialisation and link, a few fixed values, with many ties), `uniform`
// (0 to 2 us), `exponential`, `bimodal` (nine in ten short, one in ten a thousand times longer), `near` (mostly within
// the span being handed out). BM_event_queue_timers sets and cancels a timer with each event, as an engine does.
#include <benchmark/benchmark.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "perf/other_queues.h"
#include "sim/kernel/event_queue.h"

namespace rocelab::perf {
namespace {

using sim::Event;

enum class Increment { kPackets, kUniform, kExponential, kBimodal, kNear };

/// Increments are drawn before the clock runs.
std::vector<std::uint64_t> increments(Increment kind) {
  constexpr std::uint64_t kDelays[] = {83'840, 1'000'000, 1'083'840, 1'006'720, 166'400, 6'720, 83'840, 1'083'840};
  base::Rng rng(7, "increments");
  std::vector<std::uint64_t> out(1 << 16);
  for (std::uint64_t& x : out) {
    switch (kind) {
      case Increment::kPackets:
        x = kDelays[rng.below(8)];
        break;
      case Increment::kUniform:
        x = rng.below(2'000'000);
        break;
      case Increment::kExponential:
        x = static_cast<std::uint64_t>(-1e6 * std::log(1.0 - static_cast<double>(rng.below(1 << 30)) / (1 << 30)));
        break;
      case Increment::kBimodal:
        x = rng.below(10) == 0 ? rng.below(1'000'000'000) : rng.below(1'000'000);
        break;
      case Increment::kNear:
        x = rng.below(8) == 0 ? rng.below(1'000'000) : rng.below(200);
        break;
    }
  }
  return out;
}

template <class Queue, Increment kIncrement>
void BM_event_queue_hold(benchmark::State& state) {
  const std::vector<std::uint64_t> delays = increments(kIncrement);
  const auto pending = static_cast<std::uint64_t>(state.range(0));
  Queue queue;
  std::uint64_t order = 0;
  for (; order < pending; ++order) {
    queue.push(Event{delays[order % delays.size()], order, order, 0, 0, 0});
  }
  const auto hold = [&](std::uint64_t times) {
    for (std::uint64_t i = 0; i < times; ++i) {
      Event event = *queue.pop(~std::uint64_t{0} - 1);
      event.time_ps += delays[order & (delays.size() - 1)];
      event.order = ++order;
      queue.push(event);
    }
  };
  hold(pending * 4);
  for (auto _ : state) hold(1024);
  state.SetItemsProcessed(state.iterations() * 1024);
}

template <class Queue>
void BM_event_queue_timers(benchmark::State& state) {
  const std::vector<std::uint64_t> delays = increments(Increment::kPackets);
  const auto pending = static_cast<std::uint64_t>(state.range(0));
  constexpr std::uint64_t kTimeout = 100'000'000;
  Queue queue;
  std::uint64_t order = 0;
  std::vector<sim::TimerHandle> timers(pending);
  for (; order < pending; ++order) {
    queue.push(Event{delays[order % delays.size()], order, order, 0, 0, 0});
    timers[order] = queue.push_timer(Event{kTimeout, order | std::uint64_t{1} << 40, order, 0, 1, 0});
  }
  const auto hold = [&](std::uint64_t times) {
    for (std::uint64_t i = 0; i < times; ++i) {
      Event event = *queue.pop(~std::uint64_t{0} - 1);
      const std::uint64_t now = event.time_ps;
      const std::uint64_t owner = event.argument;
      if (event.kind == 0) {
        queue.cancel(timers[owner]);
        event.time_ps = now + delays[order & (delays.size() - 1)];
        event.order = ++order;
        queue.push(event);
      }
      timers[owner] = queue.push_timer(Event{now + kTimeout, ++order, owner, 0, 1, 0});
    }
  };
  hold(pending * 4);
  for (auto _ : state) hold(1024);
  state.SetItemsProcessed(state.iterations() * 1024);
}

using Wheels = sim::EventQueue;

#define ROCELAB_HOLD(increment)                                                                            \
  BENCHMARK_TEMPLATE(BM_event_queue_hold, Wheels, increment)->Arg(1000)->Arg(100'000)->Arg(1'000'000);     \
  BENCHMARK_TEMPLATE(BM_event_queue_hold, FourHeap, increment)->Arg(1000)->Arg(100'000)->Arg(1'000'000);   \
  BENCHMARK_TEMPLATE(BM_event_queue_hold, BinaryHeap, increment)->Arg(1000)->Arg(100'000)->Arg(1'000'000); \
  BENCHMARK_TEMPLATE(BM_event_queue_hold, CalendarQueue, increment)->Arg(1000)->Arg(100'000)->Arg(1'000'000)
ROCELAB_HOLD(Increment::kPackets);
ROCELAB_HOLD(Increment::kUniform);
ROCELAB_HOLD(Increment::kExponential);
ROCELAB_HOLD(Increment::kBimodal);
ROCELAB_HOLD(Increment::kNear);
BENCHMARK_TEMPLATE(BM_event_queue_timers, Wheels)->Arg(1000)->Arg(100'000)->Arg(1'000'000);

}  // namespace
}  // namespace rocelab::perf
