// Connection matrices as tasks: triggers of all kinds begin what they should, when they should, and what cannot be is
// refused with its line.
#include "sim/workload/plan/matrix_flows.h"

#include "tests/sim/workload/plan_model.h"
#include "tests/support/catch.h"

namespace rocelab::sim {

namespace {

constexpr std::uint64_t kMessage = 1000;

struct Read {
  Plan plan;
  base::TextResult<void> added;
};

Read read(const std::string& text, bool rebase = false, std::uint64_t start = 0) {
  Read out;
  const auto matrix = parse_connection_matrix(text, "a.cm");
  if (!matrix) {
    out.added = base::fail_text(matrix.error());
  } else {
    out.added = add_matrix(out.plan, *matrix, {"a.cm", 4, 0, 3, start, rebase});
  }
  return out;
}

/// When each connection ended, in the order of the file; every message takes kMessage.
std::vector<std::uint64_t> ends(const std::string& text) {
  Read r = read(text);
  INFO(text << (r.added ? "" : r.added.error()));
  REQUIRE(r.added);
  const test::PlanModel model(r.plan, kMessage);
  CHECK(model.stuck() == 0);
  std::vector<std::uint64_t> out;
  for (const Task& task : r.plan.tasks()) {
    if (task.kind == TaskKind::kSend) out.push_back(task.end_ps);
  }
  return out;
}

std::string refusal(const std::string& text) {
  const Read r = read(text);
  CHECK(r.plan.size() == 0);
  return r.added ? "nothing is wrong" : r.added.error();
}

using Ends = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("matrix: a oneshot trigger at the source starts everything that waits for it", "[sim][workload]") {
  CHECK(ends("Nodes 4\nConnections 3\nTriggers 1\n"
             "0->1 id 1 start 500 size 10 send_done_trigger 7\n"
             "0->2 id 2 trigger 7 size 10\n"
             "0->3 id 3 trigger 7 size 10\n"
             "trigger id 7 oneshot\n") == Ends{1500, 2500, 2500});
}

TEST_CASE("matrix: a ring goes on where the message arrived, whichever end the file names", "[sim][workload]") {
  for (const std::string fired : {"send_done_trigger", "recv_done_trigger"}) {
    CHECK(ends("Nodes 4\nConnections 3\nTriggers 2\n"
               "0->1 id 1 start 0 size 10 " +
               fired +
               " 1\n"
               "1->2 id 2 trigger 1 size 10 " +
               fired +
               " 2\n"
               "2->3 id 3 trigger 2 size 10\n"
               "trigger id 1 oneshot\ntrigger id 2 oneshot\n") == Ends{1000, 2000, 3000});
  }
}

TEST_CASE("matrix: each firing of a multishot trigger starts the next connection", "[sim][workload]") {
  CHECK(ends("Nodes 4\nConnections 4\nTriggers 1\n"
             "0->1 id 1 start 0 size 10 send_done_trigger 1\n"
             "0->2 id 2 start 400 size 10 send_done_trigger 1\n"
             "0->3 id 3 trigger 1 size 10\n"
             "0->1 id 4 trigger 1 size 10\n"
             "trigger id 1 multishot\n") == Ends{1000, 1400, 2000, 2400});
}

TEST_CASE("matrix: a barrier waits for as many as it counts, whichever they are", "[sim][workload]") {
  const std::string three =
      "0->1 id 1 start 0 size 10 send_done_trigger 1\n"
      "0->2 id 2 start 900 size 10 send_done_trigger 1\n"
      "3->0 id 3 start 100 size 10 recv_done_trigger 1\n"
      "0->3 id 4 trigger 1 size 10\n";
  CHECK(ends("Nodes 4\nConnections 4\nTriggers 1\n" + three + "trigger id 1 barrier count 3\n") ==
        Ends{1000, 1900, 1100, 2900});
  CHECK(ends("Nodes 4\nConnections 4\nTriggers 1\n" + three + "trigger id 1 barrier count 2\n") ==
        Ends{1000, 1900, 1100, 2100});
}

TEST_CASE("matrix: starts are moved, priorities kept", "[sim][workload]") {
  const Read moved = read("Nodes 4\nConnections 2\n0->1 start 700 size 10 prio 5\n1->0 start 900 size 10\n", true, 50);
  REQUIRE(moved.added);
  CHECK(moved.plan.tasks()[0].delay_ps == 50);
  CHECK(moved.plan.tasks()[1].delay_ps == 250);
  CHECK(moved.plan.tasks()[0].priority == 5);
  CHECK(moved.plan.tasks()[1].priority == 3);
}

TEST_CASE("matrix: what cannot be is refused with its line, and nothing is added", "[sim][workload]") {
  const std::string head = "Nodes 9\nConnections 1\n";
  CHECK(refusal(head + "0->8 start 0 size 10\n") == "a.cm:3: the topology has 4 hosts only");
  CHECK(refusal(head + "0->1 start 0 size 10 prio 8\n") == "a.cm:3: prio 8: expected 0 to 7");
  CHECK(refusal(head + "0->1 start 0 size 10 addon\n") ==
        "a.cm:3: addon: a connection that grows by a trigger is not supported");
  const std::string two = "Nodes 4\nConnections 2\nTriggers 1\n0->1 start 0 size 10 send_done_trigger 1\n";
  CHECK(refusal(two + "2->3 trigger 1 size 10\ntrigger id 1 oneshot\n") ==
        "a.cm:5: trigger 1 is fired by 0->1 in line 4, which host 2 has no part in: hosts learn of each other by "
        "messages alone");
  CHECK(refusal(two + "0->3 trigger 1 size 10\ntrigger id 1 barrier count 2\n") ==
        "a.cm:5: the connection never begins: trigger 1 is not fired often enough");
  CHECK(refusal("Nodes 4\nConnections 2\nTriggers 2\n0->1 trigger 1 size 10 send_done_trigger 2\n"
                "0->2 trigger 2 size 10 send_done_trigger 1\ntrigger id 1 oneshot\ntrigger id 2 oneshot\n") ==
        "a.cm:4: the connection never begins: trigger 1 is not fired often enough");
  CHECK(refusal(head + "Failures 1\n0->1 start 0 size 10\nfailure switch_type TOR switch_id 0 link_id 0\n") ==
        "a.cm:1: failures in a connection matrix are not read: write them as [[fault]] in the scenario");
}

}  // namespace rocelab::sim
