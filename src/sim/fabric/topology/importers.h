// Topologies from other programs' files. `file` names the text in messages: "FILE:LINE: key `rate`: ...". Reading the
// file itself is the caller's business.
#pragma once

#include <string_view>

#include "base/result.h"
#include "sim/fabric/topology/topology.h"

namespace rocelab::sim {

/// The format of the HPCC simulator (ns-3) and its successors: "nodes switches links", then the ids of the switches,
/// then a line "a b rate delay error_rate" for each link (rate as 100Gbps, delay as 1000ns, the share of packets lost).
/// Ids of hosts and switches may be mixed; TopologyNode::file_id keeps them.
base::TextResult<Topology> import_hpcc(std::string_view text, std::string_view file);

/// htsim's `.topo`: a fat tree of two or three tiers by Nodes, Tiers, Podsize and per tier Downlink_speed_Gbps,
/// Radix_Down, Radix_Up, Downlink_Latency_ns, Switch_Latency_ns, Bundle, Oversubscribed. Queue_up and Queue_down are
/// read and left to the scenario's switch options.
base::TextResult<Topology> import_htsim(std::string_view text, std::string_view file);

/// Our own, TOML; documented in docs/topology.md.
base::TextResult<Topology> import_toml(std::string_view text, std::string_view file);

}  // namespace rocelab::sim
