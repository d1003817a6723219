// C verbs calls by processes of simulated hosts: the same functions that run on a real device.
#include <infiniband/verbs.h>

#include <array>
#include <cstring>
#include <string>

#include "perftest/benchmark.h"
#include "sim_verbs/host_verbs.h"
#include "tests/sim/host/two_hosts.h"
#include "tests/support/catch.h"

namespace rocelab::test {

namespace {

/// The two ends' way to tell each other addresses: boxes that they look into from time to time.
struct Boxes {
  std::array<std::vector<std::uint8_t>, 2> to;
};

class Simulated final : public perftest::Surroundings {
 public:
  Simulated(sim::Process& process, Boxes& boxes, unsigned side) : process_(process), boxes_(boxes), side_(side) {}
  bool swap(const void* mine, void* theirs, std::size_t bytes) override {
    const auto* from = static_cast<const std::uint8_t*>(mine);
    boxes_.to[1 - side_].insert(boxes_.to[1 - side_].end(), from, from + bytes);
    std::vector<std::uint8_t>& box = boxes_.to[side_];
    while (box.size() < bytes) process_.delay_for(Duration::us(1));
    std::memcpy(theirs, box.data(), bytes);
    box.erase(box.begin(), box.begin() + static_cast<std::ptrdiff_t>(bytes));
    return true;
  }
  std::uint64_t now_ps() override { return process_.now().count_ps(); }
  void print(std::string_view text) override { printed += text; }
  std::string printed;

 private:
  sim::Process& process_;
  Boxes& boxes_;
  unsigned side_;
};

struct Outcome {
  std::array<std::string, 2> problem{"did not end", "did not end"};
  std::string printed;
};

Outcome benchmark(const std::string& name, const std::string& profile, perftest::Options options = {}) {
  sim::HostOptions host_options{};
  host_options.seed = 1;
  host_options.profile = *sim::find_host_profile(profile);
  Outcome outcome;
  Boxes boxes;
  REQUIRE(perftest::parse_name(name, options));
  sim_verbs::HostVerbs verbs;
  TwoHosts net(host_options);
  for (unsigned side = 0; side < 2; ++side) {
    verbs.equip(*net.hosts[side]);
    net.hosts[side]->add_process([&, side](sim::Process& self) {
      Simulated surroundings(self, boxes, side);
      const auto role = side == 0 ? perftest::Role::kClient : perftest::Role::kServer;
      outcome.problem[side] = perftest::run(options, role, surroundings);
      if (side == 0) outcome.printed = surroundings.printed;
    });
    net.simulation.schedule_initial(TimePoint(), side, sim::host_event::kProcess, 0, 0);
  }
  net.run();
  CHECK(net.pools.in_use() == 0);
  return outcome;
}

}  // namespace

TEST_CASE("simulated verbs: every benchmark runs to its end", "[sim][host][verbs]") {
  for (const char* profile : {"ideal", "connectx", "soft"}) {
    for (const char* name :
         {"write_bw", "read_bw", "send_bw", "atomic_bw", "write_lat", "read_lat", "send_lat", "atomic_lat"}) {
      perftest::Options options;
      options.iterations = 100;
      const Outcome outcome = benchmark(name, profile, options);
      INFO(profile << " " << name << "\n" << outcome.printed);
      CHECK(outcome.problem[0].empty());
      CHECK(outcome.problem[1].empty());
      CHECK(outcome.printed.find("#bytes") != std::string::npos);
      if (std::string(name).find("read") == 0 || std::getenv("SHOW")) WARN(outcome.printed);
    }
  }
}

}  // namespace rocelab::test
