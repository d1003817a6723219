// Pauses beyond their beginning: renewing those sent, watching those received (storms, deadlocks, the watchdog), and
// what a link's failure does to both.
#include <algorithm>
#include <bit>

#include "sim/fabric/switch/pause_watch.h"
#include "sim/fabric/switch/switch.h"

namespace rocelab::sim {
namespace {

std::uint64_t renewal_ps(const Port& port, const SwitchOptions& options) {
  return std::max<std::uint64_t>(1, port.rate().time_ps(options.pause_quanta * kPauseQuantumBytes) / 2);
}

std::uint64_t to_ps(Duration duration) { return static_cast<std::uint64_t>(duration.count_ps()); }

}  // namespace

void Switch::send_xoff(Context& context, SwitchPort& in, IngressGroup& group, unsigned priority) {
  const bool renewing = in.xoff_sent != 0;
  const auto bit = static_cast<std::uint8_t>(1u << priority);
  in.xoff_sent |= bit;
  group.xoff = true;
  RareCounters& counters = rare(in.port.number(), priority);
  ++counters.xoffs;
  counters.xoff_since_ps = context.now().count_ps();
  if (!renewing && !in.renewal_pending) {
    in.renewal_pending = true;
    context.schedule(context.now() + Duration::ps(static_cast<std::int64_t>(renewal_ps(in.port, profile_.options))),
                     id(), kRenewPauses, in.port.number(), 0);
  }
  Egress egress{*this, in};
  in.port.send_pause(context, bit, profile_.options.pause_quanta, egress, pools_);
}

void Switch::end_xoff(Context& context, SwitchPort& in, IngressGroup& group, unsigned priority) {
  in.xoff_sent &= static_cast<std::uint8_t>(~(1u << priority));
  group.xoff = false;
  RareCounters& counters = rare(in.port.number(), priority);
  counters.xoff_total_ps += context.now().count_ps() - counters.xoff_since_ps;
}

void Switch::renew_pauses(Context& context, SwitchPort& in) {
  in.renewal_pending = false;
  if (in.xoff_sent == 0 || !in.port.up()) return;
  in.renewal_pending = true;
  context.schedule(context.now() + Duration::ps(static_cast<std::int64_t>(renewal_ps(in.port, profile_.options))), id(),
                   kRenewPauses, in.port.number(), 0);
  Egress egress{*this, in};
  in.port.send_pause(context, in.xoff_sent, profile_.options.pause_quanta, egress, pools_);
}

void Switch::note_pauses(Context& context, SwitchPort& side) {
  for (unsigned left = side.port.received_pauses(); left != 0; left &= left - 1) {
    const auto priority = static_cast<unsigned>(std::countr_zero(left));
    PauseWatch& watch = watch_at(side.port.number(), priority);
    if (!watch.check_pending) check_pause(context, side, priority);
  }
}

void Switch::check_pause(Context& context, SwitchPort& side, unsigned priority) {
  const unsigned port = side.port.number();
  PauseWatch& watch = watch_at(port, priority);
  watch.check_pending = false;
  const SwitchOptions& options = profile_.options;
  const std::uint64_t now_ps = context.now().count_ps();
  std::uint64_t next_ps = ~0ull;

  const bool paused = (side.port.received_pauses() >> priority & 1) != 0;
  if (paused) {
    const std::uint64_t since_ps = side.port.pauses()->since_ps[priority];
    if (since_ps != watch.since_ps) {
      watch.since_ps = since_ps;
      watch.storm_told = false;
      watch.deadlock_told = false;
      watch.probed_ps = 0;
    }
    const bool waiting = (side.ready >> priority & 1) != 0;
    const std::uint64_t storm_ps = to_ps(options.storm_after);
    if (storm_ps != 0 && !watch.storm_told) {
      if (waiting && now_ps - since_ps >= storm_ps) {
        watch.storm_told = true;
        find(FindingKind::kPauseStorm, context, side, priority,
             Duration::ps(static_cast<std::int64_t>(now_ps - since_ps)));
      } else {
        next_ps = std::min(next_ps, std::max(since_ps, now_ps - now_ps % storm_ps) + storm_ps);
      }
    }
    const std::uint64_t deadlock_ps = to_ps(options.deadlock_after);
    if (deadlock_ps != 0 && !watch.deadlock_told) {
      const std::uint64_t due_ps = (watch.probed_ps != 0 ? watch.probed_ps : since_ps) + deadlock_ps;
      if (now_ps >= due_ps) {
        watch.probed_ps = now_ps;
        if (waiting) start_probe(context, side, priority);
        next_ps = std::min(next_ps, now_ps + deadlock_ps);
      } else {
        next_ps = std::min(next_ps, due_ps);
      }
    }
  }
  if (options.watchdog.enabled) {
    this->watch(context, side, priority, watch);
    if (watch.watchdog.active()) {
      next_ps = std::min(next_ps, watch.watchdog.next_look_ps(options.watchdog));
    } else if (paused) {
      next_ps = std::min(next_ps, now_ps + options.watchdog.detection_ps);
    }
  }
  if (next_ps == ~0ull) return;
  watch.check_pending = true;
  context.schedule(TimePoint::from_ps(std::max(next_ps, now_ps + 1)), id(), kPauseCheck,
                   static_cast<std::uint16_t>(port), priority);
}

void Switch::watch(Context& context, SwitchPort& side, unsigned priority, PauseWatch& watch) {
  const unsigned port = side.port.number();
  const auto bit = static_cast<std::uint8_t>(1u << priority);
  qos::PfcWatchdog::Facts facts;
  facts.paused = (side.port.received_pauses() & bit) != 0;
  facts.waiting = (side.ready & bit) != 0;
  facts.tx_packets = class_at(priority).queues[port].tx_packets;
  facts.last_pause_frame_ps = side.port.pauses()->last_frame_ps[priority];
  const std::uint64_t now_ps = context.now().count_ps();
  const auto change = watch.watchdog.look(profile_.options.watchdog, now_ps, facts);
  if (change == qos::PfcWatchdog::Change::kNone) return;
  const bool storm = change == qos::PfcWatchdog::Change::kStorm;
  find(storm ? FindingKind::kWatchdogStorm : FindingKind::kWatchdogRestored, context, side, priority,
       Duration::ps(static_cast<std::int64_t>(now_ps - side.port.pauses()->since_ps[priority])));
  switch (profile_.options.watchdog.action) {
    case qos::WatchdogAction::kAlert:
      break;
    case qos::WatchdogAction::kDrop:
      if (storm) {
        side.dropping |= bit;
        flush(context, side, bit, DropReason::kWatchdog);
      } else {
        side.dropping &= static_cast<std::uint8_t>(~bit);
      }
      break;
    case qos::WatchdogAction::kForward: {
      Egress egress{*this, side};
      const std::uint8_t ignored = side.port.ignored_pauses();
      side.port.ignore_pauses(context, static_cast<std::uint8_t>(storm ? ignored | bit : ignored & ~bit), egress);
      break;
    }
  }
}

void Switch::link_state(Context& context, SwitchPort& side, bool up) {
  if (up == side.port.up()) return;
  Egress egress{*this, side};
  side.port.handle_link_state(context, up, egress, pools_);
  if (up) {
    // What came in before may still be here, and the peer has forgotten that it was paused.
    for (unsigned left = profile_.options.pfc ? profile_.lossless : 0; left != 0; left &= left - 1) {
      const auto priority = static_cast<unsigned>(std::countr_zero(left));
      if (classes_[priority].groups == nullptr) continue;
      IngressGroup& group = classes_[priority].groups[side.port.number()];
      if (!group.xoff && !buffer_.wants_xon(group.buffer, group.limits)) send_xoff(context, side, group, priority);
    }
    return;
  }
  for (unsigned left = side.xoff_sent; left != 0; left &= left - 1) {
    const auto priority = static_cast<unsigned>(std::countr_zero(left));
    end_xoff(context, side, classes_[priority].groups[side.port.number()], priority);
  }
  flush(context, side, 0xff, DropReason::kLinkDown);
}

void Switch::flush(Context& context, SwitchPort& side, std::uint8_t classes, DropReason reason) {
  const unsigned port = side.port.number();
  for (unsigned left = side.ready & classes; left != 0; left &= left - 1) {
    const auto priority = static_cast<unsigned>(std::countr_zero(left));
    EgressQueue& queue = classes_[priority].queues[port];
    while (queue.head != nullptr) {
      Packet* packet = queue.head;
      queue.head = packet->next;
      queue.bytes -= packet->frame_bytes();
      side.queued_bytes -= packet->frame_bytes();
      --queue.packets;
      release(*packet);
      drop(context, packet, port, reason);
    }
    queue.tail = nullptr;
    side.ready &= static_cast<std::uint8_t>(~(1u << priority));
    side.ets.on_empty(priority);
  }
}

void Switch::drop(Context& context, Packet* packet, unsigned port, DropReason reason) {
  RareCounters& counters = rare(port, packet->priority);
  ++counters.drops[static_cast<unsigned>(reason)];
  counters.dropped_bytes += packet->frame_bytes();
  pools_.at(context.partition()).free(packet);
}

void Switch::drop_lossless(Context& context, SwitchPort& in, Packet* packet) {
  const unsigned priority = packet->priority;
  const bool first = rare(in.port.number(), priority).drops[static_cast<unsigned>(DropReason::kHeadroom)] == 0;
  drop(context, packet, in.port.number(), DropReason::kHeadroom);
  if (first) find(FindingKind::kLosslessDrop, context, in, priority, Duration());
}

void Switch::find(FindingKind kind, Context& context, const SwitchPort& side, unsigned priority, Duration lasted) {
  Finding finding;
  finding.kind = kind;
  finding.priority = static_cast<std::uint8_t>(priority);
  finding.where = {id(), side.port.number()};
  finding.peer = side.port.peer();
  finding.at = context.now();
  finding.lasted = lasted;
  findings_.push_back(std::move(finding));
}

}  // namespace rocelab::sim
