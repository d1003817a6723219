// What a switch remembers of a paused egress queue, for its own source files. Exists once a pause has been received.
#pragma once

#include "qos/pfc_watchdog.h"
#include "sim/fabric/switch/switch.h"

namespace rocelab::sim {

struct Switch::PauseWatch {
  qos::PfcWatchdog watchdog;
  std::uint64_t since_ps = 0;   ///< the pause that was last looked at began then
  std::uint64_t probed_ps = 0;  ///< when a probe was last sent about it, 0: never
  bool check_pending = false;   ///< a kPauseCheck is scheduled
  bool storm_told = false;      ///< of the pause that began at since_ps, as is the next
  bool deadlock_told = false;
};

}  // namespace rocelab::sim
