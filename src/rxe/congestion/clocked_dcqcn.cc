// See clocked_dcqcn.h.
#include "rxe/congestion/clocked_dcqcn.h"

#include <algorithm>

#include "rxe/congestion/rates.h"

namespace rocelab::rxe {

ClockedDcqcn::ClockedDcqcn(std::uint64_t line_bits_per_s, const DcqcnParameters& parameters)
    : parameters_(parameters),
      line_(std::clamp<std::uint64_t>(line_bits_per_s, 1, kLineMax)),
      rate_(line_),
      target_(line_) {
  parameters_.rate_min_bits_per_s = std::clamp<std::uint64_t>(parameters_.rate_min_bits_per_s, 1, line_);
  // An interval of 0 would expire for ever within one on_timer.
  for (Duration* interval :
       {&parameters_.alpha_interval, &parameters_.increase_interval, &parameters_.decrease_interval_min}) {
    *interval = std::max(*interval, Duration::ns(1));
  }
}

void ClockedDcqcn::sent(TimePoint now, const SentInfo& info) { pace(now, info.wire_bytes); }

void ClockedDcqcn::acked(TimePoint now, const AckInfo& info) {
  if (info.ecn_echo) on_cnp(now);
}

void ClockedDcqcn::on_cnp(TimePoint now) {
  on_timer(now);  // what fell due before this mark comes first
  if (!clocks_run_) {
    clocks_run_ = true;
    origin_ = alpha_tick_ = now;
    alpha_ = kAlphaOne;
  } else {
    tick_alpha(now);
    marked_for_alpha_ = true;
  }
  if (marked_for_cut_) return;
  marked_for_cut_ = true;
  cut_tick_ = next_cut_tick(now);
  arm();
}

TimePoint ClockedDcqcn::next_cut_tick(TimePoint now) const {
  const std::int64_t interval = parameters_.decrease_interval_min.count_ps();
  const std::int64_t ticks = (now - origin_).count_ps() / interval;
  return origin_ + Duration::ps((ticks + 1) * interval);
}

void ClockedDcqcn::tick_alpha(TimePoint now) {
  while (alpha_tick_ + parameters_.alpha_interval <= now) {
    alpha_tick_ = alpha_tick_ + parameters_.alpha_interval;
    const std::uint64_t decay = alpha_ >> parameters_.gain_shift;
    alpha_ -= decay;
    if (marked_for_alpha_) {
      alpha_ += kAlphaOne >> parameters_.gain_shift;
      marked_for_alpha_ = false;
    } else if (decay == 0) {  // it stays; the ticks that have passed are skipped at once
      const std::int64_t ticks = (now - alpha_tick_).count_ps() / parameters_.alpha_interval.count_ps();
      alpha_tick_ = alpha_tick_ + parameters_.alpha_interval * ticks;
    }
  }
}

void ClockedDcqcn::on_timer(TimePoint now) {
  // Ends: each pass takes the mark or moves the deadline later, and enough increases reach line rate.
  while (true) {
    const bool cuts = marked_for_cut_ && cut_tick_ <= now;
    const bool increases = rate_ < line_ && increase_deadline_ <= now;
    if (!cuts && !increases) break;
    if (cuts && (!increases || cut_tick_ <= increase_deadline_)) {
      cut(cut_tick_);
    } else {
      increase();
    }
  }
  arm();
}

void ClockedDcqcn::cut(TimePoint at) {
  tick_alpha(at);
  marked_for_cut_ = false;
  if (parameters_.clamp_target || stage_ != 0) target_ = rate_;
  rate_ = std::max(parameters_.rate_min_bits_per_s, rate_ - rate_ * (alpha_ / 2) / kAlphaOne);
  stage_ = 0;
  increase_deadline_ = at + parameters_.increase_interval;
  if (!paced_) {
    paced_ = hears_sends_ = true;
    paced_until_ = at;
  }
  set_pace(rate_);
}

void ClockedDcqcn::increase() {
  increase_deadline_ = increase_deadline_ + parameters_.increase_interval;
  if (stage_ == parameters_.fast_recovery_steps) {
    target_ += parameters_.additive_increase_bits_per_s;
  } else if (stage_ > parameters_.fast_recovery_steps) {
    target_ += parameters_.hyper_increase_bits_per_s;
  }
  ++stage_;
  target_ = std::min(target_, line_);
  rate_ = std::min(line_, (rate_ + target_ + 1) / 2);
  set_pace(rate_);
  if (rate_ == line_) paced_ = hears_sends_ = false;
}

void ClockedDcqcn::arm() {
  if (!marked_for_cut_ && rate_ == line_) return clear_timer();
  if (rate_ == line_) return set_timer(cut_tick_);
  set_timer(marked_for_cut_ ? std::min(cut_tick_, increase_deadline_) : increase_deadline_);
}

}  // namespace rocelab::rxe
