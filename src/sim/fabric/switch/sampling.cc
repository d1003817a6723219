// Samples at whole multiples of the interval, as long as something happens.
#include <bit>

#include "sim/fabric/switch/switch.h"

namespace rocelab::sim {
namespace {

std::uint64_t on_wire(std::uint64_t bytes, std::uint64_t packets, std::uint8_t gap_bytes) {
  return bytes + packets * gap_bytes;
}

}  // namespace

void Switch::want_sample(Context& context) {
  sample_pending_ = true;
  if (sample_bases_.empty()) sample_bases_.resize(ports_.size());
  const auto interval_ps = static_cast<std::uint64_t>(profile_.options.sample_interval.count_ps());
  const std::uint64_t at_ps = (context.now().count_ps() / interval_ps + 1) * interval_ps;
  context.schedule(TimePoint::from_ps(at_ps), id(), kSample, 0, 0);
}

void Switch::sample(Context& context) {
  const std::uint64_t now_ps = context.now().count_ps();
  const std::uint64_t start_ps = now_ps - static_cast<std::uint64_t>(profile_.options.sample_interval.count_ps());
  bool busy = false;
  for (SwitchPort& side : ports_) {
    if (!side.port.attached()) continue;
    busy |= sample_port(side, start_ps, context.now());
  }
  sample_pending_ = false;
  if (busy) want_sample(context);
}

bool Switch::sample_port(SwitchPort& side, std::uint64_t start_ps, TimePoint now) {
  const std::uint16_t port = side.port.number();
  const std::uint64_t now_ps = now.count_ps();
  PortSampleBase& base = sample_bases_[port];
  const PortCounters counters = side.port.counters();
  bool busy = side.queued_bytes != 0;

  const std::uint64_t tx_bytes = on_wire(counters.tx_bytes, counters.tx_packets, profile_.options.gap_bytes);
  if (tx_bytes != base.tx_bytes) {
    samples_.traffic.push_back({start_ps, now_ps, tx_bytes - base.tx_bytes, port, false});
    base.tx_bytes = tx_bytes;
    busy = true;
  }
  const std::uint64_t rx_bytes = on_wire(counters.rx_bytes, counters.rx_packets, profile_.options.gap_bytes);
  if (rx_bytes != base.rx_bytes && !side.port.peer_is_switch()) {
    samples_.traffic.push_back({start_ps, now_ps, rx_bytes - base.rx_bytes, port, true});
    busy = true;
  }
  base.rx_bytes = rx_bytes;

  for (std::uint8_t priority = 0; priority < kPriorities; ++priority) {
    if (classes_[priority].queues == nullptr) continue;
    EgressQueue& queue = classes_[priority].queues[port];
    if (queue.window_max_bytes == 0) continue;
    samples_.queues.push_back({now_ps, queue.bytes, queue.window_max_bytes, port, priority});
    queue.window_max_bytes = queue.bytes;
  }
  const PauseState* pauses = side.port.pauses();
  if (pauses == nullptr) return busy;
  for (std::uint8_t priority = 0; priority < kPriorities; ++priority) {
    const std::uint64_t paused_ps = side.port.paused_ps(priority, now);
    if (paused_ps == base.paused_ps[priority]) continue;
    samples_.pauses.push_back({start_ps, now_ps, paused_ps - base.paused_ps[priority],
                               pauses->frames_rx[priority] - base.frames[priority], port, priority});
    base.paused_ps[priority] = paused_ps;
    base.frames[priority] = pauses->frames_rx[priority];
    busy = true;
  }
  return busy;
}

}  // namespace rocelab::sim
