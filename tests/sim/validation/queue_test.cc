// Queues: incasts, M/D/1, losslessness.
#include <fmt/format.h>

#include "tests/sim/support/scenario_run.h"

namespace rocelab::test {

namespace {

constexpr std::uint64_t kPsPerByte = 80;
constexpr std::uint64_t kOverhead = 82;

std::string incast(unsigned sources, std::uint64_t bytes, const std::string& more) {
  return fmt::format(
      "[topology]\nkind = \"single_switch\"\nhosts = {0}\n[host]\nprofile = \"ideal\"\n{2}\n"
      "[[workload]]\nkind = \"incast\"\ndestinations = [\"host{3}\"]\nbytes = {1}\n",
      sources + 1, bytes, more, sources);
}

}  // namespace

TEST_CASE("validation: an N-to-1 incast ends when the last link has carried all of it", "[sim][validation]") {
  for (const unsigned sources : {2u, 8u, 16u}) {
    constexpr std::uint64_t kPackets = 1000;
    const ScenarioRun run(incast(sources, kPackets * 1024, "[transport]\ncongestion = \"none\""));
    const std::uint64_t carried = sources * (kPackets * (1024 + kOverhead) + 16) * kPsPerByte;
    const std::uint64_t around = 2 * 2'000'000 + (1024 + kOverhead + 16) * kPsPerByte + 2 * 86 * kPsPerByte;
    CHECK(within(run.last_end_ps(), carried + around, 2));
  }
}

TEST_CASE("validation: random arrivals of equal packets wait as in an M/D/1 queue", "[sim][validation]") {
  // Many sources, one packet a message: Poisson arrivals at the last link, each served in the same time.
  constexpr unsigned kSources = 64;
  constexpr std::uint64_t kBytes = 1024;
  constexpr std::uint64_t kService = (kBytes + kOverhead + 16) * kPsPerByte;
  for (const unsigned percent : {30u, 60u, 80u}) {
    // Load counts payload bytes of one source; what the last link carries is all sources' packets.
    const std::uint64_t load_e6 = std::uint64_t{percent} * 10'000 * kBytes / (kBytes + kOverhead + 16) / kSources;
    const ScenarioRun run(fmt::format(
        "[topology]\nkind = \"single_switch\"\nhosts = {0}\n[host]\nprofile = \"ideal\"\n[transport]\ncongestion = "
        "\"none\"\n[[workload]]\nkind = \"poisson\"\nsources = [\"host0..host{1}\"]\ndestinations = [\"host{2}\"]\n"
        "bytes = {3}\nload = {4:.6f}\nduration = \"8ms\"\n",
        kSources + 1, kSources - 1, kSources, kBytes, static_cast<double>(load_e6) / 1e6));
    std::uint64_t waited = 0;
    for (const sim::MessageResult& r : run.results()) waited += r.fct_ps - r.ideal_ps;
    const std::uint64_t mean = waited / run.results().size();
    // Pollaczek and Khinchine: rho * service / (2 * (1 - rho)); with Little's law, the mean queue is rho^2 / (2 (1 -
    // rho)).
    const std::uint64_t expected = kService * percent / (2 * (100 - percent));
    INFO(percent << " %: mean wait " << mean << " ps, expected " << expected << " ps, of " << run.results().size());
    CHECK(within(mean, expected, percent == 80 ? 80 : 40));
  }
}

TEST_CASE("validation: PFC loses nothing in a small buffer; without it the same incast loses and recovers",
          "[sim][validation]") {
  const std::string small = "[switch]\nbuffer = \"2MB\"\n[transport]\ncongestion = \"none\"\nack_timeout = 6\n";
  ScenarioRun lossless(incast(16, 1'000'000, small));
  CHECK(lossless.experiment().totals().drops == 0);
  CHECK(lossless.experiment().totals().pauses > 0);
  ScenarioRun lossy(incast(16, 1'000'000, small + "[switch.pfc]\nenabled = false\n"));
  CHECK(lossy.experiment().totals().drops > 0);
  CHECK(lossy.experiment().totals().pauses == 0);
}

}  // namespace rocelab::test
