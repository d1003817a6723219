// The PFC watchdog of a queue as SONiC has it: a queue that has something to send, is paused all the time and sends
// nothing for the detection time is in a storm. Then its packets are dropped, or its pauses no longer obeyed, until no
// pause frame has come for the restoration time. Pure: told the facts whenever its caller looks, answers what changes.
#pragma once

#include <cstdint>

namespace rocelab::qos {

enum class WatchdogAction : std::uint8_t {
  kAlert,    ///< only tell
  kDrop,     ///< drop what is queued and what arrives for the queue
  kForward,  ///< send although paused
};

struct PfcWatchdogOptions {
  bool enabled = false;
  std::uint64_t detection_ps = 200'000'000'000;    ///< SONiC: detection_time, 200 ms
  std::uint64_t restoration_ps = 200'000'000'000;  ///< SONiC: restoration_time, 200 ms
  WatchdogAction action = WatchdogAction::kDrop;
};

class PfcWatchdog {
 public:
  struct Facts {
    bool paused = false;           ///< by received frames, obeyed or not
    bool waiting = false;          ///< the queue is not empty
    std::uint64_t tx_packets = 0;  ///< sent by the queue so far
    std::uint64_t last_pause_frame_ps = 0;
  };
  enum class Change : std::uint8_t { kNone, kStorm, kRestored };

  /// To be called at least as often as next_look_ps() says. `now_ps` never decreases.
  Change look(const PfcWatchdogOptions& options, std::uint64_t now_ps, const Facts& facts);
  /// When to look again although nothing happens; meaningful while active().
  std::uint64_t next_look_ps(const PfcWatchdogOptions& options) const;
  bool in_storm() const { return in_storm_; }
  /// Watching a suspicious queue, or in a storm: needs to be looked at.
  bool active() const { return in_storm_ || watching_; }

 private:
  bool watching_ = false;
  bool in_storm_ = false;
  std::uint64_t since_ps_ = 0;    ///< stuck since; in a storm: the last pause frame
  std::uint64_t tx_packets_ = 0;  ///< then
};

}  // namespace rocelab::qos
