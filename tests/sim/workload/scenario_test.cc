// Scenarios: one clear sentence with file, line and key for each kind of mistake, before anything runs.
#include "sim/workload/scenario/scenario.h"

#include <fmt/format.h>

#include "sim/workload/run/experiment.h"
#include "tests/support/catch.h"

namespace rocelab::sim {

namespace {

/// The message of a scenario that must be refused, when it is read or when the network is built.
std::string problem(const std::string& text) {
  const auto scenario = parse_scenario(text, "dir/s.toml", {});
  if (!scenario) return scenario.error();
  const auto experiment = Experiment::make(**scenario, {});
  return experiment ? std::string("nothing is wrong") : experiment.error();
}

/// Lines 1 to 3 are a good topology of four hosts; what follows begins at line 4.
std::string after_topology(const std::string& text) {
  return problem("[topology]\nkind = \"single_switch\"\nhosts = 4\n" + text);
}

struct Case {
  const char* text;
  const char* message;
};

}  // namespace

TEST_CASE("scenario: topologies that cannot be are named with file, line and key", "[sim][workload]") {
  const Case cases[] = {
      {"seed = 1", "dir/s.toml:1: key `topology`: is missing"},
      {"[topology]\nhosts = 2", "dir/s.toml:1: key `topology.kind`: is missing"},
      {"[topology]\nkind = \"ring\"",
       "dir/s.toml:2: key `topology.kind`: `ring` is not one of single_switch, dumbbell, leaf_spine, fat_tree, "
       "rail_pods, "
       "dragonfly_plus, torus, file"},
      {"[topology]\nkind = \"single_switch\"\nrate = \"0Gb/s\"", "dir/s.toml:3: key `topology.rate`: must not be zero"},
      {"[topology]\nkind = \"single_switch\"\nhosts = 0",
       "dir/s.toml:3: key `topology.hosts`: 0 is out of range (1 to 1048576)"},
      {"[topology]\nkind = \"single_switch\"\nk = 4", "dir/s.toml:3: key `topology.k`: is unknown here"},
      {"[topology]\nkind = \"leaf_spine\"\n[topology.spine_link]\nrate = \"0Gb/s\"",
       "dir/s.toml:4: key `topology.spine_link.rate`: must not be zero"},
      {"[topology]\nkind = \"file\"\nfile = \"none.txt\"",
       "dir/s.toml:3: key `topology.file`: dir/none.txt: no such file"},
      {"[topology]\nkind = \"file\"", "dir/s.toml:1: key `topology.file`: is missing"},
      {"[topology]\nkind = \"single_switch\"\nhosts = 2\nrate = 100",
       "dir/s.toml:4: key `topology.rate`: must be a text with a unit, like \"100Gb/s\""},
      {"threads = 0\n[topology]\nkind = \"single_switch\"",
       "dir/s.toml:1: key `threads`: 0 is out of range (1 to 256)"},
      {"[topology\n", nullptr},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    const std::string text = problem(c.text);
    if (c.message != nullptr) {
      CHECK(text == c.message);
    } else {
      CHECK(text.rfind("dir/s.toml:1: ", 0) == 0);
    }
  }
  const std::string odd = problem("[topology]\nkind = \"fat_tree\"\nk = 5");
  INFO(odd);
  CHECK(odd.rfind("dir/s.toml:3: key `topology.k`: ", 0) == 0);
}

TEST_CASE("scenario: settings out of range are named with file, line and key", "[sim][workload]") {
  const Case cases[] = {
      {"[host]\nprofile = \"fast\"", "dir/s.toml:5: key `host.profile`: `fast` is not one of ideal, connectx, soft"},
      {"[host]\ncapture = \"x.pcapng\"", "dir/s.toml:5: key `host.capture`: needs `payload = \"wire_exact\"`"},
      {"[host]\nxon = 300000", "dir/s.toml:5: key `host.xon`: must be less than `xoff`"},
      {"[transport]\nmtu = 1000", "dir/s.toml:5: key `transport.mtu`: must be 256, 512, 1024, 2048 or 4096"},
      {"[transport]\npriority = 8", "dir/s.toml:5: key `transport.priority`: 8 is out of range (0 to 7)"},
      {"[switch]\nbufer = \"1MB\"", "dir/s.toml:5: key `switch.bufer`: is unknown here; did you mean `buffer`?"},
      {"[switch.ecn]\nkmin = \"2MB\"", "dir/s.toml:4: key `switch.ecn.kmax`: must not be less than `kmin`"},
      {"[switch.ecn]\npmax = 1.5", "dir/s.toml:5: key `switch.ecn.pmax`: 1.5 is out of range (0 to 1)"},
      {"[switch]\nweights = [1, 2]", "dir/s.toml:5: key `switch.weights`: must be eight numbers, one a priority"},
      {"[routing]\npolicy = \"best\"",
       "dir/s.toml:5: key `routing.policy`: `best` is not one of ecmp, spray, flowlet, adaptive, reps"},
      {"[limits]\nuntil = \"forever\"",
       "dir/s.toml:5: key `limits.until`: `forever` does not begin with a number; write it like \"1.5us\""},
      {"[sampling]\ninterval = 5", "dir/s.toml:5: key `sampling.interval`: must be a text with a unit, like \"1.5us\""},
      {"[swicth]\n", "dir/s.toml:4: key `swicth`: is unknown here; did you mean `switch`?"},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    CHECK(after_topology(c.text) == c.message);
  }
}

TEST_CASE("scenario: workloads and faults that cannot be are named with file, line and key", "[sim][workload]") {
  const Case cases[] = {
      {"[[workload]]\nbytes = 5", "dir/s.toml:4: key `workload[0].kind`: is missing"},
      {"[workload]\nkind = \"incast\"", "dir/s.toml:4: key `workload`: must be a list of tables: write [[workload]]"},
      {"[[workload]]\nkind = \"incast\"", "dir/s.toml:4: key `workload[0].destinations`: is missing"},
      {"[[workload]]\nkind = \"incast\"\ndestinations = [\"host4\"]",
       "dir/s.toml:6: key `workload[0].destinations`: there is no host `host4`"},
      {"[[workload]]\nkind = \"incast\"\nsources = [\"host1\"]\ndestinations = [\"host1\"]",
       "dir/s.toml:7: key `workload[0].destinations`: the only source would send to itself"},
      {"[[workload]]\nkind = \"permutation\"\nhosts = [\"host2..host1\"]",
       "dir/s.toml:6: key `workload[0].hosts`: `host2..host1` runs backwards"},
      {"[[workload]]\nkind = \"permutation\"\nhosts = [\"host0\"]",
       "dir/s.toml:6: key `workload[0].hosts`: a permutation needs two hosts at least"},
      {"[[workload]]\nkind = \"permutation\"\nbytes = 0", "dir/s.toml:6: key `workload[0].bytes`: must not be zero"},
      {"[[workload]]\nkind = \"poisson\"\nload = 1.5",
       "dir/s.toml:6: key `workload[0].load`: 1.5 is out of range (1e-06 to 1)"},
      {"[[workload]]\nkind = \"poisson\"\nsizes = \"mice\"",
       "dir/s.toml:6: key `workload[0].sizes`: `mice` is not one of the built-in distributions: ali_storage, "
       "fb_hadoop, "
       "websearch"},
      {"[[workload]]\nkind = \"collective\"\noperation = \"barrier\"\nalgorithm = \"ring\"",
       "dir/s.toml:7: key `workload[0].algorithm`: `ring` is no algorithm of barrier"},
      {"[[workload]]\nkind = \"training\"\ntensor = 4\ndata = 2",
       "dir/s.toml:4: key `workload[0].ranks`: tensor * data * pipeline are 8 ranks, there are 4"},
      {"[[workload]]\nkind = \"trace\"\nfiles = \"rank.et\"",
       "dir/s.toml:6: key `workload[0].files`: must have %r where the number of the rank stands"},
      {"[[workload]]\nkind = \"flows\"\nfile = \"f.csv\"",
       "dir/s.toml:6: key `workload[0].file`: dir/f.csv: no such file"},
      {"[[workload]]\nkind = \"permutation\"\nname = \"a\"\n[[workload]]\nkind = \"permutation\"\nname = \"a\"",
       "dir/s.toml:9: key `workload[1].name`: `a` is the name of two workloads"},
      {"[[fault]]\nkind = \"link_down\"\nlink = [\"host0\", \"host1\"]\nat = \"1us\"",
       "dir/s.toml:6: key `fault[0].link`: there is no link between `host0` and `host1`"},
      {"[[fault]]\nkind = \"host_pause\"\nhost = \"host9\"\nat = \"1us\"",
       "dir/s.toml:6: key `fault[0].host`: there is no host `host9`"},
      {"[[fault]]\nkind = \"host_pause\"\nhost = \"host1\"\nat = \"2us\"\nuntil = \"1us\"",
       "dir/s.toml:8: key `fault[0].until`: must be later than `at`"},
      {"[[fault]]\nkind = \"slow_receiver\"\nhost = \"host1\"\nat = \"2us\"",
       "dir/s.toml:4: key `fault[0].rate`: is missing"},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    CHECK(after_topology(c.text) == c.message);
  }
}

TEST_CASE("scenario: what is left out has a value, and every value in force is listed", "[sim][workload]") {
  const auto scenario =
      parse_scenario("[topology]\nkind = \"single_switch\"\n", "s.toml", {{"seed=7", "switch.pfc.alpha=0.5"}});
  REQUIRE(scenario);
  CHECK((*scenario)->seed == 7);
  CHECK((*scenario)->name == "s");
  const auto& settings = (*scenario)->settings;
  const auto value = [&](const std::string& key) {
    for (const auto& setting : settings) {
      if (setting.first == key) return setting.second;
    }
    return std::string("(none)");
  };
  CHECK(value("seed") == "7");
  CHECK(value("switch.pfc.alpha") == "0.5");
  CHECK(value("transport.congestion") == "dcqcn");
  CHECK(value("switch.ecn.kmin") == "100000B");
  CHECK(value("topology.delay") == "1000000ps");
  CHECK(value("threads") == "(none)");
}

}  // namespace rocelab::sim
