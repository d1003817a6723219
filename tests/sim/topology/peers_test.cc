// Reads the public simulators' own files, where they are at hand: ROCELAB_PEERS names the folder. Skipped otherwise.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sim/fabric/routing/tables.h"
#include "sim/fabric/topology/connection_matrix.h"
#include "sim/fabric/topology/importers.h"

namespace rocelab::sim {
namespace {

int failures = 0;

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void expect(bool good, const std::string& what) {
  if (!good) std::printf("failed: %s\n", what.c_str());
  failures += good ? 0 : 1;
}

void expect_topology(const std::filesystem::path& path, std::uint32_t hosts, std::uint32_t switches,
                     std::size_t links) {
  const auto topology = import_hpcc(contents(path), path.string());
  expect(topology.has_value(), topology ? "" : topology.error());
  if (!topology) return;
  expect(topology->host_count == hosts && topology->switch_count() == switches && topology->links.size() == links,
         path.string() + ": the numbers of nodes and links");
  const RoutingMap map(*topology);
  const std::vector<bool> down(topology->links.size(), false);
  const RoutingTables tables = compute_tables(map, down, RoutingPaths::kAuto, {}, nullptr);
  expect(find_unreachable(map, tables, down).pairs == 0, path.string() + ": all pairs connected");
}

int run() {
  const char* peers = std::getenv("ROCELAB_PEERS");
  if (peers == nullptr || !std::filesystem::exists(std::filesystem::path(peers) / "ns3")) {
    std::printf("SKIP: the peers' files are not there (ROCELAB_PEERS)\n");
    return 77;
  }
  const std::filesystem::path ns3 = std::filesystem::path(peers) / "ns3";
  expect_topology(ns3 / "topo_line.txt", 2, 1, 2);
  expect_topology(ns3 / "topo_dumbbell.txt", 4, 2, 5);
  expect_topology(ns3 / "topo_star17.txt", 17, 1, 17);
  expect_topology(ns3 / "topo_ls128.txt", 128, 16, 192);
  expect_topology(ns3 / "topo_fat320.txt", 320, 56, 480);
  int matrices = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(peers) / "htsim")) {
    if (entry.path().extension() != ".cm") continue;
    const auto matrix = parse_connection_matrix(contents(entry.path()), entry.path().string());
    expect(matrix.has_value(), matrix ? "" : matrix.error());
    ++matrices;
  }
  expect(matrices >= 6, "six connection matrices");
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace rocelab::sim

int main() { return rocelab::sim::run(); }
