// C verbs calls by processes of simulated hosts: the same functions that run on a real device.
#include <infiniband/verbs.h>

#include <array>
#include <string>

#include "perftest/benchmark.h"
#include "sim_verbs/simulated_benchmark.h"
#include "tests/sim/host/two_hosts.h"
#include "tests/support/catch.h"

namespace rocelab::test {

namespace {

struct Outcome {
  std::array<std::string, 2> problem;
  std::string printed;
};

Outcome benchmark(const std::string& name, const std::string& profile, perftest::Options options = {}) {
  sim::HostOptions host_options{};
  host_options.seed = 1;
  host_options.profile = *sim::find_host_profile(profile);
  REQUIRE(perftest::parse_name(name, options));
  TwoHosts net(host_options);
  Outcome outcome;
  const auto done = sim_verbs::run_benchmark(net.simulation, net.a(), net.b(), options,
                                             [&](std::string_view text) { outcome.printed += text; });
  outcome.problem = done.problem;
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
    }
  }
}

}  // namespace rocelab::test
