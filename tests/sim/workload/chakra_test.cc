// Chakra traces, written byte by byte here so that the field numbers are checked against the format's and not against
// our own .proto.
#include "sim/workload/trace/chakra.h"

#include "tests/sim/workload/plan_model.h"
#include "tests/support/catch.h"

namespace rocelab::sim {

namespace {

std::string varint(std::uint64_t value) {
  std::string out;
  while (value >= 0x80) {
    out.push_back(static_cast<char>(0x80 | (value & 0x7f)));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
  return out;
}
std::string number(unsigned field, std::uint64_t value) { return varint(field << 3) + varint(value); }
std::string bytes(unsigned field, const std::string& value) {
  return varint(field << 3 | 2) + varint(value.size()) + value;
}

/// Attribute: name = 1, int64 = 9, uint64 = 13, string = 29.
std::string attribute(const std::string& name, std::uint64_t value) {
  return bytes(10, bytes(1, name) + number(9, value));
}
std::string attribute(const std::string& name, const char* value) {
  return bytes(10, bytes(1, name) + bytes(29, value));
}

/// Node: id = 1, name = 2, type = 3, ctrl_deps = 4, data_deps = 5 (packed), start = 6, duration = 7, attr = 10.
std::string node(std::uint64_t id, unsigned type, std::vector<std::uint64_t> dependencies,
                 const std::string& more = {}) {
  std::string packed;
  for (const std::uint64_t d : dependencies) packed += varint(d);
  return number(1, id) + bytes(2, "node" + std::to_string(id)) + number(3, type) +
         (packed.empty() ? "" : bytes(5, packed)) + number(6, 99) + more;
}
std::string trace(const std::vector<std::string>& nodes) {
  const std::string metadata = bytes(1, "0.0.4");
  std::string out = varint(metadata.size()) + metadata;
  for (const std::string& n : nodes) out += varint(n.size()) + n;
  return out;
}

constexpr unsigned kCompute = 4, kSend = 5, kReceive = 6, kCollective = 7;

std::string compute(std::uint64_t id, std::uint64_t us, std::vector<std::uint64_t> dependencies) {
  return node(id, kCompute, std::move(dependencies), number(7, us));
}
std::string send(std::uint64_t id, std::uint64_t to, std::uint64_t size, std::vector<std::uint64_t> dependencies) {
  return node(id, kSend, std::move(dependencies),
              attribute("comm_dst", to) + attribute("comm_size", size) + attribute("comm_tag", 7));
}
std::string receive(std::uint64_t id, std::uint64_t from, std::vector<std::uint64_t> dependencies) {
  return node(id, kReceive, std::move(dependencies), attribute("comm_src", from) + attribute("comm_tag", 7));
}
std::string collective(std::uint64_t id, std::uint64_t type, std::uint64_t size,
                       std::vector<std::uint64_t> dependencies, const char* group = "") {
  return node(id, kCollective, std::move(dependencies),
              attribute("comm_type", type) + attribute("comm_size", size) + attribute("pg_name", group));
}

TraceWorkload workload(const std::vector<std::string>& ranks) {
  TraceWorkload out;
  for (std::uint32_t r = 0; r < ranks.size(); ++r) {
    out.ranks.push_back(parse_chakra(ranks[r], "rank" + std::to_string(r)).value());
    out.hosts.push_back(r);
  }
  return out;
}

std::string plan_problem(const TraceWorkload& w) {
  Plan plan;
  const auto added = add_trace(plan, w);
  return added ? std::string() : added.error();
}

}  // namespace

TEST_CASE("chakra: nodes are read by the documented field numbers", "[sim][workload]") {
  const auto nodes =
      parse_chakra(trace({compute(1, 25, {}), send(2, 3, 4096, {1}), collective(9, 7, 1 << 20, {1, 2}, "dp")}), "t");
  REQUIRE(nodes);
  REQUIRE(nodes->size() == 3);
  CHECK((*nodes)[0].kind == TraceNodeKind::kCompute);
  CHECK((*nodes)[0].duration_ps == 25'000'000);
  CHECK((*nodes)[1].peer == 3);
  CHECK((*nodes)[1].bytes == 4096);
  CHECK((*nodes)[1].tag == 7);
  CHECK((*nodes)[2].collective == Collective::kReduceScatter);
  CHECK((*nodes)[2].group == "dp");
  CHECK((*nodes)[2].dependencies == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("chakra: computation, messages and collectives become a plan that ends when it should", "[sim][workload]") {
  // Rank 0 computes 10 us and sends; rank 1 receives, computes 5 us; then both all-reduce in two ring steps.
  const TraceWorkload w = workload({trace({compute(1, 10, {}), send(2, 1, 100, {1}), collective(3, 0, 1000, {2})}),
                                    trace({receive(1, 0, {}), compute(2, 5, {1}), collective(3, 0, 1000, {2})})});
  Plan plan;
  REQUIRE(add_trace(plan, w));
  const test::PlanModel model(plan, 1'000'000);
  CHECK(model.stuck() == 0);
  CHECK(model.end_ps() == (10 + 1 + 5 + 2) * 1'000'000);
}

TEST_CASE("chakra: collectives are those of their process group", "[sim][workload]") {
  TraceWorkload w = workload({trace({collective(1, 0, 1000, {}, "a")}), trace({collective(1, 0, 1000, {}, "b")}),
                              trace({collective(1, 0, 1000, {}, "a")}), trace({collective(1, 0, 1000, {}, "b")})});
  w.groups = parse_process_groups("{\"a\": [0, 2], \"b\": [1, 3]}", "g.json").value();
  Plan plan;
  REQUIRE(add_trace(plan, w));
  CHECK(test::PlanModel(plan, 1'000'000).end_ps() == 2'000'000);  // two ranks each, in parallel
  w.groups["a"] = {0, 2, 0};
  CHECK(plan_problem(w) == "group `a` names a rank twice");
  w.groups["a"] = {0, 1};
  CHECK_FALSE(plan_problem(w).empty());
}

TEST_CASE("chakra: damaged and contradictory traces are refused with rank and node", "[sim][workload]") {
  const std::string good = trace({compute(1, 10, {})});
  CHECK(parse_chakra("", "t").error() == "t: does not begin with the metadata of a Chakra trace");
  for (std::size_t cut = 9; cut < good.size(); ++cut) CHECK_FALSE(parse_chakra(good.substr(0, cut), "t"));
  CHECK(parse_chakra(trace({node(4, kSend, {})}), "t").error() == "t: node 4: has no `comm_src` or `comm_dst`");
  CHECK(parse_chakra(trace({node(4, kCollective, {}, attribute("comm_type", 1))}), "t").error() ==
        "t: node 4: its `comm_type` is not supported (reduce, gather and scatter are not)");
  CHECK(plan_problem(workload({trace({compute(1, 10, {5})})})) ==
        "rank 0: node 1 `node1`: depends on node 5, which is missing");
  CHECK(plan_problem(workload({trace({compute(1, 10, {2}), compute(2, 10, {1})})})) ==
        "rank 0: node 1 `node1`: its dependencies go round in a circle");
  CHECK(plan_problem(workload({trace({send(1, 1, 10, {})}), trace({compute(1, 1, {})})})) ==
        "rank 0: node 1 `node1`: 1 sends with tag 7 from rank 0 to rank 1 meet 0 receives");
  CHECK(plan_problem(workload({trace({receive(1, 1, {})}), trace({compute(1, 1, {})})})) ==
        "rank 0: node 1 `node1`: nobody sends what it waits for");
  CHECK(plan_problem(workload({trace({send(1, 5, 10, {})})})) ==
        "rank 0: node 1 `node1`: its peer is rank 5; there are 1 ranks");
  CHECK(plan_problem(workload({trace({collective(1, 0, 10, {})}), trace({collective(1, 0, 20, {})})})) ==
        "rank 1: node 1 `node1`: does not match node 1 of rank 0");
  CHECK_FALSE(parse_process_groups("[1]", "g.json"));
  CHECK_FALSE(parse_process_groups("{\"a\": [\"x\"]}", "g.json"));
}

}  // namespace rocelab::sim
