// Swift: Kumar et al., "Swift: Delay is Simple and Effective for Congestion Control in the Datacenter", SIGCOMM 2020,
// algorithm 1. A window that grows additively below a target delay and shrinks in proportion to the excess above it, at
// most once a round trip; below one packet it becomes a pause between packets. The target grows with the path's hops
// and as the window shrinks. The delay is the whole round trip: the fabric's part of it, as nothing here delays hosts.
// One a QP.
#pragma once

#include <cstdint>

#include "rxe/congestion/congestion.h"
#include "rxe/congestion/rtt_samples.h"

namespace rocelab::rxe {

class Swift final : public CongestionController {
 public:
  static constexpr std::uint64_t kPacket = 1u << 16;  ///< a window of one packet in fixed point

  Swift(std::uint64_t line_bits_per_s, std::uint32_t packet_bytes, const SwiftParameters& parameters);

  std::uint64_t rate_bits_per_s() const override { return line_; }
  std::uint64_t window() const { return cwnd_; }  ///< in units of packet / kPacket
  Duration target() const;

  /// An acknowledgement of so many packets with its round trip.
  void on_delay(TimePoint now, Duration rtt, std::uint64_t packets);
  void on_loss(TimePoint now, Loss loss) override;

 private:
  void sent(TimePoint now, const SentInfo& info) override;
  void acked(TimePoint now, const AckInfo& info) override;
  void set_cwnd(TimePoint now, std::uint64_t cwnd);
  bool may_decrease(TimePoint now) const;

  SwiftParameters parameters_;
  std::uint64_t line_;
  std::uint32_t packet_bytes_;
  std::uint64_t cwnd_;
  std::uint64_t cwnd_min_, cwnd_max_;
  std::int64_t scaling_ps_;     ///< alpha of section 3.5, for a window of one packet
  std::int64_t scaling_least_;  ///< what flow scaling gives at fs_max_cwnd: -beta of section 3.5
  Duration rtt_;                ///< the last one seen
  TimePoint decreased_;
  bool decreased_once_ = false;
  std::uint32_t retransmits_ = 0;
  std::uint64_t unreported_ = 0;  ///< bytes acknowledged without a round trip
  RttSamples samples_;
};

}  // namespace rocelab::rxe
