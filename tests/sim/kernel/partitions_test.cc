// One partition or several, one after the other, on threads or exchanging bytes: the same events, whatever the graph.
#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "sim/parallel/thread_executor.h"
#include "tests/sim/kernel/phold.h"
#include "tests/support/catch.h"

namespace rocelab::sim {
namespace {

using test::difference;
using test::Phold;
using test::PholdShape;

/// What ranks without shared memory would do: mail travels as bytes, reports are gathered, nothing else is shared.
class MessageExecutor final : public Executor {
 public:
  void run(std::span<const std::unique_ptr<Partition>> partitions, RoundControl& control) override {
    const std::size_t n = partitions.size();
    std::vector<Report> reports;
    for (const auto& partition : partitions) reports.push_back(report_of(*partition, 0));
    std::vector<std::vector<std::byte>> messages(n * n);  // from * n + to
    for (Round round = control.next(reports); !round.finished; round = control.next(reports)) {
      for (unsigned to = 0; to < n; ++to) {
        for (unsigned from = 0; from < n; ++from) partitions[to]->receive(unpack(messages[from * n + to]));
        partitions[to]->run_window(round.limit_ps, round.events_max, round.parity);
      }
      for (unsigned from = 0; from < n; ++from) {
        for (unsigned to = 0; to < n; ++to) {
          messages[from * n + to] = pack(partitions[from]->outgoing(to, round.parity));
        }
        reports[from] = report_of(*partitions[from], round.parity);
      }
    }
  }

 private:
  static std::vector<std::byte> pack(std::span<const Event> events) {
    std::vector<std::byte> bytes(events.size_bytes());
    if (!events.empty()) std::memcpy(bytes.data(), events.data(), bytes.size());
    return bytes;
  }
  static std::vector<Event> unpack(const std::vector<std::byte>& bytes) {
    std::vector<Event> events(bytes.size() / sizeof(Event));
    if (!events.empty()) std::memcpy(events.data(), bytes.data(), bytes.size());
    return events;
  }
};

const PholdShape kShapes[] = {
    {},
    {.nodes = 6, .jobs = 200, .hops = 40, .leaves = 30},
    {.nodes = 60, .jobs = 20, .hops = 100, .leaves = 10, .latency_ps = 100},
    {.nodes = 40, .jobs = 30, .hops = 300, .latency_ps = 2'000'000, .chain = true},
    {.nodes = 30, .jobs = 50, .hops = 40'000, .latency_ps = 300, .stops = true},
    {.nodes = 2, .jobs = 5, .hops = 30},
};

TEST_CASE("partitions: the events are the same on 1, 2, 3 and 4 of them, by every executor", "[sim][kernel]") {
  for (const PholdShape& shape : kShapes) {
    const std::uint64_t seeds = shape.stops ? 1 : 5;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      INFO("nodes " << shape.nodes << ", seed " << seed);
      Phold alone(shape, seed);
      const RunOutcome expected = alone.run(1, nullptr);
      const auto traces = alone.traces();
      CHECK(expected.end == (shape.stops ? RunEnd::kRequested : RunEnd::kDrained));
      for (unsigned partitions = 2; partitions <= 4; ++partitions) {
        SerialExecutor serial;
        ThreadExecutor threads;
        MessageExecutor messages;
        for (Executor* executor : std::initializer_list<Executor*>{&serial, &threads, &messages}) {
          if (executor == &threads && seed > 2) continue;  // slow where processors are busy
          Phold other(shape, seed);
          const RunOutcome outcome = other.run(partitions, executor);
          REQUIRE(difference(traces, other.traces()) == "");
          REQUIRE(outcome.events == expected.events);
          REQUIRE(outcome.now == expected.now);
          REQUIRE(outcome.end == expected.end);
          REQUIRE(other.simulation().partitions() == std::min(partitions, shape.nodes));
        }
      }
    }
  }
}

TEST_CASE("partitions: a run in pieces is the run in one", "[sim][kernel]") {
  const PholdShape shape{.nodes = 25, .jobs = 40, .hops = 200, .leaves = 5};
  Phold whole(shape, 5);
  const RunOutcome expected = whole.run(1, nullptr);
  for (unsigned partitions = 1; partitions <= 3; ++partitions) {
    ThreadExecutor threads;
    Phold pieces(shape, 5);
    RunOutcome outcome;
    for (std::uint64_t until = 0; until < expected.now.count_ps() + 7'777; until += 7'777) {
      outcome = pieces.run(partitions, &threads, TimePoint::from_ps(until));
    }
    CHECK(difference(whole.traces(), pieces.traces()) == "");
    CHECK(outcome.events == expected.events);
    CHECK(outcome.end == RunEnd::kDrained);
  }
}

class StopAtOnce final : public Monitor {
 public:
  bool on_progress(const Progress&) override {
    ++calls;
    return false;
  }
  unsigned calls = 0;
};

TEST_CASE("partitions: the monitor ends a run on threads too", "[sim][kernel]") {
  const PholdShape shape{.nodes = 30, .jobs = 50, .hops = 40'000, .latency_ps = 300};
  Phold phold(shape, 1);
  ThreadExecutor threads;
  StopAtOnce monitor;
  const RunOutcome outcome = phold.simulation().run(TimePoint::from_ps(kNever), {2, &threads, &monitor});
  CHECK(outcome.end == RunEnd::kStopped);
  CHECK(monitor.calls == 1);
  CHECK(outcome.events >= kEventsBetweenReports);
  CHECK(outcome.events < 50u * 40'000u);
  // And it can go on.
  CHECK(phold.simulation().run(TimePoint::from_ps(kNever), {2, &threads, nullptr}).end == RunEnd::kDrained);
}

}  // namespace
}  // namespace rocelab::sim
