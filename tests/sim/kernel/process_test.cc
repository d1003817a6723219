// Simulated processes in a node: sleeping, waiting with and without a deadline, barriers, early ends.
#include "sim/kernel/process.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/kernel/simulation.h"
#include "tests/support/catch.h"

namespace rocelab::sim {
namespace {

constexpr std::uint16_t kStart = 1;
constexpr std::uint16_t kWake = 2;
constexpr std::uint16_t kNotify = 3;

class Computer final : public Node {
 public:
  explicit Computer(FiberStacks& stacks) : stacks_(stacks) {}
  void handle_event(Context& context, const Event& event) override {
    if (event.kind == kStart) {
      processes_[event.port]->start(context);
    } else if (event.kind == kWake) {
      processes_[event.port]->handle_wake(context, event);
    } else {
      event.argument == 0 ? condition.notify_all(context) : condition.notify_one(context);
    }
  }
  void add(Process::Body body) {
    const ProcessOptions options{kWake, static_cast<std::uint16_t>(processes_.size())};
    processes_.push_back(std::make_unique<Process>(stacks_, options, std::move(body)));
  }
  Process& process(std::size_t index) { return *processes_[index]; }
  Condition condition;

 private:
  FiberStacks& stacks_;
  std::vector<std::unique_ptr<Process>> processes_;
};

class World {
 public:
  World() : computer(stacks_) { simulation_.add(computer); }
  void start(Process::Body body) {
    computer.add(std::move(body));
    simulation_.schedule_initial(TimePoint(), computer.id(), kStart, processes_++, 0);
  }
  void notify(std::uint64_t ns, bool one = false) {
    simulation_.schedule_initial(TimePoint::from_ns(ns), computer.id(), kNotify, 0, one ? 1 : 0);
  }
  RunOutcome run(std::uint64_t until_ns = 1'000'000) { return simulation_.run(TimePoint::from_ns(until_ns), {}); }
  void say(Process& process, const std::string& what) {
    trace += what + '@' + std::to_string(process.now().count_ps() / 1000) + ' ';
  }
  std::string trace;

 private:
  FiberStacks stacks_;

 public:
  Computer computer;

 private:
  Simulation simulation_;
  std::uint16_t processes_ = 0;
};

TEST_CASE("process: sleeps in virtual time, beside others", "[sim][kernel]") {
  World world;
  for (const int step : {30, 50}) {
    world.start([&world, step](Process& self) {
      for (int i = 0; i < 3; ++i) {
        self.delay_for(Duration::ns(step));
        world.say(self, std::to_string(step));
      }
      self.delay_until(TimePoint::from_ns(1));
      world.say(self, "end");
    });
  }
  CHECK(world.run().end == RunEnd::kDrained);
  CHECK(world.trace == "30@30 50@50 30@60 30@90 end@90 50@100 50@150 end@150 ");
}

TEST_CASE("process: waits until notified; one or all", "[sim][kernel]") {
  World world;
  for (const char* name : {"a", "b", "c", "d"}) {
    world.start([&world, name](Process& self) {
      self.wait(world.computer.condition);
      world.say(self, name);
    });
  }
  world.notify(10, true);
  world.notify(20, true);
  world.notify(30);
  world.notify(40);
  world.run();
  CHECK(world.trace == "a@10 b@20 c@30 d@30 ");
}

TEST_CASE("process: waits with a deadline, whichever comes first", "[sim][kernel]") {
  World world;
  world.start([&world](Process& self) {
    for (const unsigned deadline : {5u, 100u, 20u, 30u}) {
      const bool notified = self.wait_until(world.computer.condition, TimePoint::from_ns(deadline));
      world.say(self, notified ? "told" : "late");
    }
  });
  world.notify(10);
  world.notify(30);  // at the very moment of the last deadline, created before it
  world.run();
  CHECK(world.trace == "late@5 told@10 late@20 told@30 ");
}

TEST_CASE("process: a barrier lets all go when the last has come, round after round", "[sim][kernel]") {
  World world;
  Barrier barrier(3);
  for (const int pace : {10, 20, 70}) {
    world.start([&world, &barrier, pace](Process& self) {
      for (int round = 0; round < 2; ++round) {
        self.delay_for(Duration::ns(pace));
        barrier.arrive_and_wait(self);
        world.say(self, std::to_string(pace));
      }
    });
  }
  world.run();
  CHECK(world.trace == "70@70 10@70 20@70 70@140 10@140 20@140 ");
}

TEST_CASE("process: those that still wait when the simulation ends are unwound", "[sim][kernel]") {
  const auto held = std::make_shared<int>(1);
  {
    World world;
    for (int i = 0; i < 3; ++i) {
      world.start([&world, held](Process& self) {
        const std::vector<std::shared_ptr<int>> more(10, held);
        while (true) self.wait(world.computer.condition);
      });
    }
    world.notify(10);
    world.run();
    CHECK(held.use_count() == 1 + 3 + 30);
    CHECK(world.computer.condition.awaited());
  }
  CHECK(held.use_count() == 1);
}

}  // namespace
}  // namespace rocelab::sim
