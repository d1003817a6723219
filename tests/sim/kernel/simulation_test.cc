// The loop itself: order of events, ties, timers, the ways in which a run ends.
#include "sim/kernel/simulation.h"

#include <vector>

#include "tests/support/catch.h"

namespace rocelab::sim {
namespace {

TimePoint at_ns(std::uint64_t ns) { return TimePoint::from_ns(ns); }
const TimePoint kForever = TimePoint::from_ps(kNever);

/// Writes down what it is told; kind 1 schedules three more, kind 2 sets a timer and cancels it, kind 3 stops the run,
/// kind 4 goes on for ever.
class Recorder final : public Node {
 public:
  void handle_event(Context& context, const Event& event) override {
    seen.push_back(event);
    CHECK(context.now().count_ps() == event.time_ps);
    if (event.kind == 1) {
      context.schedule(context.now(), id(), 10, 1, 0);
      context.schedule(context.now() + Duration::ns(5), id(), 11, 2, 0);
      context.schedule(context.now(), id(), 12, 3, 0);
    } else if (event.kind == 2) {
      const TimerHandle timer = context.schedule_timer(context.now() + Duration::ns(1), 20, 0, 77);
      const TimerHandle kept = context.schedule_timer(context.now() + Duration::ns(2), 21, 0, 78);
      CHECK(context.cancel(timer));
      CHECK_FALSE(context.cancel(timer));
      last_timer = kept;
    } else if (event.kind == 3) {
      context.request_stop();
    } else if (event.kind == 4) {
      context.schedule(context.now() + Duration::us(1), id(), 4, 0, 0);
    } else if (event.kind == 21) {
      CHECK_FALSE(context.cancel(last_timer));
    }
  }
  std::vector<Event> seen;
  TimerHandle last_timer;
};

TEST_CASE("kernel: events come by time, ties in the order of creation", "[sim][kernel]") {
  Recorder a;
  Simulation simulation;
  const NodeId id = simulation.add(a);
  simulation.schedule_initial(at_ns(7), id, 5, 0, 1);
  simulation.schedule_initial(at_ns(3), id, 1, 0, 2);
  simulation.schedule_initial(at_ns(7), id, 6, 0, 3);
  const RunOutcome outcome = simulation.run(kForever, {});
  CHECK(outcome.end == RunEnd::kDrained);
  CHECK(outcome.events == 6);
  CHECK(outcome.now == at_ns(8));
  std::vector<int> kinds;
  for (const Event& event : a.seen) kinds.push_back(event.kind);
  CHECK(kinds == std::vector<int>{1, 10, 12, 5, 6, 11});
}

TEST_CASE("kernel: a cancelled timer does not happen, and its handle is dead afterwards", "[sim][kernel]") {
  Recorder a;
  Simulation simulation;
  simulation.schedule_initial(at_ns(1), simulation.add(a), 2, 0, 0);
  CHECK(simulation.run(kForever, {}).events == 2);
  REQUIRE(a.seen.size() == 2);
  CHECK(a.seen[1].kind == 21);
  CHECK(a.seen[1].argument == 78);
  CHECK(a.seen[1].target == a.id());
}

TEST_CASE("kernel: a run ends at `until`, that moment included, and goes on from there", "[sim][kernel]") {
  Recorder a;
  Simulation simulation;
  simulation.schedule_initial(at_ns(0), simulation.add(a), 4, 0, 0);
  CHECK(simulation.run(at_ns(5000), {}).end == RunEnd::kUntil);
  CHECK(a.seen.size() == 6);
  simulation.schedule_initial(at_ns(5500), a.id(), 5, 0, 0);
  const RunOutcome outcome = simulation.run(at_ns(7000), {});
  CHECK(outcome.events == 9);
  CHECK(outcome.now == at_ns(7000));
}

TEST_CASE("kernel: a node that asks for the end gets it kStopDelayPs later", "[sim][kernel]") {
  Recorder a;
  Simulation simulation;
  const NodeId id = simulation.add(a);
  simulation.schedule_initial(at_ns(0), id, 4, 0, 0);
  simulation.schedule_initial(at_ns(2500), id, 3, 0, 0);
  const RunOutcome outcome = simulation.run(kForever, {});
  CHECK(outcome.end == RunEnd::kRequested);
  CHECK(outcome.now == at_ns(12000));
}

class StopAfter final : public Monitor {
 public:
  explicit StopAfter(int calls) : left_(calls) {}
  bool on_progress(const Progress& progress) override {
    last = progress;
    return --left_ > 0;
  }
  Progress last;

 private:
  int left_;
};

TEST_CASE("kernel: the monitor is asked now and then and may stop the run", "[sim][kernel]") {
  Recorder a;
  Simulation simulation;
  simulation.schedule_initial(at_ns(0), simulation.add(a), 4, 0, 0);
  StopAfter monitor(2);
  RunOptions options;
  options.monitor = &monitor;
  const RunOutcome outcome = simulation.run(kForever, options);
  CHECK(outcome.end == RunEnd::kStopped);
  CHECK(monitor.last.events == 2 * kEventsBetweenReports);
  CHECK(outcome.events == 2 * kEventsBetweenReports);
}

}  // namespace
}  // namespace rocelab::sim
