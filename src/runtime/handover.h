// Frames that the uplink has given to the wrong process of this host, on their way to the right one: over the links
// that the host's processes have anyway. An uplink that is shared by steering (UDP sockets) needs it while the steering
// is not up to date, and for QP1, which every process has. A frame waits here while its link is being made, so that the
// first datagram of a connection is not lost. Owned by the Driver; runs under its lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"
#include "net/port.h"
#include "runtime/host_counters.h"
#include "runtime/host_page.h"
#include "runtime/links.h"

namespace rocelab::runtime {

class Handover {
 public:
  static constexpr std::size_t kWaitingMax = 256;  ///< frames; more are lost, as on a network

  Handover(Links& links, HostPage& page, ProcessCounters& counters) : links_(links), page_(page), counters_(counters) {}

  /// To the process in that slot.
  void pass_on(std::uint32_t slot, net::Frame frame, TimePoint now);
  /// To every process but ours.
  void pass_to_all(net::Frame frame, TimePoint now);
  /// After a burst, and while waiting(): what has been passed on leaves, what has waited is tried again.
  void flush(TimePoint now) {
    if (active_) flush_active(now);
  }
  bool waiting() const { return !waiting_.empty(); }

 private:
  struct Waiting {
    std::uint32_t slot = 0;
    std::vector<std::byte> bytes;
  };
  enum class Outcome : std::uint8_t { kPassed, kWait, kLost };
  Outcome try_to_pass(std::uint32_t slot, net::Frame frame, TimePoint now);
  void flush_active(TimePoint now);

  Links& links_;
  HostPage& page_;
  ProcessCounters& counters_;
  std::vector<Waiting> waiting_;
  bool active_ = false;
};

}  // namespace rocelab::runtime
