// Cases of the HPCC ns-3 simulator (alibaba-edu/High-Precision-Congestion-Control, settings of its run.py at 100 Gb/s)
// and the completion times that it printed. Its packets are 1048 bytes for 1000 of payload (1090 with HPCC's telemetry)
// and take whole nanoseconds, 83 (87); ours are 1082 bytes, so our links run faster by what makes a packet take as
// long.
#include <fmt/format.h>

#include "tests/sim/support/scenario_run.h"

namespace rocelab::test {

namespace {

enum class Control { kDcqcn, kHpcc };

std::string settings(Control control) {
  const bool hpcc = control == Control::kHpcc;
  std::string text =
      "[host]\nprofile = \"ideal\"\n[transport]\npayload = 1000\necn_echo = true\nacks = \"every_packet\"\n";
  text += hpcc ? "congestion = \"hpcc\"\n[transport.hpcc]\nstage_max = 0\nadditive_increase = \"40Mb/s\"\n"
                 "rate_min = \"1Gb/s\"\n"
               : "congestion = \"dcqcn\"\ncontrol_priority = 7\n[transport.dcqcn]\npreset = \"hpcc_simulator\"\n"
                 "increase_interval = \"300us\"\nadditive_increase = \"20Mb/s\"\nhyper_increase = \"200Mb/s\"\n"
                 "rate_min = \"1Gb/s\"\n";
  text += fmt::format(
      "[switch]\nbuffer = \"32MB\"\nreserve = 4096\n[switch.ecn]\nenabled = {}\nat_rate = \"100Gb/s\"\n"
      "kmin = \"400kB\"\nkmax = \"1600kB\"\npmax = 0.2\n",
      hpcc ? "false" : "true");
  return text;
}

std::string topology(Control control, const std::string& generator) {
  return fmt::format("[topology]\n{}\nrate = \"{}\"\n", generator,
                     control == Control::kHpcc ? "99494252873b/s" : "104289156626b/s");
}

std::string message(const char* from, const char* to, std::uint64_t bytes, std::uint64_t start_us) {
  return fmt::format(
      "[[workload]]\nkind = \"incast\"\nsources = [\"{}\"]\ndestinations = [\"{}\"]\nbytes = {}\nstart = \"{}us\"\n",
      from, to, bytes, start_us);
}

}  // namespace

TEST_CASE("peers: one flow over a switch takes what the HPCC simulator says: DCQCN to 0.2 %, HPCC to 3 %",
          "[sim][peers]") {
  struct Case {
    Control control;
    std::uint64_t permille;
    std::uint64_t fct_ns[3];
  };
  const Case cases[] = {{Control::kDcqcn, 2, {4'174, 87'091, 834'091}}, {Control::kHpcc, 30, {4'188, 95'590, 921'018}}};
  for (const Case& c : cases) {
    const ScenarioRun run(topology(c.control, "kind = \"single_switch\"\nhosts = 2") + settings(c.control) +
                          message("host0", "host1", 1'000, 0) + message("host0", "host1", 1'000'000, 1'000) +
                          message("host1", "host0", 10'000'000, 2'000));
    REQUIRE(run.results().size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      INFO("flow " << i << ": " << run.fct_ps(i) / 1000 << " ns, theirs " << c.fct_ns[i]);
      CHECK(within(run.fct_ps(i), c.fct_ns[i] * 1000, c.permille));
    }
  }
}

TEST_CASE("peers: two flows that meet on a dumbbell finish as in the HPCC simulator, to 10 %", "[sim][peers]") {
  struct Case {
    Control control;
    std::uint64_t fct_us[2];
  };
  const Case cases[] = {{Control::kDcqcn, {37'080, 20'951}}, {Control::kHpcc, {34'806, 22'956}}};
  for (const Case& c : cases) {
    const ScenarioRun run(topology(c.control, "kind = \"dumbbell\"") + settings(c.control) +
                          message("host0", "host2", 250'000'000, 0) + message("host1", "host3", 125'000'000, 5'000));
    REQUIRE(run.results().size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      INFO("flow " << i << ": " << run.fct_ps(i) / 1'000'000 << " us, theirs " << c.fct_us[i]);
      CHECK(within(run.fct_ps(i), c.fct_us[i] * 1'000'000, 100));
    }
  }
}

TEST_CASE("peers: a 16-to-1 incast of 1 MB ends as in the HPCC simulator, to 5 %", "[sim][peers]") {
  struct Case {
    Control control;
    std::uint64_t last_us, median_us;
  };
  const Case cases[] = {{Control::kDcqcn, 1'692, 1'619}, {Control::kHpcc, 1'489, 1'410}};
  for (const Case& c : cases) {
    const ScenarioRun run(topology(c.control, "kind = \"single_switch\"\nhosts = 17") + settings(c.control) +
                          "[[workload]]\nkind = \"incast\"\ndestinations = [\"host16\"]\nbytes = \"1MB\"\n");
    REQUIRE(run.results().size() == 16);
    std::vector<std::uint64_t> times;
    for (std::size_t i = 0; i < 16; ++i) times.push_back(run.fct_ps(i));
    std::sort(times.begin(), times.end());
    INFO("last " << times[15] / 1'000'000 << " us, theirs " << c.last_us << "; median " << times[7] / 1'000'000
                 << " us, theirs " << c.median_us);
    CHECK(within(times[15], c.last_us * 1'000'000, 50));
    CHECK(within(times[7], c.median_us * 1'000'000, 70));
  }
}

}  // namespace rocelab::test
