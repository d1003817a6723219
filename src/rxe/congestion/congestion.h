// Congestion control of one QP as a strategy object. The requester asks next_send_time() before each packet of its own
// (responses are not paced), reports what it sent and what came back, and keeps next_timer() among the QP's deadlines.
// No strategy is a null pointer: a QP without congestion control pays one predictable branch. Rates in bits/s.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/time.h"
#include "rxe/types.h"

namespace rocelab::rxe {

class CongestionController {
 public:
  virtual ~CongestionController() = default;

  /// A packet of `bytes` on the wire has been handed over.
  virtual void on_send(TimePoint now, std::uint32_t bytes) = 0;
  /// When the next packet may go: `now` when at once.
  virtual TimePoint next_send_time(TimePoint now) const = 0;
  /// `bytes` of payload have been acknowledged.
  virtual void on_ack(TimePoint now, std::uint64_t bytes) = 0;
  /// A congestion notification packet has arrived (IBTA annex A17, 9.3).
  virtual void on_cnp(TimePoint now) = 0;
  /// Spurious calls are harmless.
  virtual void on_timer(TimePoint now) = 0;
  /// Nothing while the QP sends at line rate, so that an idle device sleeps.
  virtual std::optional<TimePoint> next_timer() const = 0;
  /// The present sending rate.
  virtual std::uint64_t rate_bits_per_s() const = 0;
};

/// nullptr for kNone.
std::unique_ptr<CongestionController> make_congestion_controller(CongestionControl kind, std::uint64_t link_bits_per_s);

}  // namespace rocelab::rxe
