// Forwarding tables of all switches for one state of the links. Destinations are grouped by the switch that their hosts
// hang on, so a table has an entry of two bytes per edge switch: 8,192 hosts of a fat tree take 1.3 MB in all. Computed
// before the run (compute_tables), read-only and shared afterwards.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "sim/fabric/topology/topology.h"

namespace rocelab::sim {

/// Which paths count.
enum class RoutingPaths : std::uint8_t {
  kAuto,  ///< kUpDown where every link between switches joins two tiers, kDimensionOrder for a torus, else kShortest
  kShortest,        ///< all paths with the fewest hops
  kUpDown,          ///< the shortest of those that never go up again after they went down: cannot deadlock under PFC
  kDimensionOrder,  ///< torus: the first differing dimension first, the shorter way round; kShortest while links are
                    ///< down
};

/// An entry of a table: a port (top bit set), a group of equal ports, or one of the two below.
using RouteEntry = std::uint16_t;
inline constexpr RouteEntry kEntryPort = 0x8000;   ///< | port
inline constexpr RouteEntry kEntryNone = 0xffff;   ///< no path
inline constexpr RouteEntry kEntryLocal = 0x7fff;  ///< the destination hangs on this switch: HostPlace::port

struct PortGroup {
  std::uint32_t first = 0;  ///< in SwitchTable::ports
  std::uint32_t count = 0;  ///< 2 or more
};

struct SwitchTable {
  std::vector<RouteEntry> by_edge;  ///< index: HostPlace::edge
  std::vector<RouteEntry> by_host;  ///< explicit routes: where it is not empty it is asked instead of by_edge
  std::vector<PortGroup> groups;
  std::vector<std::uint16_t> ports;

  bool operator==(const SwitchTable& other) const;
};

/// Where a host hangs.
struct HostPlace {
  std::uint16_t edge = 0;  ///< dense number of its switch among those that have hosts
  std::uint16_t port = 0;  ///< of that switch
};

/// An explicit route: at `switch_index`, packets for `destination` leave by one of these ports.
struct ExplicitRoute {
  std::uint32_t switch_index = 0;
  std::uint32_t destination = 0;  ///< host
  std::vector<std::uint16_t> ports;
};

/// What does not change when links fail.
struct RoutingMap {
  explicit RoutingMap(const Topology& topology);
  const Topology& topology;
  Adjacency adjacency;
  std::vector<HostPlace> hosts;
  std::vector<std::uint32_t> edge_switches;  ///< edge number -> switch index
};

struct RoutingTables {
  std::vector<std::shared_ptr<const SwitchTable>> switches;
};

/// The paths that `kAuto` stands for.
RoutingPaths resolve_paths(const Topology& topology, RoutingPaths paths);

/// `link_down`: one entry a link, true for those out of service. Switch tables equal to those of `previous` (null:
/// none) are shared with it.
RoutingTables compute_tables(const RoutingMap& map, const std::vector<bool>& link_down, RoutingPaths paths,
                             const std::vector<ExplicitRoute>& routes, const RoutingTables* previous);

/// The candidate ports for an entry, for checks and drawings (the run itself uses Routing::egress).
std::vector<std::uint16_t> ports_of_entry(const SwitchTable& table, RouteEntry entry, std::uint16_t local_port);

/// Pairs of hosts that have no path although both exist; hosts whose own link is down count too.
struct Unreachable {
  std::uint64_t pairs = 0;  ///< ordered pairs of hosts
  std::uint32_t from = 0;   ///< the first such pair
  std::uint32_t to = 0;
};
Unreachable find_unreachable(const RoutingMap& map, const RoutingTables& tables, const std::vector<bool>& link_down);

}  // namespace rocelab::sim
