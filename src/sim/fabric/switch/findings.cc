// Findings as sentences.
#include "sim/fabric/switch/findings.h"

#include <fmt/format.h>

namespace rocelab::sim {
namespace {

std::string path(const Finding& finding, const std::vector<std::string>& cycle) {
  std::string text;
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    text += fmt::format("{} port {}, ", cycle[i], finding.cycle[i].port);
  }
  return text + (cycle.empty() ? "?" : cycle.front());
}

}  // namespace

const char* name(FindingKind kind) {
  switch (kind) {
    case FindingKind::kDeadlock:
      return "pfc_deadlock";
    case FindingKind::kPauseStorm:
      return "pfc_storm";
    case FindingKind::kWatchdogStorm:
      return "pfc_watchdog_storm";
    case FindingKind::kWatchdogRestored:
      return "pfc_watchdog_restored";
    case FindingKind::kLosslessDrop:
      return "lossless_drop";
  }
  return "unknown";
}

std::string describe(const Finding& finding, const std::string& node, const std::string& peer,
                     const std::vector<std::string>& cycle) {
  const std::string queue = fmt::format("{} port {} priority {}", node, finding.where.port, finding.priority);
  const std::int64_t lasted_us = finding.lasted.count_us();
  switch (finding.kind) {
    case FindingKind::kDeadlock:
      return fmt::format("Deadlock of priority {}: each of these ports is paused by the next: {}.", finding.priority,
                         path(finding, cycle));
    case FindingKind::kPauseStorm:
      return fmt::format("{} has been paused by {} for {} us without a break.", queue, peer, lasted_us);
    case FindingKind::kWatchdogStorm:
      return fmt::format("The PFC watchdog acts on {}: paused by {} for {} us while packets wait.", queue, peer,
                         lasted_us);
    case FindingKind::kWatchdogRestored:
      return fmt::format("The PFC watchdog restores {}: {} sends no more pause frames.", queue, peer);
    case FindingKind::kLosslessDrop:
      return fmt::format("{} dropped a packet of a lossless class from {}: the headroom is too small.", queue, peer);
  }
  return queue;
}

}  // namespace rocelab::sim
