// The two states of the watchdog.
#include "qos/pfc_watchdog.h"

#include <algorithm>

namespace rocelab::qos {

PfcWatchdog::Change PfcWatchdog::look(const PfcWatchdogOptions& options, std::uint64_t now_ps, const Facts& facts) {
  if (!options.enabled) return Change::kNone;
  if (in_storm_) {
    since_ps_ = std::max(since_ps_, facts.last_pause_frame_ps);
    if (now_ps - since_ps_ < options.restoration_ps) return Change::kNone;
    in_storm_ = false;
    watching_ = false;
    return Change::kRestored;
  }
  if (!facts.paused || !facts.waiting) {
    watching_ = false;
    return Change::kNone;
  }
  if (!watching_ || facts.tx_packets != tx_packets_) {
    watching_ = true;
    since_ps_ = now_ps;
    tx_packets_ = facts.tx_packets;
    return Change::kNone;
  }
  if (now_ps - since_ps_ < options.detection_ps) return Change::kNone;
  in_storm_ = true;
  since_ps_ = facts.last_pause_frame_ps;
  return Change::kStorm;
}

std::uint64_t PfcWatchdog::next_look_ps(const PfcWatchdogOptions& options) const {
  return since_ps_ + (in_storm_ ? options.restoration_ps : options.detection_ps);
}

}  // namespace rocelab::qos
