// See simulated_benchmark.h.
#include "sim_verbs/simulated_benchmark.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include "perftest/benchmark.h"
#include "sim_verbs/host_verbs.h"

namespace rocelab::sim_verbs {
namespace {

/// How often an end looks whether the other has told it something.
constexpr base::Duration kBetweenLooks = base::Duration::us(1);

struct Shared {
  std::array<std::vector<std::uint8_t>, 2> box;  ///< what end i has been told and has not read
  unsigned ended = 0;
};

class Simulated final : public perftest::Surroundings {
 public:
  Simulated(sim::Process& process, Shared& shared, unsigned side, const std::function<void(std::string_view)>& print)
      : process_(process), shared_(shared), side_(side), print_(print) {}

  bool swap(const void* mine, void* theirs, std::size_t bytes) override {
    const auto* from = static_cast<const std::uint8_t*>(mine);
    std::vector<std::uint8_t>& out = shared_.box[1 - side_];
    out.insert(out.end(), from, from + bytes);
    std::vector<std::uint8_t>& in = shared_.box[side_];
    while (in.size() < bytes) {
      if (shared_.ended != 0) return false;
      process_.delay_for(kBetweenLooks);
    }
    std::memcpy(theirs, in.data(), bytes);
    in.erase(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(bytes));
    return true;
  }
  std::uint64_t now_ps() override { return process_.now().count_ps(); }
  void print(std::string_view text) override {
    if (side_ == 0) print_(text);
  }

 private:
  sim::Process& process_;
  Shared& shared_;
  unsigned side_;
  const std::function<void(std::string_view)>& print_;
};

}  // namespace

BenchmarkOutcome run_benchmark(sim::Simulation& simulation, sim::Host& client, sim::Host& server,
                               const perftest::Options& options, const std::function<void(std::string_view)>& print) {
  BenchmarkOutcome outcome;
  outcome.problem = {"it did not end", "it did not end"};
  Shared shared;
  HostVerbs verbs;
  const std::array<sim::Host*, 2> hosts{&client, &server};
  for (unsigned side = 0; side < 2; ++side) {
    verbs.equip(*hosts[side]);
    const std::uint16_t process = hosts[side]->add_process([&, side](sim::Process& self) {
      Simulated surroundings(self, shared, side, print);
      const auto role = side == 0 ? perftest::Role::kClient : perftest::Role::kServer;
      outcome.problem[side] = perftest::run(options, role, surroundings);
      ++shared.ended;
      if (shared.ended == 2 || !outcome.problem[side].empty()) self.context().request_stop();
    });
    simulation.schedule_initial(base::TimePoint(), hosts[side]->id(), sim::host_event::kProcess, process, 0);
  }
  outcome.run = simulation.run(base::TimePoint::from_ps(sim::kNever), {});
  // Whoever has not ended is unwound while what it refers to is still there.
  for (sim::Host* host : hosts) host->end_processes();
  return outcome;
}

}  // namespace rocelab::sim_verbs
