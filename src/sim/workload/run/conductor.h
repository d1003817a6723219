// Knows when all hosts have done what they had to do, and then asks the kernel to stop: samplers, timers and scripted
// faults may go on for ever. A node of its own to which every host reports by an event, so that the end is the same on
// any number of threads.
#pragma once

#include <cstdint>

#include "sim/kernel/context.h"
#include "sim/kernel/node.h"

namespace rocelab::sim {

class Conductor final : public Node {
 public:
  /// `latency`: of the reports, and so the time that is left to the fabric to come to rest.
  explicit Conductor(Duration latency) : latency_(latency) {}

  Duration latency() const { return latency_; }
  void expect(std::uint32_t hosts) { open_ = hosts; }
  /// Called in an event of a host that has ended its last task.
  void report(Context& context) const { context.schedule(context.now() + latency_, id(), kDone, 0, 0); }
  void handle_event(Context& context, const Event&) override {
    if (open_ > 0 && --open_ == 0) context.request_stop();
  }
  bool all_done() const { return open_ == 0; }

 private:
  static constexpr std::uint16_t kDone = 1;
  Duration latency_;
  std::uint32_t open_ = 0;
};

}  // namespace rocelab::sim
