// Congestion control of one QP as a strategy object. The requester asks next_send_time() and window_bytes() before each
// packet of its own (responses are not paced), reports what it sent and what came back, and keeps next_timer() among
// the QP's deadlines. No strategy is a null pointer: a QP without congestion control pays one predictable branch; what
// is asked for every packet is answered inline from the base. Integer arithmetic only. Rates in bits/s.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/time.h"
#include "rxe/congestion/parameters.h"
#include "wire/telemetry.h"

namespace rocelab::rxe {

/// A packet that has been handed over.
struct SentInfo {
  std::uint32_t wire_bytes = 0;
  std::uint64_t psn = 0;  ///< in the requester's 64-bit numbering
  bool repeated = false;  ///< sent before: an answer does not say to which
};

/// An acknowledgement that has arrived.
struct AckInfo {
  std::uint64_t bytes = 0;                          ///< newly acknowledged, in whole packets
  std::uint64_t psn = 0;                            ///< that it answers
  std::uint64_t next_psn = 0;                       ///< of the next packet to be sent
  bool ecn_echo = false;                            ///< the packet that it answers met congestion
  std::span<const wire::HopTelemetry> telemetry{};  ///< of the packet that it answers
};

enum class Loss : std::uint8_t { kNak, kTimeout };

class CongestionController {
 public:
  static constexpr std::uint64_t kNoWindow = ~0ull;

  virtual ~CongestionController() = default;

  void on_send(TimePoint now, const SentInfo& info) {
    if (hears_sends_) sent(now, info);
  }
  void on_send(TimePoint now, std::uint32_t wire_bytes) { on_send(now, SentInfo{wire_bytes, 0, false}); }
  /// When the next packet may go: `now` when at once.
  TimePoint next_send_time(TimePoint now) const { return paced_ && paced_until_ > now ? paced_until_ : now; }
  /// A packet may go while fewer bytes than this are in flight.
  std::uint64_t window_bytes() const { return window_; }
  void on_ack(TimePoint now, const AckInfo& info) {
    if (hears_acks_ || info.ecn_echo) acked(now, info);
  }
  /// A congestion notification packet has arrived (IBTA annex A17, 9.3).
  virtual void on_cnp(TimePoint now) { static_cast<void>(now); }
  /// Packets are to be sent again.
  virtual void on_loss(TimePoint now, Loss loss) { static_cast<void>(now), static_cast<void>(loss); }
  /// Spurious calls are harmless.
  virtual void on_timer(TimePoint now) { static_cast<void>(now); }
  /// Nothing while the QP sends at line rate, so that an idle device sleeps.
  std::optional<TimePoint> next_timer() const {
    if (!has_timer_) return std::nullopt;
    return timer_;
  }
  /// The present sending rate; of a strategy with a window alone, the line's.
  virtual std::uint64_t rate_bits_per_s() const = 0;
  /// Bytes in flight at most, whatever the strategy says.
  void limit_window(std::uint64_t bytes) {
    limit_ = bytes;
    set_window(window_);
  }

 protected:
  virtual void sent(TimePoint now, const SentInfo& info) { static_cast<void>(now), static_cast<void>(info); }
  virtual void acked(TimePoint now, const AckInfo& info) { static_cast<void>(now), static_cast<void>(info); }

  void set_window(std::uint64_t bytes) { window_ = bytes < limit_ ? bytes : limit_; }
  void set_timer(TimePoint at) {
    timer_ = at;
    has_timer_ = true;
  }
  void clear_timer() { has_timer_ = false; }
  /// Sets the rate at which pace() spaces packets.
  void set_pace(std::uint64_t bits_per_s);
  /// The next packet may go when one of `bytes` has left at the pace; time not used is not saved up.
  void pace(TimePoint now, std::uint32_t bytes) {
    if (paced_until_ < now) paced_until_ = now;
    paced_until_ = paced_until_ + Duration::ps(static_cast<std::int64_t>(bytes * ps_per_byte_q16_ >> 16));
  }

  bool paced_ = false;        ///< paced_until_ holds
  bool hears_sends_ = false;  ///< sent() is wanted
  bool hears_acks_ = false;   ///< acked() is wanted also without a mark
  TimePoint paced_until_;

 private:
  bool has_timer_ = false;
  TimePoint timer_;
  std::uint64_t window_ = kNoWindow;
  std::uint64_t limit_ = kNoWindow;
  std::uint64_t ps_per_byte_q16_ = 0;
};

/// nullptr for kNone without a window. `packet_bytes`: payload of a whole packet.
std::unique_ptr<CongestionController> make_congestion_controller(CongestionControl kind, std::uint64_t link_bits_per_s,
                                                                 std::uint32_t packet_bytes = 1024,
                                                                 const CongestionParameters& parameters = {});

}  // namespace rocelab::rxe
