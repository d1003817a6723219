// Reads arbitrary bytes as a topology file or a connection matrix; the first byte names the format. What is accepted
// must be what the rest of the simulator relies on. With ROCELAB_CANARY the target has a bug, which the fuzzer must
// find (smoke.py asks).
#include <string>
#include <string_view>
#include <vector>

#include "sim/fabric/routing/dependency.h"
#include "sim/fabric/routing/tables.h"
#include "sim/fabric/topology/connection_matrix.h"
#include "sim/fabric/topology/importers.h"
#include "tests/fuzz/fuzz.h"

namespace rocelab::fuzz {
namespace {

constexpr std::uint32_t kNodesMax = 300;  ///< larger topologies are only validated: tables of all would take too long

#ifdef ROCELAB_CANARY
/// Takes it for granted that there are four hosts.
void planted_bug(const sim::MatrixConnection& connection) {
  const std::vector<std::uint8_t> hosts(4);
  if (connection.destination >= 100) return;
  const volatile auto beyond = *(hosts.data() + connection.destination);
  static_cast<void>(beyond);
}
#endif

void check(const base::TextResult<sim::Topology>& topology) {
  if (!topology) return demand(topology.error().rfind("input:", 0) == 0, "an error names the file");
  demand(sim::validate(*topology).has_value(), "what is imported is valid");
  if (topology->node_count() > kNodesMax) return;
  const sim::RoutingMap map(*topology);
  const std::vector<bool> down(topology->links.size(), false);
  const sim::RoutingTables tables = sim::compute_tables(map, down, sim::RoutingPaths::kShortest, {}, nullptr);
  demand(tables.switches.size() == topology->switch_count(), "a table for every switch");
  demand(sim::find_unreachable(map, tables, down).pairs == 0, "every host reaches every other");
  demand(!sim::find_broken_route(map, tables).found, "no route goes in a circle");
}

void check_matrix(std::string_view text) {
  const auto matrix = sim::parse_connection_matrix(text, "input");
  if (!matrix) return demand(matrix.error().rfind("input:", 0) == 0, "an error names the file");
  for (const sim::MatrixConnection& connection : matrix->connections) {
#ifdef ROCELAB_CANARY
    planted_bug(connection);
#endif
    demand(connection.source < matrix->nodes && connection.destination < matrix->nodes, "hosts exist");
    demand(connection.source != connection.destination && connection.bytes > 0, "something is sent to somebody else");
    demand(connection.start.has_value() != (connection.trigger != 0), "either a start or a trigger");
  }
}

}  // namespace
}  // namespace rocelab::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      rocelab::fuzz::check(rocelab::sim::import_hpcc(text, "input"));
      break;
    case 1:
      rocelab::fuzz::check(rocelab::sim::import_htsim(text, "input"));
      break;
    case 2:
      rocelab::fuzz::check(rocelab::sim::import_toml(text, "input"));
      break;
    default:
      rocelab::fuzz::check_matrix(text);
      break;
  }
  return 0;
}
