// See hpcc.h.
#include "rxe/congestion/hpcc.h"

#include <algorithm>

#include "rxe/congestion/rates.h"

namespace rocelab::rxe {

namespace {

/// Far above any use: bounds products.
constexpr std::uint64_t kUtilizationMax = 128 * Hpcc::kOne;

/// One link: txRate / B + min(qlen) / (B T).
std::uint64_t utilization_of(const wire::HopTelemetry& now, const wire::HopTelemetry& before, std::uint64_t span_ps,
                             std::uint64_t base_rtt_ps) {
  const std::uint64_t mbps = std::max<std::uint64_t>(now.rate_mbps, 1);
  const std::uint64_t could_send = std::max<std::uint64_t>(mbps * span_ps / 8'000'000, 1);
  const std::uint64_t in_a_round = std::max<std::uint64_t>(mbps * base_rtt_ps / 8'000'000, 1);
  const std::uint64_t sent = std::min<std::uint64_t>(now.tx_bytes - before.tx_bytes, 1ull << 40);
  const std::uint64_t queue = std::min(now.queue_bytes, before.queue_bytes);
  return std::min(kUtilizationMax, sent * Hpcc::kOne / could_send + queue * Hpcc::kOne / in_a_round);
}

}  // namespace

Hpcc::Hpcc(std::uint64_t line_bits_per_s, Duration base_rtt, const HpccParameters& parameters)
    : parameters_(parameters),
      line_(line_bits_per_s),
      base_rtt_ps_(static_cast<std::uint64_t>(std::clamp<std::int64_t>(base_rtt.count_ps(), 1, kSpanMaxPs))),
      window_max_(bytes_in(line_bits_per_s, base_rtt)),
      window_min_(std::min(window_max_, bytes_in(parameters.rate_min_bits_per_s, base_rtt))),
      increase_(bytes_in(parameters.additive_increase_bits_per_s, base_rtt)),
      reference_(window_max_) {
  parameters_.target_utilization_permille = std::clamp(parameters_.target_utilization_permille, 1u, 1000u);
  hears_sends_ = hears_acks_ = paced_ = true;
  apply(window_max_);
}

void Hpcc::sent(TimePoint now, const SentInfo& info) { pace(now, info.wire_bytes); }

std::uint64_t Hpcc::rate_bits_per_s() const {
  return std::min(line_, std::min(window_bytes(), window_max_) * 8'000'000 / base_rtt_ps_ * 1'000'000);
}

void Hpcc::apply(std::uint64_t window) {
  set_window(window);
  set_pace(window >= window_max_ ? line_ : std::max<std::uint64_t>(window * 8'000'000 / base_rtt_ps_, 1) * 1'000'000);
}

void Hpcc::measure(std::span<const wire::HopTelemetry> hops) {
  std::uint64_t highest = 0, span = 0;
  for (std::size_t i = 0; i < hops.size(); ++i) {
    const std::uint64_t passed = hops[i].timestamp_ps - last_[i].timestamp_ps;
    if (passed == 0 || passed > kSpanMaxPs) continue;
    const std::uint64_t use = utilization_of(hops[i], last_[i], passed, base_rtt_ps_);
    if (use <= highest && span != 0) continue;
    highest = use;
    span = passed;
  }
  span = std::min(span, base_rtt_ps_);
  // Both products stay below 2^27 * 2^40; in thousands of picoseconds they fit with room to spare.
  const std::uint64_t round = std::max<std::uint64_t>(base_rtt_ps_ >> 8, 1), part = std::min(span >> 8, round);
  utilization_ = (utilization_ * (round - part) + highest * part) / round;
}

void Hpcc::acked(TimePoint, const AckInfo& info) {
  const std::span hops = info.telemetry.first(std::min(info.telemetry.size(), last_.size()));
  if (hops.empty()) return;
  const bool known = hops.size() == hop_count_;  // else the first, or another path: nothing to compare with
  if (known) {
    const bool new_round = info.psn >= update_psn_;
    measure(hops);
    const std::uint64_t target = kOne * parameters_.target_utilization_permille / 1000;
    std::uint64_t window = reference_ + increase_;
    std::uint32_t stage = stage_ + 1;
    if (utilization_ >= target || stage_ >= parameters_.stage_max) {
      window = reference_ * target / std::max<std::uint64_t>(utilization_, 1) + increase_;
      stage = 0;
    }
    window = std::clamp(window, window_min_, window_max_);
    if (new_round) {
      reference_ = window;
      stage_ = stage;
      update_psn_ = info.next_psn;
    }
    apply(window);
  } else {
    update_psn_ = info.next_psn;
  }
  std::copy(hops.begin(), hops.end(), last_.begin());
  hop_count_ = static_cast<std::uint32_t>(hops.size());
}

}  // namespace rocelab::rxe
