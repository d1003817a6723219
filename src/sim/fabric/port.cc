// The rarer half of Port: pauses, failures, link effects.
#include "sim/fabric/port.h"

#include <bit>
#include <utility>

namespace rocelab::sim {

void Port::attach(const PortOptions& options) {
  node_ = options.node;
  peer_ = options.peer;
  peer_port_ = options.peer_port;
  number_ = options.port;
  rate_ = Rate::from_bps(options.rate_bps);
  ps_per_byte_ = rate_.ps_per_byte();
  delay_ps_ = static_cast<std::uint64_t>(options.delay.count_ps());
  peer_is_switch_ = options.peer_is_switch;
}

Port::Extras& Port::extras() {
  if (extras_ == nullptr) extras_ = std::make_unique<Extras>();
  return *extras_;
}

void Port::set_effects(std::unique_ptr<LinkEffects> effects, PacketPools& pools) {
  disturbed_ = effects != nullptr;
  extras().effects = std::move(effects);
  extras().pools = &pools;
}

void Port::set_bit_errors(std::uint64_t per_1e18, const base::Rng& rng, PacketPools& pools) {
  if (disturbed_) {
    extras_->effects->set_bit_errors(per_1e18);
  } else if (per_1e18 != 0) {
    LinkEffectsOptions options;
    options.bit_errors_per_1e18 = per_1e18;
    set_effects(std::make_unique<LinkEffects>(options, rng), pools);
  }
}

bool Port::pass_effects(Context& context, Packet* packet) {
  switch (extras_->effects->decide(*packet)) {
    case LinkEffects::Fate::kPasses:
      return true;
    case LinkEffects::Fate::kCorrupted:
      ++extras_->tx_corrupted;
      packet->flags |= packet_flag::kCorrupt;
      return true;
    case LinkEffects::Fate::kLost:
      break;
  }
  ++extras_->tx_lost;
  extras_->pools->at(context.partition()).free(packet);
  return false;
}

Packet* Port::pop_control() {
  Packet* packet = control_;
  control_ = packet->next;
  packet->next = nullptr;
  return packet;
}

void Port::push_control(Packet* packet) {
  // Rarely more than two wait: a priority's frames, while one packet of data is being sent.
  Packet** end = &control_;
  while (*end != nullptr) end = &(*end)->next;
  *end = packet;
}

Packet* Port::make_pause(Context& context, std::uint8_t enable, std::uint16_t quanta, PacketPools& pools) {
  Packet* packet = pools.at(context.partition()).allocate();
  packet->wire_bytes = kPauseFrameBytes;
  packet->flags = packet_flag::kControl | packet_flag::kPfc;
  packet->priority = kPriorities - 1;
  PacketExtra& extra = packet->extra();
  extra.pause_enable = enable;
  for (unsigned i = 0; i < kPriorities; ++i) {
    extra.pause_quanta[i] = (enable >> i & 1) != 0 ? quanta : std::uint16_t{0};
  }
  ++extras().pause_tx;
  return packet;
}

bool Port::take_pause(Context& context, const Packet& packet) {
  ++extras().pause_rx;
  PauseState& pauses = extras_->pauses;
  const PacketExtra& frame = *packet.extras;
  const std::uint64_t now_ps = context.now().count_ps();
  const std::uint8_t before = paused_mask();
  std::uint64_t earliest_ps = ~0ull;
  for (unsigned enable = frame.pause_enable; enable != 0; enable &= enable - 1) {
    const auto priority = static_cast<std::uint8_t>(std::countr_zero(enable));
    const auto bit = static_cast<std::uint8_t>(1u << priority);
    if (frame.pause_quanta[priority] == 0) {
      if ((paused_ & bit) != 0) end_pause(priority, now_ps);
      continue;
    }
    if ((paused_ & bit) == 0) pauses.since_ps[priority] = now_ps;
    paused_ |= bit;
    ++pauses.frames_rx[priority];
    pauses.last_frame_ps[priority] = now_ps;
    pauses.until_ps[priority] = now_ps + rate_.time_ps(frame.pause_quanta[priority] * kPauseQuantumBytes);
    if (pauses.until_ps[priority] < earliest_ps) earliest_ps = pauses.until_ps[priority];
  }
  // A pause that was renewed keeps the earlier wake-up, which then schedules the next one.
  if (earliest_ps < pauses.wake_ps) {
    pauses.wake_ps = earliest_ps;
    context.schedule(TimePoint::from_ps(earliest_ps), node_, event_kind::kPauseExpired, number_, 0);
  }
  return (before & ~paused_mask()) != 0;
}

void Port::end_pause(std::uint8_t priority, std::uint64_t now_ps) {
  PauseState& pauses = extras_->pauses;
  paused_ &= static_cast<std::uint8_t>(~(1u << priority));
  pauses.total_ps[priority] += now_ps - pauses.since_ps[priority];
}

bool Port::expire_pauses(Context& context) {
  if (extras_ == nullptr) return false;
  PauseState& pauses = extras_->pauses;
  const std::uint64_t now_ps = context.now().count_ps();
  const std::uint8_t before = paused_mask();
  std::uint64_t earliest_ps = ~0ull;
  for (unsigned left = paused_; left != 0; left &= left - 1) {
    const auto priority = static_cast<std::uint8_t>(std::countr_zero(left));
    if (pauses.until_ps[priority] <= now_ps) {
      end_pause(priority, now_ps);
    } else if (pauses.until_ps[priority] < earliest_ps) {
      earliest_ps = pauses.until_ps[priority];
    }
  }
  if (now_ps >= pauses.wake_ps) pauses.wake_ps = ~0ull;
  if (earliest_ps < pauses.wake_ps) {
    pauses.wake_ps = earliest_ps;
    context.schedule(TimePoint::from_ps(earliest_ps), node_, event_kind::kPauseExpired, number_, 0);
  }
  return (before & ~paused_mask()) != 0;
}

void Port::change_link(Context& context, bool up, PacketPools& pools) {
  ++epoch_;
  rx_epoch_ = epoch_;
  if (up) return;
  for (unsigned left = paused_; left != 0; left &= left - 1) {
    end_pause(static_cast<std::uint8_t>(std::countr_zero(left)), context.now().count_ps());
  }
  while (control_ != nullptr) pools.at(context.partition()).free(pop_control());
}

Port::Arrival Port::drop_damaged(Context& context, Packet* packet, PacketPools& pools) {
  if (packet->link_epoch != rx_epoch_) {
    ++rx_link_down_;
  } else {
    ++rx_fcs_errors_;
  }
  pools.at(context.partition()).free(packet);
  return Arrival::kGone;
}

PortCounters Port::counters() const {
  PortCounters counters;
  counters.tx_packets = tx_packets_;
  counters.tx_bytes = tx_bytes_;
  counters.rx_packets = rx_packets_;
  counters.rx_bytes = rx_bytes_;
  counters.rx_fcs_errors = rx_fcs_errors_;
  counters.rx_link_down = rx_link_down_;
  if (extras_ != nullptr) {
    counters.tx_lost = extras_->tx_lost;
    counters.tx_corrupted = extras_->tx_corrupted;
    counters.pause_tx = extras_->pause_tx;
    counters.pause_rx = extras_->pause_rx;
  }
  return counters;
}

std::uint64_t Port::paused_ps(std::uint8_t priority, TimePoint now) const {
  if (extras_ == nullptr) return 0;
  const PauseState& pauses = extras_->pauses;
  const bool paused = (paused_ >> priority & 1) != 0;
  return pauses.total_ps[priority] + (paused ? now.count_ps() - pauses.since_ps[priority] : 0);
}

}  // namespace rocelab::sim
