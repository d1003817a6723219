// What the page draws: the sums that no picture shows to be wrong. The page itself is tested in a browser
// (page_test.py).
#include "sim/report/page_data.h"

#include <string>

#include "sim/report/page.h"
#include "sim/report/page_bundles.h"
#include "sim/report/schema.h"
#include "tests/sim/report/made_up_run.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace rocelab::sim {

namespace {

using test::content_of;
using test::ScratchFolder;

PageFlow flow_of(std::int64_t bytes) {
  PageFlow flow;
  flow.bytes = bytes;
  flow.fct_ps = 1;
  flow.slowdown = 1;
  return flow;
}

std::vector<std::int64_t> bounds_of(std::vector<std::int64_t> sizes) {
  PageFlows flows;
  for (const std::int64_t size : sizes) flows.all.push_back(flow_of(size));
  std::vector<PageFlows> runs;
  runs.push_back(std::move(flows));
  return size_bounds(runs);
}

Database results_of(const ScratchFolder& folder, const MadeUpRun& run) {
  REQUIRE(write_made_up_run(folder.file("r.db"), run) == "");
  auto database = open_results(folder.file("r.db"));
  REQUIRE(database);
  return std::move(*database);
}

}  // namespace

TEST_CASE("page: a quantile is the value that so large a share does not exceed", "[sim][report]") {
  CHECK(quantile({7}, 0.5) == 7);
  CHECK(quantile({1, 2, 3, 4}, 0.5) == 2);
  CHECK(quantile({1, 2, 3, 4}, 0.51) == 3);
  CHECK(quantile({1, 2, 3, 4}, 0.99) == 4);
  CHECK(quantile({1, 2, 3, 4}, 1) == 4);
  std::vector<double> hundred;
  for (int i = 1; i <= 100; ++i) hundred.push_back(i);
  CHECK(quantile(hundred, 0.95) == 95);
  CHECK(quantile(hundred, 0.99) == 99);
}

TEST_CASE("page: numbers keep four digits", "[sim][report]") {
  CHECK(rounded(0) == 0);
  CHECK(rounded(1.23456) == 1.235);
  CHECK(rounded(-0.000123456) == Approx(-0.0001235).epsilon(1e-9));
  CHECK(rounded(987654321) == 987654321);
  CHECK(rounded(12345.6) == 12346);
}

TEST_CASE("page: few sizes have a bucket each, many have some each, and wide buckets are split", "[sim][report]") {
  CHECK(bounds_of({}).empty());
  CHECK(bounds_of({5000, 5000, 100, 5000}) == std::vector<std::int64_t>{100, 5000});
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 1; i <= 1000; ++i) sizes.push_back(1000 + i);
  sizes.push_back(5'000'000);
  const auto bounds = bounds_of(sizes);
  CHECK(bounds.size() <= kBucketsMax);
  CHECK(std::is_sorted(bounds.begin(), bounds.end()));
  CHECK(bounds.back() == 5'000'000);
  // The one large flow is not thrown together with those of 2 KB.
  CHECK(bounds[bounds.size() - 2] > 2000);
}

TEST_CASE("page: bins over time are whole sampling intervals over the whole run", "[sim][report]") {
  const ScratchFolder folder;
  auto database = results_of(folder, {.samples = 500});
  const auto queues = time_bins(database, "queue_sample", "at_ps", 200);
  REQUIRE(queues);
  CHECK(queues->first_ps == 0);
  CHECK(queues->width_ps == 30'000'000);  // three of 10 us
  CHECK(queues->count == 167);            // 501 instants, the beginning among them
  CHECK(queues->end_ps == 5'010'000'000);
  CHECK(queues->bin(0) == 0);
  CHECK(queues->bin(29'999'999) == 0);
  CHECK(queues->bin(30'000'000) == 1);
  CHECK(queues->bin(9'000'000'000) == 166);
  const auto links = time_bins(database, "link_sample", "start_ps", 600);
  REQUIRE(links);
  CHECK(links->width_ps == 10'000'000);
  CHECK(links->count == 500);
}

TEST_CASE("page: without samples there are no bins", "[sim][report]") {
  const ScratchFolder folder;
  auto database = results_of(folder, {.samples = 0});
  const auto bins = time_bins(database, "link_sample", "start_ps", 200);
  REQUIRE(bins);
  CHECK(bins->count == 0);
  CHECK(bins->bin(5) == 0);
}

TEST_CASE("page: the data of two runs lie in it, and nothing in them ends their element", "[sim][report]") {
  const ScratchFolder folder;
  REQUIRE(write_made_up_run(folder.file("a.db"), {.seed = 1}) == "");
  REQUIRE(write_made_up_run(folder.file("b.db"), {.seed = 2, .status = RunStatus::kInterrupted}) == "");
  REQUIRE(write_page({folder.file("a.db"), folder.file("b.db")}, folder.file("page.html"), "1.2.3"));
  const std::string page = content_of(folder.file("page.html"));
  CHECK(page.size() < 5'000'000);
  const std::string opening = "<script id=\"data\" type=\"application/json\">";
  const auto begin = page.find(opening) + opening.size();
  REQUIRE(begin < page.size());
  const std::string data = page.substr(begin, page.find('<', begin) - begin);
  CHECK(data.front() == '{');
  CHECK(data.back() == '}');
  CHECK(data.find("\\u003c/script>") != std::string::npos);  // of the scenario's text
  CHECK(data.find("\"version\":\"1.2.3\"") != std::string::npos);
  CHECK(data.find("\"status\":\"interrupted\"") != std::string::npos);
  const auto refused = write_page({folder.file("a.db"), folder.file("c.db")}, folder.file("other.html"), "");
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == folder.file("c.db") + ": No such file or directory");
}

TEST_CASE("page: links of large fabrics are drawn in bundles that hold all of them", "[sim][report]") {
  struct Case {
    MadeUpRun run;
    std::string grouping;
    std::size_t nodes, lines;
  };
  const Case cases[] = {
      {{.leaves = 4, .spines = 2, .hosts_per_leaf = 4, .flows = 1, .samples = 1}, "none", 22, 24},
      {{.leaves = 64, .spines = 16, .hosts_per_leaf = 32, .flows = 1, .samples = 1}, "hosts of a switch", 144, 1088},
      {{.leaves = 128, .spines = 32, .hosts_per_leaf = 8, .flows = 1, .samples = 1}, "tiers of a pod", 257, 256},
  };
  for (const Case& c : cases) {
    const ScratchFolder folder;
    auto database = results_of(folder, c.run);
    const auto nodes = PageNodes::read(database);
    const auto links = read_links(database);
    REQUIRE(nodes);
    REQUIRE(links);
    const Drawing drawing = make_drawing(*links, *nodes);
    CHECK(drawing.grouping == c.grouping);
    CHECK(drawing.nodes.size() == c.nodes);
    CHECK(drawing.lines.size() == c.lines);
    std::size_t drawn_nodes = 0, drawn_links = 0;
    for (const DrawnNode& node : drawing.nodes) drawn_nodes += node.count;
    for (const Drawing::Line& line : drawing.lines) drawn_links += line.count;
    CHECK(drawn_nodes == nodes->all().size());
    CHECK(drawn_links == links->size());
    for (std::size_t i = 0; i < links->size(); ++i) REQUIRE(drawing.line_of[i] < drawing.lines.size());
  }
}

}  // namespace rocelab::sim
