// DCQCN's reaction point; the algorithm's names are given beside ours in dcqcn.h.
#include "rxe/congestion/dcqcn.h"

#include <algorithm>

namespace rocelab::rxe {

namespace {

/// 10 Tb/s: products of a rate and alpha fit 64 bits.
constexpr std::uint64_t kLineMax = 10'000'000'000'000;

/// Picoseconds that `bytes` take at `bits_per_s`. 2^20 bytes still fit: 2^20 * 8 * 10^12 < 2^64.
Duration serialization_time(std::uint32_t bytes, std::uint64_t bits_per_s) {
  constexpr std::uint64_t kPsPerSecond = 1'000'000'000'000;
  const std::uint64_t bits = std::uint64_t{std::min(bytes, 1u << 20)} * 8;
  return Duration::ps(static_cast<std::int64_t>(bits * kPsPerSecond / bits_per_s));
}

}  // namespace

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

void Dcqcn::on_send(TimePoint now, std::uint32_t bytes) {
  if (!limited_) return;
  if (next_send_ < now) next_send_ = now;  // time not used is not saved up
  next_send_ = next_send_ + serialization_time(bytes, rate_);
  if (parameters_.increase_bytes == 0) return;
  bytes_ += bytes;
  while (limited_ && bytes_ >= parameters_.increase_bytes) {
    bytes_ -= parameters_.increase_bytes;
    ++byte_steps_;
    increase();
  }
}

TimePoint Dcqcn::next_send_time(TimePoint now) const { return limited_ && next_send_ > now ? next_send_ : now; }

void Dcqcn::on_ack(TimePoint, std::uint64_t) {}  // DCQCN hears of congestion by CNPs alone

void Dcqcn::on_cnp(TimePoint now) {
  on_timer(now);  // what fell due before this CNP comes first
  const std::uint64_t gain = kAlphaOne >> parameters_.gain_shift;
  if (!limited_) {
    limited_ = true;
    next_send_ = now;
    target_ = rate_ = line_;
    alpha_ = kAlphaOne;
  } else {
    alpha_ = alpha_ - (alpha_ >> parameters_.gain_shift) + gain;
    alpha_deadline_ = now + parameters_.alpha_interval;
    if (now - last_cut_ < parameters_.decrease_interval_min) return;
  }
  if (parameters_.clamp_target || time_steps_ != 0 || byte_steps_ != 0) target_ = rate_;
  rate_ = std::max(parameters_.rate_min_bits_per_s, rate_ - rate_ * (alpha_ / 2) / kAlphaOne);
  bytes_ = 0;
  time_steps_ = byte_steps_ = 0;
  alpha_deadline_ = now + parameters_.alpha_interval;
  increase_deadline_ = now + parameters_.increase_interval;
  last_cut_ = now;
}

void Dcqcn::on_timer(TimePoint now) {
  // Ends: each pass moves a deadline later, and enough increases release the limiter.
  while (limited_) {
    const bool alpha_first = alpha_deadline_ < increase_deadline_;
    if ((alpha_first ? alpha_deadline_ : increase_deadline_) > now) return;
    if (alpha_first) {
      alpha_ -= alpha_ >> parameters_.gain_shift;
      alpha_deadline_ = alpha_deadline_ + parameters_.alpha_interval;
    } else {
      ++time_steps_;
      increase_deadline_ = increase_deadline_ + parameters_.increase_interval;
      increase();
    }
  }
}

std::optional<TimePoint> Dcqcn::next_timer() const {
  if (!limited_) return std::nullopt;
  return alpha_deadline_ < increase_deadline_ ? alpha_deadline_ : increase_deadline_;
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
  if (rate_ == line_) {
    limited_ = false;
    alpha_ = kAlphaOne;
    bytes_ = 0;
    time_steps_ = byte_steps_ = 0;
  }
}

}  // namespace rocelab::rxe
