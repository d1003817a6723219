// DCQCN's reaction point as Mellanox's implementation has it, after the model in the HPCC authors' ns-3 simulator: made
// for receivers that echo marks with each acknowledgement. Two clocks start with a QP's first mark: at each tick of the
// one alpha rises if there was a mark since the tick before, and falls otherwise; at each tick of the other the rate is
// cut if there was one. So many marks within a tick count once, and the first cut comes one interval after the first
// mark. A timer that starts at a cut raises the rate again, by itself; there is no byte counter. The QP keeps alpha
// when it is back at line rate. Integer arithmetic only.
#pragma once

#include <cstdint>

#include "rxe/congestion/congestion.h"

namespace rocelab::rxe {

class ClockedDcqcn final : public CongestionController {
 public:
  static constexpr std::uint64_t kAlphaOne = 1u << 20;  ///< alpha = 1 in fixed point

  /// Uses all of the parameters but increase_bytes; decrease_interval_min is the interval of cuts.
  ClockedDcqcn(std::uint64_t line_bits_per_s, const DcqcnParameters& parameters);

  void on_cnp(TimePoint now) override;
  void on_timer(TimePoint now) override;
  std::uint64_t rate_bits_per_s() const override { return rate_; }

  std::uint64_t target_bits_per_s() const { return target_; }
  /// In units of 1/kAlphaOne, as of the last mark or cut.
  std::uint64_t alpha() const { return alpha_; }

 private:
  void sent(TimePoint now, const SentInfo& info) override;
  void acked(TimePoint now, const AckInfo& info) override;
  TimePoint next_cut_tick(TimePoint now) const;
  void tick_alpha(TimePoint now);
  void cut(TimePoint at);
  void increase();
  void arm();

  DcqcnParameters parameters_;
  std::uint64_t line_;
  std::uint64_t rate_;
  std::uint64_t target_;
  std::uint64_t alpha_ = kAlphaOne;
  std::uint32_t stage_ = 0;        ///< increases since the last cut
  bool clocks_run_ = false;        ///< there has been a mark
  bool marked_for_alpha_ = false;  ///< since the last tick
  bool marked_for_cut_ = false;
  TimePoint origin_;      ///< of the clock of cuts
  TimePoint cut_tick_;    ///< the next one, while marked_for_cut_
  TimePoint alpha_tick_;  ///< the last one; ticks are made up for when alpha is asked for
  TimePoint increase_deadline_;
};

}  // namespace rocelab::rxe
