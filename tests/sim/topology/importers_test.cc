// Files of other simulators and our own: good ones become the right topology, bad ones one message with file, line and
// key, and mutated ones never anything else.
#include "sim/fabric/topology/importers.h"

#include <fstream>
#include <sstream>

#include "base/rng.h"
#include "sim/fabric/topology/connection_matrix.h"
#include "sim/fabric/topology/text.h"
#include "tests/sim/topology/shape.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"

namespace rocelab::sim {
namespace {

std::string sample(const std::string& name) {
  std::ifstream file(test::source_path("tests/golden/sim/" + name), std::ios::binary);
  REQUIRE(file);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

template <class T>
T imported(base::TextResult<T> result) {
  if (!result) FAIL(result.error());
  return std::move(*result);
}

const TopologyLink& link_of(const Topology& t, const std::string& a, const std::string& b) {
  for (const TopologyLink& link : t.links) {
    if (t.nodes[link.a].name == a && t.nodes[link.b].name == b) return link;
  }
  FAIL("no link " << a << " " << b);
  return t.links.front();
}

TEST_CASE("import: HPCC's file with switches among the hosts keeps the file's ids", "[sim][topology]") {
  const Topology t = imported(import_hpcc(sample("hpcc_mixed.txt"), "mixed"));
  CHECK(t.host_count == 4);
  CHECK(t.switch_count() == 3);
  CHECK(t.links.size() == 6);
  const NodeNames names(t);
  CHECK(names.find("5") == 3);  // hosts 0, 2, 3, 5
  CHECK(names.find("6") == 6);  // switches 1, 4, 6
  CHECK(names.find("1") == 4);
  CHECK(names.find("host5") == 3);
  CHECK(names.find("switch1") == 4);
  CHECK(!names.find("7"));
  CHECK(!names.find("host1"));
  CHECK(t.nodes[6].tier == 2);
  CHECK(link_of(t, "host3", "switch4").rate_bps == 25'000'000'000);
  CHECK(link_of(t, "host5", "switch4").delay == base::Duration::us(1));
  CHECK(link_of(t, "host2", "switch1").packet_loss_e9 == 1000);
  const RoutingMap map(t);
  CHECK(check_all_pairs(map, tables_of(map), 4) == "");
}

TEST_CASE("import: htsim's fat tree with bundles", "[sim][topology]") {
  const Topology t = imported(import_htsim(sample("htsim_tiny.topo"), "tiny"));
  CHECK(t.host_count == 8);
  CHECK(switches_of_tier(t, 1) == 4);
  CHECK(switches_of_tier(t, 2) == 4);
  CHECK(switches_of_tier(t, 3) == 4);
  CHECK(degree_of_tier(t, 1) == 4);
  CHECK(degree_of_tier(t, 2) == 6);
  CHECK(degree_of_tier(t, 3) == 4);
  CHECK(link_of(t, "agg0", "core0").rate_bps == 100'000'000'000);
  CHECK(link_of(t, "agg0", "core2").delay == base::Duration::us(2));
  CHECK(t.switch_at(4).latency == base::Duration::ns(50));
  const RoutingMap map(t);
  CHECK(check_all_pairs(map, tables_of(map), 6) == "");
  CHECK(paths_between(map, tables_of(map), 0, 7).paths == 2 * 4 * 2);
}

TEST_CASE("import: htsim's two tiers, keys in lower case", "[sim][topology]") {
  const Topology t = imported(import_htsim(sample("htsim_leaf_spine.topo"), "leaf_spine"));
  CHECK(t.host_count == 8);
  CHECK(t.switch_count() == 4);
  CHECK(degree_of_tier(t, 1) == 6);
  CHECK(bisection_bps(t) == 200'000'000'000);
}

TEST_CASE("import: our own file with names, defaults and parallel links", "[sim][topology]") {
  const Topology t = imported(import_toml(sample("two_sites.toml"), "two_sites.toml"));
  CHECK(t.host_count == 4);
  CHECK(t.links.size() == 6);
  CHECK(link_of(t, "a1", "site_a").rate_bps == 25'000'000'000);
  const TopologyLink& line = link_of(t, "site_a", "site_b");
  CHECK(line.delay == base::Duration::us(50));
  CHECK(line.packet_loss_e9 == 10'000);
  CHECK(line.bit_error_e18 == 1'000'000);
  CHECK(t.nodes[4].latency == base::Duration::ns(300));
  CHECK(t.nodes[2].group == 1);
  CHECK(NodeNames(t).find("b1") == 3);
  const RoutingMap map(t);
  CHECK(paths_between(map, tables_of(map), 0, 3).paths == 2);
}

TEST_CASE("import: htsim's connection matrix", "[sim][topology]") {
  const ConnectionMatrix m = imported(parse_connection_matrix(sample("matrix.cm"), "matrix.cm"));
  CHECK(m.nodes == 16);
  REQUIRE(m.connections.size() == 4);
  CHECK(m.connections[1].source == 4);
  CHECK(m.connections[1].destination == 13);
  CHECK(m.connections[1].bytes == 2'000'000);
  CHECK(m.connections[1].start == base::TimePoint::from_ps(1'000'000));
  CHECK(m.connections[1].priority == 3u);
  CHECK(m.connections[1].receive_done_trigger == 1);
  CHECK(!m.connections[2].start);
  CHECK(m.connections[2].trigger == 1);
  CHECK(m.connections[3].added_on_trigger);
  CHECK(m.connections[3].line == 9);
  REQUIRE(m.triggers.size() == 2);
  CHECK(m.triggers[0].kind == MatrixTriggerKind::kBarrier);
  CHECK(m.triggers[0].count == 2);
  REQUIRE(m.failures.size() == 1);
  CHECK(m.failures[0].tier == 2);
  CHECK(m.failures[0].link_id == 1);
}

struct Bad {
  const char* text;
  const char* message;
};

TEST_CASE("import: a bad HPCC file gets one message with line and key", "[sim][topology]") {
  for (const Bad& bad : std::vector<Bad>{
           {"", "f:0: key `nodes`: missing: the file ends here"},
           {"x 1 2\n", "f:1: key `nodes`: \"x\": expected a number from 0 to 1114110"},
           {"3 1 900000\n", "f:1: key `links`: \"900000\": expected a number from 0 to 1"},
           {"3 3 2\n2\n0 2 100Gbps 1us 0\n", "f:1: key `switches`: 3 of 3 nodes are switches: no host is left"},
           {"4 1 2\n3\n0 3 100Gbps 1us 0\n", "f:1: key `links`: 2 links cannot connect 4 nodes"},
           {"3 1 2\n9\n0 2 100Gbps 1us 0\n", "f:2: key `switch ids`: \"9\": expected a number from 0 to 2"},
           {"4 2 3\n2 2\n0 2 100Gbps 1us 0\n1 2 1Gbps 1us 0\n", "f:2: key `switch ids`: 2 is listed twice"},
           {"3 1 2\n2\n0 2 100Gbps 1us 0\n1 7 100Gbps 1us 0\n", "f:4: key `links`: \"7\": expected a node from 0 to 2"},
           {"3 1 2\n2\n0 2 100Gbps 1us 0\n1 1 100Gbps 1us 0\n", "f:4: key `links`: node 1 is linked to itself"},
           {"3 1 2\n2\n0 2 0Gbps 1us 0\n1 2 100Gbps 1us 0\n",
            "f:3: key `rate`: \"0Gbps\": expected a rate above 0 such as 100Gbps"},
           {"3 1 2\n2\n0 2 100Gb 1us 0\n1 2 100Gbps 1us 0\n",
            "f:3: key `rate`: \"100Gb\": expected a rate above 0 such as 100Gbps"},
           {"3 1 2\n2\n0 2 100Gbps 0ns 0\n1 2 100Gbps 1us 0\n",
            "f:3: key `delay`: \"0ns\": expected a time above 0 such as 1000ns, at most 1s"},
           {"3 1 2\n2\n0 2 100Gbps 1us 2\n1 2 100Gbps 1us 0\n",
            "f:3: key `error_rate`: \"2\": expected the share of packets lost, 0 to 1"},
           {"3 1 2\n2\n0 2 100Gbps 1us 0\n1 2 100Gbps 1us",
            "f:4: key `error_rate`: missing: 2 links announced, the file ends in number 2"},
           {"3 1 2\n2\n0 2 100Gbps 1us 0\n", "f:3: key `links`: missing: 2 links announced, the file ends in number 2"},
           {"3 1 2\n2\n0 2 1Gbps 1us 0\n1 2 1Gbps 1us 0\n0 1 1Gbps 1us 0\n",
            "f:5: key `links`: one more link after the 2 announced"},
           {"3 1 3\n2\n0 2 1Gbps 1us 0\n1 2 1Gbps 1us 0\n2 0 1Gbps 1us 0\n",
            "f:5: key `links`: nodes 0 and 2 are linked twice"},
           {"4 1 3\n3\n0 3 1Gbps 1us 0\n1 3 1Gbps 1us 0\n0 1 1Gbps 1us 0\n",
            "f: key `links`: host0 has 2 links: a host has one port"},
           {"5 2 4\n3 4\n0 3 1Gbps 1us 0\n1 4 1Gbps 1us 0\n2 4 1Gbps 1us 0\n3 0 1Gbps 1us 0\n",
            "f:6: key `links`: nodes 0 and 3 are linked twice"},
           {"6 3 5\n3 4 5\n0 3 1Gbps 1us 0\n1 4 1Gbps 1us 0\n2 4 1Gbps 1us 0\n3 5 1Gbps 1us 0\n2 5 1Gbps 1us 0\n",
            "f: key `links`: host2 has 2 links: a host has one port"},
           {"6 3 5\n2 3 4\n0 2 1Gbps 1us 0\n1 3 1Gbps 1us 0\n5 3 1Gbps 1us 0\n2 4 1Gbps 1us 0\n0 4 1Gbps 1us 0\n",
            "f: key `links`: host0 has 2 links: a host has one port"},
       }) {
    INFO(bad.text);
    const auto result = import_hpcc(bad.text, "f");
    REQUIRE(!result);
    CHECK(result.error() == bad.message);
  }
}

TEST_CASE("import: hosts without a path to each other are refused", "[sim][topology]") {
  const auto result = import_hpcc(
      "7 3 6\n4 5 6\n0 4 1Gbps 1us 0\n1 4 1Gbps 1us 0\n2 5 1Gbps 1us 0\n3 5 1Gbps 1us 0\n4 6 1Gbps 1us 0\n"
      "6 6 1Gbps 1us 0\n",
      "f");
  REQUIRE(!result);
  CHECK(result.error() == "f:8: key `links`: node 6 is linked to itself");
  const auto apart = import_toml(R"(hosts = [{name = "a"}, {name = "b"}]
switches = [{name = "s"}, {name = "t"}]
links = [{between = ["a", "s"]}, {between = ["b", "t"]}]
)",
                                 "f");
  REQUIRE(!apart);
  CHECK(apart.error() == "f: key `links`: no path from a to b");
}

TEST_CASE("import: a bad htsim file gets one message with line and key", "[sim][topology]") {
  const std::string good = sample("htsim_tiny.topo");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  struct Change {
    const char* from;
    const char* to;
    const char* message;
  };
  for (const Change& change : std::vector<Change>{
           {"Nodes 8\n", "", "f:23: key `Nodes`: missing"},
           {"Nodes 8", "Nodes 6", "f:24: key `Podsize`: 6 nodes are no multiple of 4"},
           {"Nodes 8", "Nodes 12", "f:20: key `Radix_Down`: 4: 3 pods with 2 links each need 6"},
           {"Tiers 3", "Tiers 4", "f:3: key `Tiers`: 4: expected 2 to 3"},
           {"Tiers 3", "Tiers 2", "f:24: key `Tier`: tier 2 is described, but Tiers is 2"},
           {"Tier 1", "Tier 0", "f:12: key `Tier`: tier 0 is described twice"},
           {"Tier 1", "Tier 7", "f:12: key `Tier`: 7: expected 0 to 2"},
           {"Radix_Down 2", "Radix_Down 3", "f:6: key `Radix_Down`: a pod of 4 hosts is no multiple of 3"},
           {"Radix_Up 2\n", "", "f:6: key `Radix_Up`: missing for tier 0"},
           {"Radix_Up 4", "Radix_Up 3", "f:12: key `Radix_Up`: 3 is no multiple of tier 2's bundle of 2"},
           {"Downlink_speed_Gbps 100", "Downlink_speed_Gbps 0",
            "f:21: key `Downlink_speed_Gbps`: 0: expected 1 to 100000"},
           {"Downlink_speed_Gbps 200", "Downlink_speed_Gbps fast",
            "f:7: key `Downlink_speed_Gbps`: \"fast\": expected a number"},
           {"Downlink_speed_Gbps 200", "Colour 3", "f:7: key `\"Colour\"`: unknown key"},
           {"Downlink_speed_Gbps 200", "Bundle 1\nBundle 1", "f:8: key `Bundle`: given twice for one tier"},
           {"Podsize 4", "Podsize 4\nBundle 1", "f:5: key `Bundle`: stands before the first Tier"},
       }) {
    INFO(change.from << " -> " << change.to);
    const auto result = import_htsim(with(change.from, change.to), "f");
    REQUIRE(!result);
    CHECK(result.error() == change.message);
  }
}

TEST_CASE("import: a bad file of our own gets one message with line and key", "[sim][topology]") {
  const std::string nodes = "hosts = [{name = \"a\"}, {name = \"b\"}]\nswitches = [{name = \"s\"}]\n";
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {"hosts = 3", "f:1: key `hosts`: expected [[hosts]] tables"},
           {"colour = 3", "f:1: unknown key \"colour\": expected one of defaults, hosts, switches, links"},
           {nodes, "f: key `links`: missing"},
           {nodes + "[[links]]\nbetween = [\"a\", \"x\"]\n", "f:4: key `between`: \"\"x\"\": there is no such node"},
           {nodes + "[[links]]\nbetween = [\"a\"]\n", "f:4: key `between`: expected the names of two nodes"},
           {nodes + "[[links]]\nbetween = [\"a\", \"a\"]\n", "f:4: key `between`: a is linked to itself"},
           {nodes + "[[links]]\nbetween = [\"a\", \"s\"]\nrate = \"0Gbps\"\n",
            "f:5: key `rate`: \"\"0Gbps\"\": expected a rate above 0 such as \"100Gbps\""},
           {nodes + "[[links]]\nbetween = [\"a\", \"s\"]\nrate = 100\n",
            "f:5: key `rate`: \"100\": expected a rate above 0 such as \"100Gbps\""},
           {nodes + "[[links]]\nbetween = [\"a\", \"s\"]\nloss = 2\n",
            "f:5: key `loss`: \"2\": expected a share from 0 to 1"},
           {nodes + "[[links]]\nbetween = [\"a\", \"s\"]\nspeed = 2\n",
            "f:5: unknown key \"speed\": expected one of between, rate, delay, loss, bit_error_rate, count"},
           {nodes + "[[links]]\nbetween = [\"a\", \"s\"]\n[[links]]\nbetween = [\"s\", \"a\"]\n",
            "f:6: key `between`: s and a are linked on line 3 already: use `count` for parallel links"},
           {nodes + "[[links]]\nbetween = [\"a\", \"s\"]\n", "f: key `links`: b is not connected"},
           {"hosts = [{name = \"a\"}, {name = \"a\"}]", "f:1: key `name`: \"\"a\"\": used twice"},
           {"hosts = [{name = \"3\"}]", "f:1: key `name`: \"\"3\"\": a name is not a number"},
           {"hosts = [{}]", "f:1: key `name`: missing"},
       }) {
    INFO(text);
    const auto result = import_toml(text, "f");
    REQUIRE(!result);
    CHECK(result.error() == message);
  }
  const auto syntax = import_toml("hosts = [\n", "f");
  REQUIRE(!syntax);
  CHECK(syntax.error().starts_with("f:"));
}

TEST_CASE("import: a bad connection matrix gets one message with line and key", "[sim][topology]") {
  for (const Bad& bad : std::vector<Bad>{
           {"", "f:0: key `Nodes`: missing"},
           {"0->1 start 0 size 1\n", "f:1: key `Nodes`: missing before the first connection"},
           {"Nodes 2\nConnections 1\n", "f:2: key `Connections`: 1 announced, 0 found"},
           {"Nodes 2\nConnections 1\n0->2 start 0 size 1\n",
            "f:3: key `destination`: \"2\": expected a host from 0 to 1"},
           {"Nodes 2\nConnections 1\n1->1 start 0 size 1\n", "f:3: key `destination`: host 1 sends to itself"},
           {"Nodes 2\nConnections 1\n0->1 start 0\n", "f:3: key `size`: missing"},
           {"Nodes 2\nConnections 1\n0->1 start 0 size 0\n",
            "f:3: key `size`: \"0\": expected a number from 1 to 1125899906842624"},
           {"Nodes 2\nConnections 1\n0->1 size 5\n",
            "f:3: key `start`: missing: neither `start` nor `trigger` is given"},
           {"Nodes 2\nConnections 1\n0->1 start 0 trigger 1 size 5\n", "f:3: key `trigger`: given beside `start`"},
           {"Nodes 2\nConnections 1\n0->1 trigger 1 size 5\n", "f:3: key `trigger`: trigger 1 is not described"},
           {"Nodes 2\nConnections 1\n0->1 start -1 size 5\n", "f:3: key `start`: \"-1\": expected picoseconds"},
           {"Nodes 2\nConnections 1\n0->1 start 0 size 5 colour 3\n",
            "f:3: key `\"colour\"`: unknown: expected id, start, size, trigger, send_done_trigger, recv_done_trigger, "
            "prio, addon"},
           {"Nodes 2\nTriggers 2\ntrigger id 1 oneshot\ntrigger id 1 oneshot\n",
            "f:4: key `id`: trigger 1 is described on line 3 too"},
           {"Nodes 2\nTriggers 1\ntrigger id 1 barrier\n", "f:3: key `count`: missing: a barrier waits for that many"},
           {"Nodes 2\nColours 1\n",
            "f:2: key `\"Colours\"`: unknown: expected Nodes, Connections, Triggers, Failures, A->B, trigger or "
            "failure"},
       }) {
    INFO(bad.text);
    const auto result = parse_connection_matrix(bad.text, "f");
    REQUIRE(!result);
    CHECK(result.error() == bad.message);
  }
}

TEST_CASE("import: decimals, rates and times are read exactly", "[sim][topology]") {
  CHECK(parse_decimal("0.001", 9) == 1'000'000u);
  CHECK(parse_decimal("1e-6", 9) == 1'000u);
  CHECK(parse_decimal("0.0000000004", 9) == 0u);
  CHECK(parse_decimal("0.0000000005", 9) == 1u);
  CHECK(parse_decimal("18446744073709551615", 0) == ~0ull);
  CHECK(!parse_decimal("18446744073709551616", 0));
  CHECK(!parse_decimal("99999999999999999999999999999999999999999999", 0));
  CHECK(!parse_decimal("1e40", 9));
  CHECK(parse_decimal("0e40", 9) == 0u);
  for (const char* bad : {"", ".", "-1", "1.2.3", "1e", "1x", "e5", "1e99999999999"}) CHECK(!parse_decimal(bad, 0));
  CHECK(parse_rate("2.5Gbps") == 2'500'000'000u);
  CHECK(parse_rate("100Mb/s") == 100'000'000u);
  CHECK(parse_rate("12GB/s") == 96'000'000'000u);
  CHECK(!parse_rate("100"));
  CHECK(parse_duration("0.001ms") == base::Duration::us(1));
  CHECK(parse_duration("1000ns") == base::Duration::us(1));
  CHECK(!parse_duration("1h"));
  CHECK(!parse_duration("99999999999999s"));
}

TEST_CASE("import: mutated files end in a valid topology or a message", "[sim][topology][fuzz]") {
  const std::vector<std::string> samples = {sample("hpcc_mixed.txt"), sample("htsim_tiny.topo"),
                                            sample("htsim_leaf_spine.topo"), sample("two_sites.toml"),
                                            sample("matrix.cm")};
  base::Rng rng(7, "mutation");
  constexpr std::string_view kBytes = "0123456789 \n\t.->\"[]={}#eGbpsnum\xff\0";
  int accepted = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string text = samples[rng.below(samples.size())];
    const std::uint64_t changes = 1 + rng.below(4);
    for (std::uint64_t i = 0; i < changes && !text.empty(); ++i) {
      const std::size_t at = rng.below(text.size());
      switch (rng.below(4)) {
        case 0:
          text[at] = kBytes[rng.below(kBytes.size())];
          break;
        case 1:
          text.erase(at, 1 + rng.below(12));
          break;
        case 2:
          text.insert(at, text.substr(rng.below(text.size()), rng.below(20)));
          break;
        default:
          text.resize(at);
          break;
      }
    }
    for (const auto& result : {import_hpcc(text, "f"), import_htsim(text, "f"), import_toml(text, "f")}) {
      if (result) CHECK(validate(*result).has_value());
      if (!result) CHECK(result.error().starts_with("f:"));
      accepted += result ? 1 : 0;
    }
    const auto matrix = parse_connection_matrix(text, "f");
    if (!matrix) CHECK(matrix.error().starts_with("f:"));
  }
  CHECK(accepted > 100);
}

}  // namespace
}  // namespace rocelab::sim
