// The fault script of a run: links that fail and come back, switches that restart, spells of bit errors. Turned into
// changes of links in order of time before the run; fabric.h schedules them as events at both ends and computes the
// forwarding tables that follow from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/fabric/routing/plan.h"
#include "sim/fabric/topology/topology.h"

namespace rocelab::sim {

struct Fault {
  enum class Kind : std::uint8_t {
    kLinkDown,      ///< until `at` + `lasts`, or a kLinkUp
    kLinkUp,        ///< ends what kLinkDown faults of the link without `lasts` began
    kSwitchReboot,  ///< queues lost, all ports down until `at` + `lasts`
    kBitErrors,     ///< of both directions of a link until `at` + `lasts`
  };
  Kind kind = Kind::kLinkDown;
  base::TimePoint at;
  base::Duration lasts;             ///< 0: for ever
  std::uint32_t target = 0;         ///< index of the link; kSwitchReboot: node index
  std::uint64_t bit_error_e18 = 0;  ///< kBitErrors: bits flipped of 10^18
};

struct BitErrorChange {
  base::TimePoint at;
  std::uint32_t link = 0;
  std::uint64_t bit_error_e18 = 0;
};

struct FaultPlan {
  std::vector<LinkTransition> links;       ///< in order of time; real changes only, however many faults overlap
  std::vector<BitErrorChange> bit_errors;  ///< in order of time
};

/// Which fault of the script is wrong, the key to blame and what is wrong with it.
struct FaultError {
  std::size_t index = 0;
  std::string key;
  std::string what;
};

tl::expected<FaultPlan, FaultError> plan_faults(const Topology& topology, const std::vector<Fault>& faults);

/// All links between two nodes, in the order of the topology.
std::vector<std::uint32_t> links_between(const Topology& topology, std::uint32_t a, std::uint32_t b);

}  // namespace rocelab::sim
