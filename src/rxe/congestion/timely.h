// TIMELY: Mittal et al., "TIMELY: RTT-based Congestion Control for the Datacenter", SIGCOMM 2015, algorithm 1. A rate
// that follows the gradient of the round-trip time, with a lower and an upper threshold. One a QP.
#pragma once

#include <cstdint>

#include "rxe/congestion/congestion.h"
#include "rxe/congestion/rtt_samples.h"

namespace rocelab::rxe {

class Timely final : public CongestionController {
 public:
  Timely(std::uint64_t line_bits_per_s, const TimelyParameters& parameters);

  std::uint64_t rate_bits_per_s() const override { return rate_; }
  Duration rtt_difference() const { return Duration::ps(difference_ps_); }  ///< smoothed

  /// A segment's completion with its round trip.
  void on_rtt(Duration rtt);

 private:
  void sent(TimePoint now, const SentInfo& info) override;
  void acked(TimePoint now, const AckInfo& info) override;
  void on_loss(TimePoint, Loss) override { samples_.forget(); }
  void set_rate(std::uint64_t bits_per_s);

  TimelyParameters parameters_;
  std::uint64_t line_;
  std::uint64_t rate_;
  std::int64_t previous_ps_ = 0;    ///< RTT; 0: none yet
  std::int64_t difference_ps_ = 0;  ///< rtt_diff
  std::uint32_t falling_ = 0;       ///< completions in a row without a rising RTT
  std::uint64_t segment_ = 0;       ///< bytes acknowledged of the current segment
  RttSamples samples_;
};

}  // namespace rocelab::rxe
