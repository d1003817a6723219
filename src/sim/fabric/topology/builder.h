// What generators and importers share: nodes added by tier and group, links at the next free ports, names, places.
// Hosts first, then switches, then links.
#pragma once

#include <string_view>

#include "sim/fabric/topology/generators.h"

namespace rocelab::sim {

class TopologyBuilder {
 public:
  TopologyBuilder(std::string_view kind, std::uint64_t hosts);

  /// Host i of all hosts.
  TopologyNode& host(std::uint32_t i) { return topology_.nodes[i]; }
  /// Adds a switch named by `role` and a number; returns its node index.
  std::uint32_t add_switch(std::string_view role, std::uint64_t number, std::uint8_t tier, std::uint32_t group);
  void link(std::uint32_t a, std::uint32_t b, const LinkSpec& spec, std::uint32_t count = 1);
  Topology& topology() { return topology_; }

  /// Places the nodes (unless `placed`), validates, and hands the topology over.
  TopologyResult<Topology> finish(bool placed = false);

 private:
  Topology topology_;
  std::vector<std::uint16_t> next_port_;
};

/// Fails with the key when `value` is not within [least, most].
TopologyResult<void> check_range(std::string_view key, std::uint64_t value, std::uint64_t least, std::uint64_t most);
/// The same for the host, switch and link numbers of a whole topology: a port number has 15 bits.
TopologyResult<void> check_hosts(std::string_view key, std::uint64_t hosts);
/// Rate and delay of a link, blamed on "KEY.rate" and "KEY.delay".
TopologyResult<void> check_spec(std::string_view key, const LinkSpec& spec);

/// Places by tier: hosts in a row, each tier of switches spread above them, ordered by what they connect below.
void place_by_tier(Topology& topology);
/// Tiers from the links: 1 for switches with hosts, then by distance from those.
void derive_tiers(Topology& topology);

}  // namespace rocelab::sim
