// DCQCN's reaction point: Zhu et al., "Congestion Control for Large-Scale RDMA Deployments", SIGCOMM 2015, section 3.
// A CNP cuts the rate by alpha/2; a timer and a byte counter raise it again in three phases (fast recovery, additive,
// hyper increase); alpha follows the share of intervals with CNPs. Integer arithmetic only. Back at line rate the state
// is released, as in QCN (IEEE 802.1Qau), and no timer runs. One a QP.
#pragma once

#include <cstdint>
#include <optional>

#include "rxe/congestion/congestion.h"

namespace rocelab::rxe {

/// The defaults are those of sigcomm15().
struct DcqcnParameters {
  unsigned gain_shift = 8;                                  ///< g = 2^-shift
  Duration alpha_interval = Duration::us(55);               ///< K: alpha decays when so long without a CNP
  Duration increase_interval = Duration::us(55);            ///< T
  std::uint64_t increase_bytes = 10'000'000;                ///< B; 0: no byte counter
  std::uint32_t fast_recovery_steps = 5;                    ///< F
  std::uint64_t additive_increase_bits_per_s = 40'000'000;  ///< R_AI
  std::uint64_t hyper_increase_bits_per_s = 200'000'000;    ///< R_HAI
  std::uint64_t rate_min_bits_per_s = 10'000'000;           ///< never below; ours, the paper names none
  Duration decrease_interval_min;                           ///< CNPs so soon after a cut do not cut again
  bool clamp_target = true;  ///< each cut lowers the target to the rate before it; else only cuts after an increase do

  /// The paper: K, T, B, F, g from section 5 and its parameter table, R_AI from section 3.2; R_HAI from its authors'
  /// ns-3 simulator, as the paper gives none.
  static DcqcnParameters sigcomm15() { return {}; }
  /// mix/config.txt of the HPCC ns-3 simulator, whose model follows Mellanox's implementation. It is meant for
  /// receivers that echo marks with each acknowledgement, hence the short alpha interval.
  static DcqcnParameters hpcc_simulator();
};

class Dcqcn final : public CongestionController {
 public:
  static constexpr std::uint64_t kAlphaOne = 1u << 20;  ///< alpha = 1 in fixed point

  Dcqcn(std::uint64_t line_bits_per_s, const DcqcnParameters& parameters);

  void on_send(TimePoint now, std::uint32_t bytes) override;
  TimePoint next_send_time(TimePoint now) const override;
  void on_ack(TimePoint now, std::uint64_t bytes) override;
  void on_cnp(TimePoint now) override;
  void on_timer(TimePoint now) override;
  std::optional<TimePoint> next_timer() const override;
  std::uint64_t rate_bits_per_s() const override { return rate_; }

  std::uint64_t target_bits_per_s() const { return target_; }
  std::uint64_t alpha() const { return alpha_; }  ///< in units of 1/kAlphaOne
  bool limited() const { return limited_; }       ///< below line rate

 private:
  void increase();

  DcqcnParameters parameters_;
  std::uint64_t line_;
  std::uint64_t rate_;
  std::uint64_t target_;
  std::uint64_t alpha_ = kAlphaOne;
  std::uint64_t bytes_ = 0;       ///< sent since the byte counter last expired
  std::uint32_t time_steps_ = 0;  ///< T of the paper: expiries since the last cut
  std::uint32_t byte_steps_ = 0;  ///< BC
  bool limited_ = false;
  TimePoint next_send_;
  TimePoint alpha_deadline_;
  TimePoint increase_deadline_;
  TimePoint last_cut_;
};

}  // namespace rocelab::rxe
