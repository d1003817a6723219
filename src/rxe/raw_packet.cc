// See raw_packet.h.
#include "rxe/raw_packet.h"

#include "rxe/completer.h"
#include "rxe/completions.h"
#include "rxe/local_memory.h"
#include "rxe/qp_lifecycle.h"
#include "rxe/request_packet.h"
#include "rxe/requester.h"
#include "rxe/responder_message.h"

namespace rocelab::rxe::raw_packet {

namespace {

constexpr std::size_t kEthernetBytes = 14;

void fail(Engine& engine, Qp& qp, TimePoint now, SendWqe& wqe, WcStatus status, VendorError reason) {
  wqe.fail(status, reason);
  completer::retire(engine, qp, now);
}

void deliver(Engine& engine, Qp& qp, TimePoint now, std::span<const std::byte> frame, std::uint32_t tag) {
  if (!processes_requests(qp.state)) {
    ++engine.counters.drop_qp_state;
    return;
  }
  HeldReceive& held = qp.responder.held;
  if (!held.held() && !take_receive(qp)) {
    ++engine.counters.drop_no_receive;
    return;
  }
  if (frame.size() > held.length()) {  // the receive stays held for the next frame
    ++engine.counters.drop_too_long;
    return;
  }
  const auto length = static_cast<std::uint32_t>(frame.size());
  const Places places = find_places(engine.regions, qp.receive_pd, held.sges(), {}, length, engine.places.data());
  if (places.fault != mm::AccessFault::kNone) {
    complete_receive_error(qp, now, held.wr_id(), WcStatus::kLocProtErr, local_error(places.fault));
    held.release();
    return enter_error(engine, qp, now, VendorError::kFlushedByError);
  }
  fill(std::span(engine.places.data(), places.count), wire::Payload{frame.data(), length, {}});
  Received received;
  received.byte_len = length;
  received.immediate = tag;
  const std::uint64_t wr_id = held.wr_id();
  held.release();
  complete_receive(qp, now, wr_id, received);
  ++engine.counters.rdma_recvs;
}

}  // namespace

Offer poll(Engine& engine, Qp& qp, TimePoint now, TxSink& sink) {
  RequesterState& requester = qp.requester;
  if (requester.send_position == qp.send_queue.tail() || !processes_responses(qp.state)) return Offer::kNothing;
  SendWqe* const wqe = requester::current(engine, qp, now);
  if (wqe == nullptr) return Offer::kNothing;
  if (wqe->length < kEthernetBytes || wqe->length > qp.mtu) {
    fail(engine, qp, now, *wqe, WcStatus::kLocLenErr, VendorError::kDatagramBeyondMtu);
    return Offer::kNothing;
  }
  if (!set_payload(engine, qp, requester.send_position, *wqe, 0, wqe->length, requester.next_psn)) {
    fail(engine, qp, now, *wqe, WcStatus::kLocProtErr, VendorError::kLocalNotMapped);
    return Offer::kNothing;
  }
  if (!sink.transmit(qp.packet)) return Offer::kRefused;
  count_sent(engine, qp.packet);
  ++requester.next_psn;
  requester.unacked_psn = requester.high_psn = requester.next_psn;
  ++requester.send_position;
  completer::retire(engine, qp, now);
  return Offer::kTaken;
}

bool handle_frame(Engine& engine, TimePoint now, std::span<const std::byte> frame, bool roce) {
  if (engine.flows.empty() || frame.size() < kEthernetBytes) return false;
  return engine.flows.steer(FlowKey::of(frame), roce, [&](const FlowRule& rule) {
    Qp* const qp = engine.find_qp(rule.qpn);
    if (qp == nullptr) return;
    deliver(engine, *qp, now, frame, rule.tag);
    settle(engine, *qp, now);
  });
}

}  // namespace rocelab::rxe::raw_packet
