// The path of a packet through the switch: arrival, choice of the port, admission, queue, departure.
#include "sim/fabric/switch/switch.h"

#include "sim/fabric/switch/pause_watch.h"

namespace rocelab::sim {

void Switch::handle_event(Context& context, const Event& event) {
  switch (event.kind) {
    case event_kind::kArrival:
      arrive(context, event.port, reinterpret_cast<Packet*>(static_cast<std::uintptr_t>(event.argument)));
      break;
    case event_kind::kPortFree: {
      SwitchPort& side = ports_[event.port];
      Egress egress{*this, side};
      side.port.handle_free(context, egress);
      break;
    }
    case event_kind::kPauseExpired: {
      SwitchPort& side = ports_[event.port];
      Egress egress{*this, side};
      side.port.handle_pause_expired(context, egress);
      break;
    }
    case event_kind::kLinkState:
      link_state(context, ports_[event.port], event.argument != 0);
      break;
    case event_kind::kBitErrors:
      set_bit_errors(event.port, event.argument);
      break;
    case kRenewPauses:
      renew_pauses(context, ports_[event.port]);
      break;
    case kPauseCheck:
      check_pause(context, ports_[event.port], static_cast<unsigned>(event.argument));
      break;
    case kProbe:
      follow_probe(context, event.port, reinterpret_cast<Packet*>(static_cast<std::uintptr_t>(event.argument)));
      break;
    case kSample:
      sample(context);
      break;
    default:
      break;
  }
  if (!resumes_.empty()) [[unlikely]]
    send_resumes(context);
}

void Switch::prepare(const Event& event) const {
  const SwitchPort& side = ports_[event.port];
  if (event.kind == event_kind::kArrival) {
    const auto* packet = reinterpret_cast<const Packet*>(static_cast<std::uintptr_t>(event.argument));
    side.port.prefetch_rx();
    const Class& cls = classes_[packet->priority];
    if (cls.queues == nullptr || packet->destination >= host_count_) return;
    __builtin_prefetch(&cls.groups[event.port], 1);
    const unsigned out = routing_.likely_egress(index_, RouteKey{packet->destination, packet->flow_hash});
    if (out == kNoRoute) return;
    ports_[out].port.prefetch_tx();
    __builtin_prefetch(&ports_[out].queued_bytes, 1);
    __builtin_prefetch(&cls.queues[out], 1);
  } else if (event.kind == event_kind::kPortFree) {
    side.port.prefetch_tx();
    __builtin_prefetch(&side.queued_bytes, 1);
  }
}

void Switch::arrive(Context& context, unsigned port, Packet* packet) {
  SwitchPort& in = ports_[port];
  Egress egress{*this, in};
  switch (in.port.accept(context, packet, egress, pools_)) {
    case Port::Arrival::kPacket:
      forward(context, in, packet);
      break;
    case Port::Arrival::kPause:
      note_pauses(context, in);
      break;
    case Port::Arrival::kGone:
      break;
  }
}

void Switch::forward(Context& context, SwitchPort& in, Packet* packet) {
  const unsigned in_port = in.port.number();
  unsigned priority = packet->priority;
  Class* cls = &class_at(priority);
  IngressGroup* group = &cls->groups[in_port];
  ++group->rx_packets;
  group->rx_bytes += packet->frame_bytes();
  packet->ingress_port = static_cast<std::uint16_t>(in_port);
  if (packet->destination >= host_count_ || ++packet->hops > kHopsMax) [[unlikely]] {
    return drop(context, packet, in_port, DropReason::kUnroutable);
  }
  const QueueView queues{&ports_[0].queued_bytes, sizeof(SwitchPort)};
  const unsigned out_port =
      routing_.egress(index_, RouteKey{packet->destination, packet->flow_hash}, context.now(), queues);
  if (out_port == kNoRoute) [[unlikely]]
    return drop(context, packet, in_port, DropReason::kUnroutable);
  SwitchPort& out = ports_[out_port];
  if (!out.port.up()) [[unlikely]]
    return drop(context, packet, out_port, DropReason::kLinkDown);
  EgressQueue* queue = &cls->queues[out_port];
  if (!admit(*group, *queue, *packet)) [[unlikely]] {
    const bool lossless = (profile_.lossless >> priority & 1) != 0;
    if (lossless) return drop_lossless(context, in, packet);
    if (!trim(*packet, out_port)) return drop(context, packet, out_port, DropReason::kBuffer);
    priority = packet->priority;
    cls = &class_at(priority);
    group = &cls->groups[in_port];
    queue = &cls->queues[out_port];
    if (!admit(*group, *queue, *packet)) return drop(context, packet, out_port, DropReason::kBuffer);
  }
  if ((out.dropping >> priority & 1) != 0) [[unlikely]] {
    release(*packet);
    return drop(context, packet, out_port, DropReason::kWatchdog);
  }
  enqueue(context, out, *queue, packet);
  if ((profile_.lossless >> priority & 1) != 0 && profile_.options.pfc && !group->xoff &&
      buffer_.wants_xoff(group->buffer, group->limits)) [[unlikely]] {
    send_xoff(context, in, *group, priority);
  }
  if (!sample_pending_) want_sample(context);
  Egress egress{*this, out};
  out.port.kick(context, egress);
}

bool Switch::admit(IngressGroup& group, const EgressQueue& queue, const Packet& packet) {
  const unsigned priority = packet.priority;
  const std::uint32_t bytes = packet.frame_bytes();
  if ((profile_.lossless >> priority & 1) != 0) {
    if (!buffer_.admits_lossless(group.buffer, group.limits, bytes)) return false;
    buffer_.charge_lossless(group.buffer, group.limits, bytes);
    if (group.buffer.headroom_bytes > group.headroom_watermark_bytes) {
      group.headroom_watermark_bytes = group.buffer.headroom_bytes;
    }
  } else if ((profile_.lossy >> priority & 1) != 0) {
    const SwitchOptions& options = profile_.options;
    const std::uint64_t length = std::uint64_t{queue.bytes} + bytes;
    if (options.egress_limit_bytes != 0 && length > options.egress_limit_bytes) return false;
    if ((profile_.limited >> priority & 1) == 0) return true;
    if (length > buffer_.threshold(options.egress_alpha)) return false;
    if (!buffer_.admits_lossy(group.buffer, group.limits, bytes)) return false;
    buffer_.charge_lossy(group.buffer, group.limits, bytes);
  } else {
    return true;
  }
  const std::uint32_t charged = group.buffer.bytes + group.buffer.headroom_bytes;
  if (charged > group.watermark_bytes) group.watermark_bytes = charged;
  return true;
}

void Switch::release(const Packet& packet) {
  const unsigned priority = packet.priority;
  if ((profile_.limited >> priority & 1) == 0) return;
  IngressGroup& group = classes_[priority].groups[packet.ingress_port];
  buffer_.release(group.buffer, group.limits, packet.frame_bytes());
  if (group.xoff && buffer_.wants_xon(group.buffer, group.limits)) [[unlikely]] {
    // Not at once: the frame may have to leave by the port that is just being served.
    resumes_.push_back({packet.ingress_port, static_cast<std::uint8_t>(priority)});
  }
}

bool Switch::trim(Packet& packet, unsigned out) {
  if (!profile_.options.trimming || !packet.has(packet_flag::kTrimmable) || packet.payload_bytes == 0) return false;
  RareCounters& counters = rare(out, packet.priority);
  ++counters.trimmed;
  counters.trimmed_bytes += packet.payload_bytes;
  packet.wire_bytes -= packet.payload_bytes;
  packet.payload_bytes = 0;
  packet.flags |= packet_flag::kTrimmed;
  packet.priority = profile_.options.trim_priority;
  return true;
}

void Switch::mark(SwitchPort& side, EgressQueue& queue, Packet& packet) {
  if ((profile_.ecn >> packet.priority & 1) == 0 || !packet.ecn_capable()) return;
  if (markers_[side.marker].mark(queue.bytes, [this] { return rng_.next(); })) {
    packet.ecn = Ecn::kMarked;
    ++queue.ecn_marked;
  }
}

void Switch::enqueue(Context& context, SwitchPort& out, EgressQueue& queue, Packet* packet) {
  const std::uint32_t bytes = packet->frame_bytes();
  packet->stamp_ps = context.now().count_ps();
  packet->next = nullptr;
  if (queue.head == nullptr) {
    queue.head = packet;
    out.ready |= static_cast<std::uint8_t>(1u << packet->priority);
  } else {
    queue.tail->next = packet;
  }
  queue.tail = packet;
  ++queue.packets;
  queue.bytes += bytes;
  if (queue.bytes > queue.window_max_bytes) {
    queue.window_max_bytes = queue.bytes;
    if (queue.bytes > queue.watermark_bytes) queue.watermark_bytes = queue.bytes;
  }
  out.queued_bytes += bytes;
  if (!profile_.options.ecn_at_dequeue) mark(out, queue, *packet);
}

Packet* Switch::dequeue(Context& context, SwitchPort& side, std::uint8_t paused_mask) {
  const auto ready = static_cast<std::uint8_t>(side.ready & ~paused_mask);
  if (ready == 0) return nullptr;
  const unsigned port = side.port.number();
  const unsigned priority =
      side.ets.pick(profile_.ets, ready, [&](unsigned cls) { return classes_[cls].queues[port].head->frame_bytes(); });
  EgressQueue& queue = classes_[priority].queues[port];
  Packet* packet = queue.head;
  queue.head = packet->next;
  packet->next = nullptr;
  const std::uint32_t bytes = packet->frame_bytes();
  if (queue.head == nullptr) {
    queue.tail = nullptr;
    side.ready &= static_cast<std::uint8_t>(~(1u << priority));
    side.ets.on_empty(priority);
  }
  --queue.packets;
  queue.bytes -= bytes;
  ++queue.tx_packets;
  queue.tx_bytes += bytes;
  side.queued_bytes -= bytes;
  release(*packet);
  if (profile_.options.ecn_at_dequeue) mark(side, queue, *packet);
  if (profile_.options.telemetry && packet->has(packet_flag::kTelemetry)) stamp(context, side, *packet);
  return packet;
}

const Packet* Switch::upcoming(const SwitchPort& side) const {
  if (side.ready == 0) return nullptr;
  return classes_[static_cast<unsigned>(std::countr_zero(side.ready))].queues[side.port.number()].head;
}

void Switch::stamp(Context& context, const SwitchPort& side, Packet& packet) {
  if (packet.telemetry_hops == wire::kTelemetryHopsMax) return;
  packet.extra().telemetry[packet.telemetry_hops++] = {context.now().count_ps(), side.port.tx_bytes(),
                                                       side.queued_bytes,
                                                       static_cast<std::uint32_t>(side.port.rate().bps() / 1'000'000)};
}

void Switch::send_resumes(Context& context) {
  // Sending one may serve a port, which may free memory, which may call for another one.
  while (!resumes_.empty()) {
    const Resume resume = resumes_.back();
    resumes_.pop_back();
    SwitchPort& in = ports_[resume.port];
    IngressGroup& group = classes_[resume.priority].groups[resume.port];
    if (!group.xoff || !buffer_.wants_xon(group.buffer, group.limits)) continue;
    end_xoff(context, in, group, resume.priority);
    Egress egress{*this, in};
    in.port.send_pause(context, static_cast<std::uint8_t>(1u << resume.priority), 0, egress, pools_);
  }
}

}  // namespace rocelab::sim
