// What a switch noticed that a person should know. Kept per switch in order of time; the experiment merges them and
// gives nodes their names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/kernel/context.h"

namespace rocelab::sim {

enum class FindingKind : std::uint8_t {
  kDeadlock,          ///< a cycle of paused ports, each waiting for the next
  kPauseStorm,        ///< a port with packets to send has been paused without a break for long
  kWatchdogStorm,     ///< the PFC watchdog has acted on a queue
  kWatchdogRestored,  ///< and has let it go again
  kLosslessDrop,      ///< a packet of a lossless class was dropped for want of headroom: the first one of the group
};

/// An egress port of some switch.
struct PortRef {
  NodeId node = kNoNode;
  std::uint16_t port = 0;
  friend bool operator==(const PortRef&, const PortRef&) = default;
};

struct Finding {
  FindingKind kind = FindingKind::kDeadlock;
  std::uint8_t priority = 0;
  PortRef where;
  NodeId peer = kNoNode;  ///< at the other end of that port
  TimePoint at;
  Duration lasted;             ///< paused so far; zero where it means nothing
  std::vector<PortRef> cycle;  ///< kDeadlock: beginning with `where`
};

/// "pfc_deadlock" and so on.
const char* name(FindingKind kind);
/// A sentence; `node_name(id)` says what people call a node.
template <class NodeName>
std::string to_string(const Finding& finding, NodeName node_name);

/// The sentence's parts, for to_string().
std::string describe(const Finding& finding, const std::string& node, const std::string& peer,
                     const std::vector<std::string>& cycle);

template <class NodeName>
std::string to_string(const Finding& finding, NodeName node_name) {
  std::vector<std::string> cycle;
  for (const PortRef& ref : finding.cycle) cycle.push_back(std::string(node_name(ref.node)));
  return describe(finding, std::string(node_name(finding.where.node)), std::string(node_name(finding.peer)), cycle);
}

}  // namespace rocelab::sim
