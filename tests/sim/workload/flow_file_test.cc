// Flow lists: what is read, and the message for each kind of mistake.
#include "sim/workload/plan/flow_file.h"

#include "tests/support/catch.h"

namespace rocelab::sim {

namespace {

/// Four hosts on a switch; only names and numbers matter here.
Topology four_hosts() {
  Topology topology;
  topology.host_count = 4;
  for (int i = 0; i < 4; ++i) {
    topology.nodes.emplace_back();
    topology.nodes.back().name = "host" + std::to_string(i);
  }
  topology.nodes.emplace_back();
  topology.nodes.back().name = "leaf0";
  return topology;
}

struct Reader {
  Topology topology = four_hosts();
  NodeNames names{topology};
  base::TextResult<std::vector<ListedFlow>> csv(std::string_view text) const {
    return parse_flow_csv(text, "f.csv", names, topology.host_count);
  }
  base::TextResult<std::vector<ListedFlow>> hpcc(std::string_view text) const {
    return parse_hpcc_flows(text, "flow.txt", names, topology.host_count, true);
  }
};

}  // namespace

TEST_CASE("flow file: CSV columns come in any order, hosts by name or number", "[sim][workload]") {
  const Reader reader;
  const auto flows =
      reader.csv("# a comment\nstart,source,destination,bytes,priority\n1.5us,host0,2,1MB,5\n\n0ns,3,host1,64,\n");
  REQUIRE(flows);
  REQUIRE(flows->size() == 2);
  CHECK((*flows)[0].source == 0);
  CHECK((*flows)[0].destination == 2);
  CHECK((*flows)[0].bytes == 1'000'000);
  CHECK((*flows)[0].start_ps == 1'500'000);
  CHECK((*flows)[0].priority == 5);
  CHECK((*flows)[1].priority == -1);
}

TEST_CASE("flow file: mistakes in CSV are named with their line", "[sim][workload]") {
  const Reader reader;
  const std::string header = "source,destination,bytes,start\n";
  CHECK(reader.csv("").error() ==
        "f.csv:1: the file is empty: a header line \"source,destination,bytes,start\" is expected");
  CHECK(reader.csv("source,dest,bytes,start\n").error() ==
        "f.csv:1: column `dest` is none of source, destination, bytes, start, priority");
  CHECK(reader.csv("source,bytes,start\n").error() == "f.csv:1: column `destination` is missing");
  CHECK(reader.csv("source,source,bytes,start\n").error() == "f.csv:1: column `source` is there twice");
  CHECK(reader.csv(header + "host0,host9,1MB,0us\n").error() == "f.csv:2: there is no host `host9`");
  CHECK(reader.csv(header + "host0,leaf0,1MB,0us\n").error() == "f.csv:2: `leaf0` is a switch, not a host");
  CHECK(reader.csv(header + "1,host1,1MB,0us\n").error() == "f.csv:2: host `1` sends to itself");
  CHECK(reader.csv(header + "0,1,0,0us\n").error() == "f.csv:2: column `bytes`: must not be zero");
  CHECK(reader.csv(header + "0,1,5,0\n").error() ==
        "f.csv:2: column `start`: `0` has no unit; write it like \"1.5us\"");
  CHECK(reader.csv(header + "0,1,5\n").error() == "f.csv:2: 3 values, the header has 4 columns");
}

TEST_CASE("flow file: the format of HPCC's simulator", "[sim][workload]") {
  const Reader reader;
  const auto flows = reader.hpcc("2 \n0 2 3 100 250000000 2.000000000\n1 3 3 100 125000000 2.005000577\n");
  REQUIRE(flows);
  CHECK((*flows)[1].start_ps == 2'005'000'577'000);
  CHECK((*flows)[1].priority == 3);
  CHECK(reader.hpcc("3\n0 2 3 100 5 2.0\n").error() == "flow.txt:2: the file ends after 1 of 3 flows");
  CHECK(reader.hpcc("1\n0 2 3 100 5 2.0\n0 1 3 100 5 2.0\n").error() ==
        "flow.txt:3: more than the 1 flows that the first line announces");
  CHECK(reader.hpcc("1\n0 0 3 100 5 2.0\n").error() == "flow.txt:2: host `0` sends to itself");
  CHECK(reader.hpcc("1\n0 1 9 100 5 2.0\n").error() == "flow.txt:2: `9` is not a priority group (0 to 7)");
  CHECK(reader.hpcc("1\n0 1 3 100 2.0\n").error() ==
        "flow.txt:2: 5 values instead of 6 (source, destination, priority group, port, bytes, start)");
  CHECK_FALSE(reader.hpcc("many\n"));
}

}  // namespace rocelab::sim
