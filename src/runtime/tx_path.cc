// See tx_path.h.
#include "runtime/tx_path.h"

#include "cm/mad.h"
#include "net/frame_codec.h"

namespace rocelab::runtime {

template <class Commit>
TxPath::Sent TxPath::put(net::Port& port, const wire::Packet& packet, Commit&& commit) {
  const std::size_t size = net::encoded_size(packet);
  std::byte* room = port.tx_reserve(size);
  if (room == nullptr) {
    if (size > port.frame_bytes_max()) {
      ++counters_.tx_too_long;
      return Sent::kDropped;
    }
    flush(now_);  // the port may hold a backlog that its ring has room for by now
    room = port.tx_reserve(size);
    if (room == nullptr) return Sent::kFull;
  }
  const std::size_t bytes = net::encode_frame(packet, {room, size});
  commit(bytes);
  ++counters_.tx_frames;
  counters_.tx_bytes += bytes;
  return Sent::kYes;
}

bool TxPath::to_loopback(const wire::Packet& packet) {
  const auto commit = [this](std::size_t bytes) { loopback_.commit(bytes, now_); };
  return put(*loopback_.port, packet, commit) != Sent::kFull || wait();
}

bool TxPath::to_uplink(const wire::Packet& packet) {
  if (uplink_.port == nullptr || !uplink_.port->link_up()) {
    ++counters_.tx_no_route;
    return true;
  }
  const auto commit = [this](std::size_t bytes) { uplink_.commit(bytes, now_); };
  return put(*uplink_.port, packet, commit) != Sent::kFull || wait();
}

bool TxPath::to_peer(std::uint32_t slot, const wire::Packet& packet) {
  Link* link = nullptr;
  switch (links_.find(slot, now_, link)) {
    case Links::Answer::kGo:
      break;
    case Links::Answer::kWait:
      return wait();
    case Links::Answer::kNobody:
      ++counters_.tx_no_peer;
      return true;
  }
  switch (put(*link->port, packet, [&](std::size_t bytes) { links_.commit(*link, bytes, now_); })) {
    case Sent::kYes:
    case Sent::kDropped:
      return true;
    case Sent::kFull:
      break;
  }
  if (!link->port->link_up()) {  // it died with a full ring
    ++counters_.tx_no_peer;
    return true;
  }
  if (links_.full_too_long(*link, now_)) {  // stopped, perhaps: the network would not wait either
    ++counters_.tx_peer_stuck;
    return true;
  }
  return wait();
}

template <class Wants>
bool TxPath::to_all(const wire::Packet& packet, bool us, bool off_host_too, Wants&& wants) {
  // All or nothing while a link is on its way; a peer whose ring is full, or whose link cannot be made, misses out.
  bool on_the_way = false;
  page_.for_each_peer([&](std::uint32_t slot, std::uint32_t) {
    Link* link = nullptr;
    on_the_way = (wants(slot) && links_.find(slot, now_, link) == Links::Answer::kWait) || on_the_way;
  });
  if (on_the_way) return wait();
  if (us && !to_loopback(packet)) return false;
  page_.for_each_peer([&](std::uint32_t slot, std::uint32_t) {
    Link* link = nullptr;
    if (!wants(slot) || links_.find(slot, now_, link) != Links::Answer::kGo) return;
    const auto commit = [&](std::size_t bytes) { links_.commit(*link, bytes, now_); };
    if (put(*link->port, packet, commit) == Sent::kFull) ++counters_.tx_peer_stuck;
  });
  const bool fits = uplink_takes_raw_ || !packet.raw_frame;
  if (off_host_too && fits && uplink_.port != nullptr && uplink_.port->link_up()) {
    put(*uplink_.port, packet, [this](std::size_t bytes) { uplink_.commit(bytes, now_); });
  }
  return true;
}

bool TxPath::to_management(const wire::Packet& packet, std::uint32_t device) {
  const auto everybody = [](std::uint32_t) { return true; };
  // Each process has its QP1.
  if (cm_page_ == nullptr) return to_all(packet, true, false, everybody);
  const auto takes_part = [&](std::uint32_t slot) { return cm_page_->takes_part(slot, device); };
  const wire::Payload& payload = packet.payload;
  if (payload.data != nullptr && payload.pieces.empty()) {
    if (const auto id = cm::receiver_of({payload.data, payload.length})) {
      const std::uint32_t slot = *id >> 24;
      if (slot == page_.slot()) return to_loopback(packet);
      // Of a slot that nobody lives in, all are told: one of them answers.
      if (page_.occupant(slot)) return takes_part(slot) ? to_peer(slot, packet) : true;
    }
  }
  return to_all(packet, takes_part(page_.slot()), false, takes_part);
}

bool TxPath::transmit(const wire::Packet& packet) {
  const std::uint32_t where = routes_.find(packet.path.destination_gid);
  if (where == Routes::kElsewhere) return to_uplink(packet);
  if (where == Routes::kMulticast) return to_all(packet, true, true, [](std::uint32_t) { return true; });
  const std::uint32_t slot = packet.bth.destination_qpn >> 16;
  if (slot == page_.slot()) return to_loopback(packet);
  if (packet.bth.destination_qpn == rxe::kGsiQpn) return to_management(packet, where);
  return to_peer(slot, packet);
}

bool TxPath::meet_everybody(TimePoint now) {
  bool on_the_way = false;
  page_.for_each_peer([&](std::uint32_t slot, std::uint32_t) {
    Link* link = nullptr;
    on_the_way = links_.find(slot, now, link) == Links::Answer::kWait || on_the_way;
  });
  return on_the_way;
}

void TxPath::flush(TimePoint now) {
  links_.flush(now);
  if (loopback_.backlog != 0) looped_ = loopback_.flush(now) != 0 || looped_;
  if (uplink_.backlog != 0) uplink_.flush(now);
}

}  // namespace rocelab::runtime
