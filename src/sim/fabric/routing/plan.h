// The tables of a whole run: one set for each state of the links that the fault script brings, computed before the run
// and shared where the state is the same, and what a person should know about them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/fabric/routing/routing.h"

namespace rocelab::sim {

struct LinkTransition {
  base::TimePoint at;
  std::uint32_t link = 0;
  bool up = false;
};

struct RoutingFinding {
  enum class Kind : std::uint8_t {
    kUnreachable,  ///< pairs of hosts without a path
    kRoutesLoop,   ///< explicit routes lead packets round in circles or to a dead end
    kMayDeadlock,  ///< under PFC the routes allow a cycle of ports, each waiting for the next
  };
  Kind kind = Kind::kUnreachable;
  base::TimePoint at;  ///< from when on
  std::string text;    ///< a sentence with the names of the nodes
};
/// "unreachable" and so on.
const char* name(RoutingFinding::Kind kind);

struct RoutingPlanOptions {
  RoutingPaths paths = RoutingPaths::kAuto;
  base::Duration convergence;         ///< from a change of a link to the new tables
  std::vector<ExplicitRoute> routes;  ///< checked by check_routes()
  bool lossless = false;              ///< look for possible deadlocks
};

struct RoutingPlan {
  std::vector<RoutingEpoch> epochs;
  std::vector<RoutingFinding> findings;
};

/// `transitions` in order of time.
RoutingPlan plan_routing(const RoutingMap& map, const RoutingPlanOptions& options,
                         const std::vector<LinkTransition>& transitions);

/// Numbers in range and ports that exist; the first mistake as a sentence.
base::TextResult<void> check_routes(const RoutingMap& map, const std::vector<ExplicitRoute>& routes);

}  // namespace rocelab::sim
