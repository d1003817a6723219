// Where an arriving packet goes: the checks that are the same for all services (IBTA vol 1, 9.6.1), then the QP's half
// that it is for. What fails here is counted by reason and dropped.
#include <algorithm>
#include <cstring>
#include <memory>
#include <span>

#include "rxe/address_handle.h"
#include "rxe/completer.h"
#include "rxe/datagram.h"
#include "rxe/device_impl.h"
#include "rxe/qp_lifecycle.h"
#include "rxe/responder.h"
#include "rxe/transmit.h"
#include "rxe/uc_responder.h"
#include "rxe/xrc.h"

namespace rocelab::rxe {

namespace {

/// IBTA vol 1, 10.9.3: base numbers agree, and at least one side is a full member; this side is one.
bool pkey_matches(std::uint16_t pkey) { return (pkey & 0x7fff) == (kDefaultPkey & 0x7fff); }

/// As operator==, but two comparisons of words instead of a call.
bool same(const wire::Gid& a, const wire::Gid& b) {
  return std::memcmp(a.bytes.data(), b.bytes.data(), sizeof a.bytes) == 0;
}

bool from_peer(const Qp& qp, const wire::Packet& packet) {
  const wire::Path& path = qp.packet.path;
  return same(packet.path.source_gid, path.destination_gid) && same(packet.path.destination_gid, path.source_gid) &&
         packet.path.encapsulation == path.encapsulation;
}

/// Is the opcode one of the QP's service?
bool of_service(const Qp& qp, wire::Opcode opcode) {
  constexpr unsigned kOperationMask = 0x1f;
  return wire::is_valid(opcode) && (static_cast<unsigned>(opcode) & ~kOperationMask) == qp.opcode_base;
}

void handle_cnp(Engine& engine, Qp& qp, TimePoint now) {
  ++engine.counters.cnp_handled;
  if (qp.congestion == nullptr) return;
  qp.congestion->on_cnp(now);
  keep_congestion_timer(engine, qp);
}

/// A packet that met congestion: the sender is told, at most once an interval.
void note_congestion(Engine& engine, Qp& qp, TimePoint now) {
  ++engine.counters.ecn_marked_rcvd;
  if (qp.is_datagram()) return;
  if (engine.options.ecn_echo && qp.reliable) {
    qp.responder.marked = true;
    return;
  }
  if (!qp.cnp_generator.on_marked(now)) return;
  qp.responder.cnp_owed = true;
  engine.add_control(qp);
}

/// The next ACK takes it back to the sender.
void note_telemetry(Qp& qp, std::span<const wire::HopTelemetry> hops) {
  if (qp.echo == nullptr) qp.echo = std::make_unique<TelemetryEcho>();
  qp.echo->count = std::min(hops.size(), qp.echo->hops.size());
  std::copy_n(hops.begin(), qp.echo->count, qp.echo->hops.begin());
}

void handle_connected(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  if (wire::is_response(packet.bth.opcode)) {
    if (processes_responses(qp.state)) {
      completer::handle_response(engine, qp, now, packet);
    } else {
      ++engine.counters.drop_qp_state;
    }
    return;
  }
  if (!qp.communicating) [[unlikely]] {
    qp.communicating = true;
    if (qp.state == QpState::kRtr) notify(engine, qp, EventType::kCommEst);
  }
  if (qp.type == QpType::kRc) [[likely]] {
    if (!packet.telemetry.empty()) note_telemetry(qp, packet.telemetry);
    qp.responder.source_port = packet.path.udp_source_port;
    responder::handle_request(engine, qp, now, packet);
  } else if (qp.type == QpType::kXrcRecv) {
    xrc::handle_request(engine, qp, now, packet);
  } else if (qp.type == QpType::kXrcSend) {
    ++engine.counters.drop_wrong_transport;  // its requests go the other way
  } else {
    uc_responder::handle_request(engine, qp, now, packet);
  }
}

}  // namespace

void Device::handle_packet(TimePoint now, const wire::Packet& packet) {
  Engine& engine = *impl_;
  ++engine.counters.rcvd_pkts;
  engine.counters.rcvd_bytes += packet.payload.length;
  if (!pkey_matches(packet.bth.pkey)) [[unlikely]] {
    ++engine.counters.drop_bad_pkey;
    return;
  }
  if (packet.bth.destination_qpn == kMulticastQpn) [[unlikely]]
    return datagram::handle_multicast(engine, now, packet);
  Qp* const found = engine.find_qp(packet.bth.destination_qpn);
  if (found == nullptr) [[unlikely]] {
    ++engine.counters.drop_bad_qpn;
    return;
  }
  Qp& qp = *found;
  const bool cnp = packet.bth.opcode == wire::Opcode::kCnp;
  if (!cnp && !of_service(qp, packet.bth.opcode)) [[unlikely]] {
    ++engine.counters.drop_wrong_transport;
    return;
  }
  if (!processes_requests(qp.state)) [[unlikely]] {
    ++engine.counters.drop_qp_state;
    return;
  }
  if (!qp.is_datagram() && !from_peer(qp, packet)) [[unlikely]] {
    ++engine.counters.drop_wrong_peer;
    return;
  }
  if (cnp) [[unlikely]]
    return handle_cnp(engine, qp, now);
  if ((packet.path.traffic_class & kEcnMask) == kEcnCe) [[unlikely]]
    note_congestion(engine, qp, now);
  if (qp.is_datagram()) {
    datagram::handle_datagram(engine, qp, now, packet);
  } else {
    handle_connected(engine, qp, now, packet);
  }
  settle(engine, qp, now);
}

}  // namespace rocelab::rxe
