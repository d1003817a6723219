// The rates of long flows under max-min fairness, by water filling: all rates rise together until a link is full, the
// flows through it stay as they are, the others go on (Bertsekas and Gallager, Data Networks, 6.5.2). The oracle that
// simulated congestion control is held against; it knows nothing of packets.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/fabric/routing/tables.h"

namespace rocelab::sim {

struct LongFlow {
  std::uint32_t source = 0;  ///< host
  std::uint32_t destination = 0;
};

/// Bits per second of each flow. Flows over several equal paths are spread evenly over them, as perfect spraying would.
std::vector<double> max_min_rates(const RoutingMap& map, const RoutingTables& tables,
                                  const std::vector<LongFlow>& flows);

}  // namespace rocelab::sim
