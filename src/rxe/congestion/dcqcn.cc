// DCQCN's reaction point; the algorithm's names are given beside ours in dcqcn.h.
#include "rxe/congestion/dcqcn.h"

#include <algorithm>

#include "rxe/congestion/rates.h"

namespace rocelab::rxe {

DcqcnParameters DcqcnParameters::hpcc_simulator() {
  DcqcnParameters parameters;
  parameters.gain_shift = 8;
  parameters.alpha_interval = Duration::us(1);
  parameters.increase_interval = Duration::us(900);
  parameters.increase_bytes = 0;
  parameters.fast_recovery_steps = 1;
  parameters.additive_increase_bits_per_s = 50'000'000;
  parameters.hyper_increase_bits_per_s = 100'000'000;
  parameters.rate_min_bits_per_s = 100'000'000;
  parameters.decrease_interval_min = Duration::us(4);
  parameters.clamp_target = false;
  parameters.clocked = true;
  return parameters;
}

Dcqcn::Dcqcn(std::uint64_t line_bits_per_s, const DcqcnParameters& parameters)
    : parameters_(parameters),
      line_(std::clamp<std::uint64_t>(line_bits_per_s, 1, kLineMax)),
      rate_(line_),
      target_(line_) {
  parameters_.rate_min_bits_per_s = std::clamp<std::uint64_t>(parameters_.rate_min_bits_per_s, 1, line_);
  // An interval of 0 would expire for ever within one on_timer.
  parameters_.alpha_interval = std::max(parameters_.alpha_interval, Duration::ns(1));
  parameters_.increase_interval = std::max(parameters_.increase_interval, Duration::ns(1));
}

void Dcqcn::sent(TimePoint now, const SentInfo& info) {
  pace(now, info.wire_bytes);
  if (parameters_.increase_bytes == 0) return;
  bytes_ += info.wire_bytes;
  while (limited_ && bytes_ >= parameters_.increase_bytes) {
    bytes_ -= parameters_.increase_bytes;
    ++byte_steps_;
    increase();
  }
}

void Dcqcn::acked(TimePoint now, const AckInfo& info) {
  if (info.ecn_echo) on_cnp(now);
}

void Dcqcn::on_cnp(TimePoint now) {
  on_timer(now);  // what fell due before this CNP comes first
  const std::uint64_t gain = kAlphaOne >> parameters_.gain_shift;
  if (!limited_) {
    limited_ = hears_sends_ = paced_ = true;
    paced_until_ = now;
    target_ = rate_ = line_;
    alpha_ = kAlphaOne;
  } else {
    alpha_ = alpha_ - (alpha_ >> parameters_.gain_shift) + gain;
    alpha_deadline_ = now + parameters_.alpha_interval;
    if (now - last_cut_ < parameters_.decrease_interval_min) return;
  }
  if (parameters_.clamp_target || time_steps_ != 0 || byte_steps_ != 0) target_ = rate_;
  rate_ = std::max(parameters_.rate_min_bits_per_s, rate_ - rate_ * (alpha_ / 2) / kAlphaOne);
  set_pace(rate_);
  bytes_ = 0;
  time_steps_ = byte_steps_ = 0;
  alpha_deadline_ = now + parameters_.alpha_interval;
  increase_deadline_ = now + parameters_.increase_interval;
  set_timer(increase_deadline_);
  last_cut_ = now;
}

void Dcqcn::on_timer(TimePoint now) {
  // Ends: each pass moves a deadline later, and enough increases release the limiter.
  while (limited_ && increase_deadline_ <= now) {
    ++time_steps_;
    increase_deadline_ = increase_deadline_ + parameters_.increase_interval;
    set_timer(increase_deadline_);
    increase();
  }
  if (limited_) decay_alpha(now);
}

void Dcqcn::decay_alpha(TimePoint now) {
  for (; alpha_deadline_ <= now; alpha_deadline_ = alpha_deadline_ + parameters_.alpha_interval) {
    const std::uint64_t decay = alpha_ >> parameters_.gain_shift;
    if (decay == 0) {  // it stays; the intervals that have passed are skipped at once
      const std::int64_t intervals = (now - alpha_deadline_).count_ps() / parameters_.alpha_interval.count_ps();
      alpha_deadline_ = alpha_deadline_ + parameters_.alpha_interval * intervals;
      continue;
    }
    alpha_ -= decay;
  }
}

void Dcqcn::increase() {
  const std::uint32_t most = std::max(time_steps_, byte_steps_);
  const std::uint32_t least = std::min(time_steps_, byte_steps_);
  if (least > parameters_.fast_recovery_steps) {
    const std::uint64_t step = least - parameters_.fast_recovery_steps;
    target_ += std::min(line_, step * parameters_.hyper_increase_bits_per_s);
  } else if (most >= parameters_.fast_recovery_steps) {
    target_ += parameters_.additive_increase_bits_per_s;
  }
  target_ = std::min(target_, line_);
  rate_ = std::min(line_, (rate_ + target_ + 1) / 2);
  set_pace(rate_);
  if (rate_ == line_) {
    limited_ = hears_sends_ = paced_ = false;
    clear_timer();
    alpha_ = kAlphaOne;
    bytes_ = 0;
    time_steps_ = byte_steps_ = 0;
  }
}

}  // namespace rocelab::rxe
