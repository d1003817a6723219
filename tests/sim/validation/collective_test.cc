// Collectives on the network: their closed forms.
#include <fmt/format.h>

#include "tests/sim/support/scenario_run.h"

namespace rocelab::test {

namespace {

constexpr std::uint64_t kPsPerByte = 80;

std::string collective(unsigned ranks, const std::string& more) {
  return fmt::format(
      "[topology]\nkind = \"single_switch\"\nhosts = {}\n[host]\nprofile = \"ideal\"\n[transport]\ncongestion = "
      "\"none\"\n[[workload]]\nkind = \"collective\"\n{}\n",
      ranks, more);
}

/// From the beginning to the end of the last rank.
std::uint64_t duration(const ScenarioRun& run) {
  std::uint64_t end = 0;
  for (const sim::PlanSpan& span : run.scenario().plan.spans()) {
    end = std::max(end, run.scenario().plan.task(span.to).end_ps);
  }
  return end;
}

/// A message over the two links of a single switch, until its last byte is there.
std::uint64_t arrival(std::uint64_t bytes) {
  const std::uint64_t packets = (bytes + 1023) / 1024;
  const std::uint64_t last = bytes - (packets - 1) * 1024;
  const std::uint64_t all = bytes + packets * 82 + 16 + 4;  // RETH, immediate data
  return (all + last + 82 + 4) * kPsPerByte + 2 * 1'000'000;
}

}  // namespace

TEST_CASE("validation: a ring all-reduce takes 2(n-1) steps of S/n bytes at line rate plus their latency",
          "[sim][validation]") {
  for (const unsigned n : {2u, 4u, 8u, 16u}) {
    const std::uint64_t bytes = std::uint64_t{n} * 1024 * 500;
    const ScenarioRun run(
        collective(n, fmt::format("operation = \"all_reduce\"\nalgorithm = \"ring\"\nbytes = {}", bytes)));
    // The last step is over for a rank when its own message is acknowledged: one more way back.
    const std::uint64_t back = 2 * (86 * kPsPerByte + 1'000'000);
    const std::uint64_t expected = 2 * (n - 1) * arrival(bytes / n) + back;
    INFO(n << " ranks: " << duration(run) << " ps, expected " << expected);
    CHECK(within(duration(run), expected, 5));
  }
}

TEST_CASE("validation: pieces of a tree broadcast follow each other down the tree", "[sim][validation]") {
  const std::uint64_t piece = 1024 * 100;
  const ScenarioRun run(collective(
      7, fmt::format("operation = \"broadcast\"\nalgorithm = \"tree\"\nbytes = {}\npieces = 10", piece * 10)));
  // Every inner rank sends each piece twice over its one link: twice the bytes, plus a piece for each level below.
  const std::uint64_t expected = 2 * 10 * arrival(piece) + arrival(piece);
  INFO(duration(run) << " ps, at most about " << expected);
  CHECK(duration(run) > 2 * 10 * piece * kPsPerByte);
  CHECK(duration(run) < expected);
}

TEST_CASE("validation: a barrier takes log2(n) one-packet messages", "[sim][validation]") {
  const ScenarioRun run(collective(16, "operation = \"barrier\""));
  const std::uint64_t back = 2 * (86 * kPsPerByte + 1'000'000);
  CHECK(within(duration(run), 4 * arrival(4) + back, 5));
}

TEST_CASE("validation: repetitions come one after the other with the gap in between", "[sim][validation]") {
  const ScenarioRun one(collective(4, "operation = \"all_gather\"\nbytes = \"400kB\""));
  const ScenarioRun three(collective(4, "operation = \"all_gather\"\nbytes = \"400kB\"\nrepeat = 3\ngap = \"50us\""));
  CHECK(within(duration(three), 3 * duration(one) + 2 * 50'000'000, 10));
}

}  // namespace rocelab::test
