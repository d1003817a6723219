// HPCC: Li et al., "HPCC: High Precision Congestion Control", SIGCOMM 2019, algorithm 1. Each acknowledgement brings
// what the switches noted on its packet; from the most loaded link's utilisation follow a window and a pacing rate.
// Against a reference window that changes once a round trip, so that no queue is reacted to twice. One a QP.
#pragma once

#include <array>
#include <cstdint>

#include "rxe/congestion/congestion.h"

namespace rocelab::rxe {

class Hpcc final : public CongestionController {
 public:
  static constexpr std::uint64_t kOne = 1u << 20;  ///< a utilisation of 1 in fixed point

  Hpcc(std::uint64_t line_bits_per_s, Duration base_rtt, const HpccParameters& parameters);

  std::uint64_t rate_bits_per_s() const override;
  std::uint64_t utilization() const { return utilization_; }    ///< U, in units of 1/kOne
  std::uint64_t reference_bytes() const { return reference_; }  ///< W^c
  std::uint32_t stage() const { return stage_; }                ///< incStage

 private:
  void sent(TimePoint now, const SentInfo& info) override;
  void acked(TimePoint now, const AckInfo& info) override;
  /// MeasureInflight: U from this acknowledgement's records and the last one's.
  void measure(std::span<const wire::HopTelemetry> hops);
  void apply(std::uint64_t window);

  HpccParameters parameters_;
  std::uint64_t line_;
  std::uint64_t base_rtt_ps_;
  std::uint64_t window_max_;  ///< what the line carries in a round trip
  std::uint64_t window_min_;
  std::uint64_t increase_;  ///< W_AI
  std::uint64_t reference_;
  std::uint64_t utilization_ = 0;
  std::uint64_t update_psn_ = 0;  ///< lastUpdateSeq
  std::uint32_t stage_ = 0;
  std::uint32_t hop_count_ = 0;  ///< of last_; 0: none yet
  std::array<wire::HopTelemetry, wire::kTelemetryHopsMax> last_{};
};

}  // namespace rocelab::rxe
