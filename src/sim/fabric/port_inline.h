// The parts of Port that run once a packet, and those that depend on the kind of source. Included by port.h alone.
#pragma once

#include "sim/fabric/port.h"

namespace rocelab::sim {

template <class Source>
void Port::request_free(Context& context, const Source& source) {
  if (free_pending_) return;
  free_pending_ = true;
  // What will probably be sent then goes along, as the kernel fetches arguments ahead: it has waited long enough to
  // have left the caches. Nobody else reads it.
  context.schedule(TimePoint::from_ps(busy_until_ps_), node_, event_kind::kPortFree, number_,
                   reinterpret_cast<std::uintptr_t>(source.upcoming()));
}

inline void Port::transmit(Context& context, Packet* packet) {
  const std::uint32_t bytes = packet->wire_bytes;
  const std::uint64_t time_ps = ps_per_byte_ != 0 ? std::uint64_t{bytes} * ps_per_byte_ : rate_.time_ps(bytes);
  busy_until_ps_ = context.now().count_ps() + time_ps;
  tx_bytes_ += packet->frame_bytes();
  ++tx_packets_;
  packet->link_epoch = epoch_;
  if (disturbed_ && !pass_effects(context, packet)) [[unlikely]]
    return;
  context.schedule(TimePoint::from_ps(busy_until_ps_ + delay_ps_), peer_, event_kind::kArrival, peer_port_,
                   reinterpret_cast<std::uintptr_t>(packet));
}

template <class Source>
void Port::kick(Context& context, Source& source) {
  if (context.now().count_ps() < busy_until_ps_) {
    request_free(context, source);
    return;
  }
  if (!up()) [[unlikely]]
    return;
  Packet* packet = control_ != nullptr ? pop_control() : source.next(context, paused_mask());
  if (packet == nullptr) return;
  transmit(context, packet);
  if (control_ != nullptr || source.has_more(paused_mask())) request_free(context, source);
}

template <class Source>
void Port::handle_free(Context& context, Source& source) {
  free_pending_ = false;
  kick(context, source);
}

template <class Source>
void Port::handle_pause_expired(Context& context, Source& source) {
  if (expire_pauses(context)) kick(context, source);
}

template <class Source>
Port::Arrival Port::accept(Context& context, Packet* packet, Source& source, PacketPools& pools) {
  if (packet->link_epoch != rx_epoch_ || packet->has(packet_flag::kCorrupt)) [[unlikely]] {
    return drop_damaged(context, packet, pools);
  }
  ++rx_packets_;
  rx_bytes_ += packet->frame_bytes();
  if (!packet->has(packet_flag::kPfc)) [[likely]]
    return Arrival::kPacket;
  const bool resumed = take_pause(context, *packet);
  pools.at(context.partition()).free(packet);
  if (resumed) kick(context, source);
  return Arrival::kPause;
}

template <class Source>
void Port::handle_link_state(Context& context, bool up, Source& source, PacketPools& pools) {
  if (up == this->up()) return;
  change_link(context, up, pools);
  if (up) kick(context, source);
}

template <class Source>
void Port::send_pause(Context& context, std::uint8_t enable, std::uint16_t quanta, Source& source, PacketPools& pools) {
  if (!up()) return;
  push_control(make_pause(context, enable, quanta, pools));
  kick(context, source);
}

template <class Source>
void Port::ignore_pauses(Context& context, std::uint8_t mask, Source& source) {
  const std::uint8_t before = paused_mask();
  ignored_ = mask;
  if ((before & ~paused_mask()) != 0) kick(context, source);
}

}  // namespace rocelab::sim
