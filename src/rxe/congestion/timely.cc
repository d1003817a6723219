// See timely.h.
#include "rxe/congestion/timely.h"

#include <algorithm>

#include "rxe/congestion/rates.h"

namespace rocelab::rxe {

namespace {
constexpr std::uint64_t kHyperIncrease = 5;  ///< N of the paper, section 4.3
}

Timely::Timely(std::uint64_t line_bits_per_s, const TimelyParameters& parameters)
    : parameters_(parameters), line_(line_bits_per_s), rate_(line_bits_per_s) {
  parameters_.smoothing_permille = std::min(parameters_.smoothing_permille, 1000u);
  parameters_.decrease_permille = std::min(parameters_.decrease_permille, 1000u);
  parameters_.rtt_min = std::max(parameters_.rtt_min, Duration::ns(1));
  hears_sends_ = hears_acks_ = paced_ = true;
  set_rate(line_);
}

void Timely::sent(TimePoint now, const SentInfo& info) {
  pace(now, info.wire_bytes);
  samples_.sent(now, info);
}

void Timely::acked(TimePoint now, const AckInfo& info) {
  segment_ += info.bytes;
  const auto rtt = samples_.answered(now, info);
  if (!rtt || segment_ < parameters_.segment_bytes) return;
  segment_ = 0;
  on_rtt(*rtt);
}

void Timely::on_rtt(Duration rtt) {
  const std::int64_t rtt_ps = std::clamp<std::int64_t>(rtt.count_ps(), 1, kSpanMaxPs);
  const std::int64_t newest = previous_ps_ == 0 ? 0 : rtt_ps - previous_ps_;
  previous_ps_ = rtt_ps;
  const auto alpha = static_cast<std::int64_t>(parameters_.smoothing_permille);
  difference_ps_ = (difference_ps_ * (1000 - alpha) + newest * alpha) / 1000;
  const bool rising = difference_ps_ > 0;
  falling_ = rising ? 0 : falling_ + 1;
  if (rtt_ps < parameters_.rtt_low.count_ps()) return set_rate(rate_ + parameters_.additive_increase_bits_per_s);
  if (rtt_ps > parameters_.rtt_high.count_ps()) {
    falling_ = 0;
    const auto over = static_cast<std::uint64_t>((rtt_ps - parameters_.rtt_high.count_ps()) * 1000 / rtt_ps);
    return set_rate(rate_ - rate_ / 1'000'000 * (parameters_.decrease_permille * over));
  }
  if (!rising) {
    const std::uint64_t steps = falling_ >= parameters_.hyper_increase_after ? kHyperIncrease : 1;
    return set_rate(rate_ + steps * parameters_.additive_increase_bits_per_s);
  }
  // A gradient beyond 1 would make the rate negative.
  const std::int64_t gradient = std::min<std::int64_t>(difference_ps_ * 1000 / parameters_.rtt_min.count_ps(), 1000);
  set_rate(rate_ - rate_ / 1'000'000 * (parameters_.decrease_permille * static_cast<std::uint64_t>(gradient)));
}

void Timely::set_rate(std::uint64_t bits_per_s) {
  rate_ = std::min(std::max(bits_per_s, parameters_.rate_min_bits_per_s), line_);
  set_pace(rate_);
}

}  // namespace rocelab::rxe
