// See swift.h.
#include "rxe/congestion/swift.h"

#include <algorithm>
#include <bit>

#include "rxe/congestion/rates.h"

namespace rocelab::rxe {

namespace {

/// 2^20 packets: products fit.
constexpr std::uint64_t kWindowMax = Swift::kPacket << 20;

/// Largest r with r * r <= n.
std::uint64_t square_root(std::uint64_t n) {
  if (n == 0) return 0;
  std::uint64_t root = 1ull << ((std::bit_width(n) + 1) / 2);  // not less than the answer: Newton descends to it
  for (;;) {
    const std::uint64_t next = (root + n / root) / 2;
    if (next >= root) return root;
    root = next;
  }
}

/// scale / sqrt(window), a window in units of packet / kPacket.
std::int64_t over_root(std::int64_t scale, std::uint64_t window) {
  const std::uint64_t root = square_root(window << 16);  // sqrt(window / 2^16) * 2^16
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(scale) * (1u << 16) / std::max<std::uint64_t>(root, 1));
}

std::uint64_t window_of(std::uint32_t milli) { return std::max<std::uint64_t>(Swift::kPacket * milli / 1000, 1); }

}  // namespace

Swift::Swift(std::uint64_t line_bits_per_s, std::uint32_t packet_bytes, const SwiftParameters& parameters)
    : parameters_(parameters),
      line_(line_bits_per_s),
      packet_bytes_(packet_bytes),
      cwnd_min_(window_of(parameters.window_min_milli)),
      rtt_(parameters.base_target) {
  parameters_.decrease_permille = std::min(parameters_.decrease_permille, 1000u);
  parameters_.decrease_max_permille = std::min(parameters_.decrease_max_permille, 1000u);
  parameters_.flow_scaling_range =
      std::clamp(parameters_.flow_scaling_range, Duration(), Duration::ps(kSpanMaxPs / 1000));
  // Begins with what the line carries in the target delay, and may have four times that in flight.
  const Duration base = parameters_.base_target + parameters_.hop_target * parameters_.hops;
  const std::uint64_t line_packets = bytes_in(line_bits_per_s, base) / packet_bytes + 1;
  cwnd_max_ = std::clamp(4 * line_packets * kPacket, cwnd_min_, kWindowMax);
  // range = alpha / sqrt(min) - alpha / sqrt(max), hence alpha from the two roots.
  const std::uint64_t least = window_of(parameters_.flow_scaling_min_milli);
  const std::uint64_t most = std::max(window_of(parameters_.flow_scaling_max_milli), least + 1);
  constexpr std::int64_t kUnit = 1 << 20;
  const std::int64_t span = std::max<std::int64_t>(over_root(kUnit, least) - over_root(kUnit, most), 1);
  scaling_ps_ = parameters_.flow_scaling_range.count_ps() / span * kUnit;
  scaling_least_ = over_root(scaling_ps_, most);
  hears_sends_ = hears_acks_ = paced_ = true;
  cwnd_ = 0;
  set_cwnd({}, line_packets * kPacket);
}

Duration Swift::target() const {
  const Duration fixed = parameters_.base_target + parameters_.hop_target * parameters_.hops;
  const std::int64_t scaled = over_root(scaling_ps_, cwnd_) - scaling_least_;
  return fixed + std::clamp(Duration::ps(scaled), Duration(), parameters_.flow_scaling_range);
}

void Swift::sent(TimePoint now, const SentInfo& info) {
  samples_.sent(now, info);
  if (cwnd_ >= kPacket) return;
  const std::uint64_t pause = static_cast<std::uint64_t>(rtt_.count_ps()) * kPacket / cwnd_;
  paced_until_ = now + Duration::ps(static_cast<std::int64_t>(std::min(pause, kSpanMaxPs)));
}

void Swift::acked(TimePoint now, const AckInfo& info) {
  unreported_ += info.bytes;
  const auto rtt = samples_.answered(now, info);
  if (!rtt) return;
  const std::uint64_t packets = std::min<std::uint64_t>(unreported_ / packet_bytes_, 1u << 16);
  unreported_ -= packets * packet_bytes_;
  on_delay(now, *rtt, packets);
}

void Swift::on_delay(TimePoint now, Duration rtt, std::uint64_t packets) {
  retransmits_ = 0;
  rtt_ = std::clamp(rtt, Duration::ps(1), Duration::ps(kSpanMaxPs / 1000));
  const Duration wanted = target();
  if (rtt_ < wanted) {
    const std::uint64_t step = kPacket * parameters_.additive_increase_milli / 1000 * packets;
    return set_cwnd(now, cwnd_ + (cwnd_ >= kPacket ? step * kPacket / cwnd_ : step));
  }
  if (!may_decrease(now)) return;
  const auto excess = static_cast<std::uint64_t>((rtt_ - wanted).count_ps());
  const std::uint64_t cut =
      std::min<std::uint64_t>(parameters_.decrease_permille * excess / static_cast<std::uint64_t>(rtt_.count_ps()),
                              parameters_.decrease_max_permille);
  set_cwnd(now, cwnd_ - cwnd_ * cut / 1000);
}

void Swift::on_loss(TimePoint now, Loss loss) {
  samples_.forget();
  if (loss == Loss::kTimeout && ++retransmits_ >= parameters_.retransmits_to_reset) return set_cwnd(now, cwnd_min_);
  if (may_decrease(now)) set_cwnd(now, cwnd_ - cwnd_ * parameters_.decrease_max_permille / 1000);
}

bool Swift::may_decrease(TimePoint now) const { return !decreased_once_ || now - decreased_ >= rtt_; }

void Swift::set_cwnd(TimePoint now, std::uint64_t cwnd) {
  const std::uint64_t before = cwnd_;
  cwnd_ = std::clamp(cwnd, cwnd_min_, cwnd_max_);
  if (cwnd_ < before) {
    decreased_ = now;
    decreased_once_ = true;
  }
  // Less than a packet: one at a time, with pauses.
  set_window(std::max<std::uint64_t>(cwnd_ * packet_bytes_ / kPacket, 1));
}

}  // namespace rocelab::rxe
