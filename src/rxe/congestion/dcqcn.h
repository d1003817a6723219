// DCQCN's reaction point: Zhu et al., "Congestion Control for Large-Scale RDMA Deployments", SIGCOMM 2015, section 3.
// A CNP cuts the rate by alpha/2; a timer and a byte counter raise it again in three phases (fast recovery, additive,
// hyper increase); alpha follows the share of intervals with CNPs. Integer arithmetic only. Back at line rate the state
// is released, as in QCN (IEEE 802.1Qau), and no timer runs. One a QP.
#pragma once

#include <cstdint>

#include "rxe/congestion/congestion.h"

namespace rocelab::rxe {

class Dcqcn final : public CongestionController {
 public:
  static constexpr std::uint64_t kAlphaOne = 1u << 20;  ///< alpha = 1 in fixed point

  Dcqcn(std::uint64_t line_bits_per_s, const DcqcnParameters& parameters);

  void on_cnp(TimePoint now) override;
  void on_timer(TimePoint now) override;
  std::uint64_t rate_bits_per_s() const override { return rate_; }

  std::uint64_t target_bits_per_s() const { return target_; }
  std::uint64_t alpha() const { return alpha_; }  ///< in units of 1/kAlphaOne
  bool limited() const { return limited_; }       ///< below line rate

 private:
  void sent(TimePoint now, const SentInfo& info) override;
  void acked(TimePoint now, const AckInfo& info) override;
  void increase();
  void decay_alpha(TimePoint now);

  DcqcnParameters parameters_;
  std::uint64_t line_;
  std::uint64_t rate_;
  std::uint64_t target_;
  std::uint64_t alpha_ = kAlphaOne;
  std::uint64_t bytes_ = 0;       ///< sent since the byte counter last expired
  std::uint32_t time_steps_ = 0;  ///< T of the paper: expiries since the last cut
  std::uint32_t byte_steps_ = 0;  ///< BC
  bool limited_ = false;
  TimePoint alpha_deadline_;  ///< no timer: what has fallen due is applied when alpha is asked for
  TimePoint increase_deadline_;
  TimePoint last_cut_;
};

}  // namespace rocelab::rxe
