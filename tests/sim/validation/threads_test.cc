// The same results on any number of partitions, for workloads of every kind.
#include "sim/parallel/thread_executor.h"
#include "tests/sim/support/scenario_run.h"

namespace rocelab::test {

namespace {

constexpr const char* kScenarios[] = {
    "[topology]\nkind = \"fat_tree\"\nk = 4\n[[workload]]\nkind = \"poisson\"\nload = 0.6\nsizes = "
    "\"fb_hadoop\"\nduration = "
    "\"300us\"\n",
    "[topology]\nkind = \"leaf_spine\"\n[switch]\nbuffer = \"3MB\"\n[[workload]]\nkind = \"incast\"\ndestinations = "
    "[\"host5\"]\nbytes = \"300kB\"\n[[workload]]\nkind = \"collective\"\noperation = \"all_reduce\"\nalgorithm = "
    "\"halving_doubling\"\nbytes = \"1MB\"\nstart = \"20us\"\n",
    "[topology]\nkind = \"leaf_spine\"\n[routing]\npolicy = \"flowlet\"\n[transport]\nack_timeout = "
    "6\n[[workload]]\nkind = "
    "\"all_to_all\"\nbytes = \"50kB\"\n[[fault]]\nkind = \"link_down\"\nlink = [\"leaf0\", \"spine1\"]\nat = "
    "\"20us\"\nuntil "
    "= \"200us\"\n"};

}  // namespace

TEST_CASE("validation: a run on several threads, or in several partitions on one, equals the run in one piece",
          "[sim][validation]") {
  for (const char* text : kScenarios) {
    ScenarioRun one(text);
    for (const unsigned partitions : {2u, 3u, 4u}) {
      sim::ThreadExecutor threads;
      ScenarioRun several(text, partitions, partitions == 3 ? nullptr : &threads);
      REQUIRE(several.results().size() == one.results().size());
      for (std::size_t i = 0; i < one.results().size(); ++i) {
        REQUIRE(several.results()[i].fct_ps == one.results()[i].fct_ps);
        REQUIRE(several.task(several.results()[i]).begin_ps == one.task(one.results()[i]).begin_ps);
      }
      CHECK(several.experiment().outcome().events == one.experiment().outcome().events);
      CHECK(several.experiment().totals().packet_hops == one.experiment().totals().packet_hops);
    }
  }
}

TEST_CASE("validation: another seed gives another run", "[sim][validation]") {
  const std::string text = kScenarios[0];
  ScenarioRun one("seed = 1\n" + text), two("seed = 2\n" + text);
  CHECK(one.experiment().outcome().events != two.experiment().outcome().events);
}

}  // namespace rocelab::test
