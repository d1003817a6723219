// Where the progress thread blocks: the control socket, a timer, a kick, and the uplink's descriptor when the thread
// has the lead. Owned by the Driver. wait() is the thread's; arm() and kick() are called by whoever holds the engine
// lock.
#pragma once

#include "base/result.h"
#include "base/time.h"

namespace rocelab::runtime {

class Sleeper {
 public:
  Sleeper() = default;
  ~Sleeper() { close_all(); }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  base::TextResult<void> open(int control_fd, int uplink_fd);
  struct Woken {
    bool timer = false;
    bool control = false;
  };
  /// Blocks until something happens. `uplink`: arriving frames count.
  Woken wait(bool uplink);
  /// The timer fires once after `delay` (at once when it is not positive).
  void arm(base::Duration delay);
  void kick();
  /// Async-signal-safe.
  void close_all() noexcept;

 private:
  static constexpr unsigned kUplinkErrorsMax = 1000;
  void clear_uplink_error();

  int epoll_ = -1;
  int timer_ = -1;
  int event_ = -1;
  int control_ = -1;
  int uplink_ = -1;
  bool uplink_watched_ = false;
  unsigned uplink_errors_ = 0;
};

}  // namespace rocelab::runtime
