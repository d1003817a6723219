// See read_response.h.
#include "rxe/read_response.h"

#include <algorithm>

#include "rxe/local_memory.h"

namespace rocelab::rxe {

namespace {

constexpr std::uint32_t kAtomicBytes = 8;

constexpr AnswerVerdict kNotMapped = {WcStatus::kLocProtErr, VendorError::kLocalNotMapped};

AnswerVerdict bad_response(VendorError reason) { return {WcStatus::kBadRespErr, reason}; }

/// The request's memory may have been deregistered since it was posted.
AnswerVerdict check_memory(Engine& engine, const Qp& qp, SendWqe& wqe, std::span<SendPiece> pieces) {
  if (wqe.generation == engine.regions.generation()) return {};
  const mm::AccessFault fault = translate(engine.regions, qp.pd_number, pieces, access::kLocalWrite);
  if (fault != mm::AccessFault::kNone) return {WcStatus::kLocProtErr, local_error(fault)};
  wqe.generation = engine.regions.generation();
  return {};
}

AnswerVerdict check_read_response(const SendWqe& wqe, bool selective, std::uint32_t mtu, std::uint32_t index,
                                  const wire::Packet& packet) {
  if (!wqe.is_read() || !wire::is_read_response(packet.bth.opcode)) return bad_response(VendorError::kUnexpectedOpcode);
  const bool last = index + 1 == wqe.packet_count;
  const bool starts = wire::starts_message(packet.bth.opcode);
  // Under selective repeat any part may have been asked for again.
  if (!selective && wire::ends_message(packet.bth.opcode) != last) return bad_response(VendorError::kResponseOrder);
  // A READ that was asked for again starts anew in its middle.
  if (!selective && (index == 0 ? !starts : starts && !wqe.repeated)) return bad_response(VendorError::kResponseOrder);
  const std::uint32_t wanted = last ? wqe.length - index * mtu : mtu;
  if (packet.payload.length == wanted) return {};
  if (last && packet.payload.length > wanted) return {WcStatus::kLocLenErr, VendorError::kResponseTooLong};
  return bad_response(VendorError::kResponseLength);
}

}  // namespace

AnswerVerdict accept_answer(Engine& engine, Qp& qp, SendWqe& wqe, std::uint64_t position, std::uint32_t index,
                            const wire::Packet& packet) {
  if (wqe.is_confirmed()) [[unlikely]] {
    const bool empty = packet.bth.opcode == wire::Opcode::kRcRdmaReadResponseOnly && packet.payload.length == 0;
    return empty ? AnswerVerdict{} : bad_response(VendorError::kUnexpectedOpcode);
  }
  const std::span pieces(qp.send_queue.pieces(position), wqe.piece_count);
  if (wire::operation_of(packet.bth.opcode) == wire::Operation::kAtomicAcknowledge) {
    if (!wqe.is_atomic()) return bad_response(VendorError::kUnexpectedOpcode);
    const AnswerVerdict verdict = check_memory(engine, qp, wqe, pieces);
    if (verdict.status != WcStatus::kSuccess) return verdict;
    const std::uint64_t original = packet.atomic_ack_eth.original;
    const bool placed = scatter(pieces, 0, {reinterpret_cast<const std::byte*>(&original), kAtomicBytes, {}});
    return placed ? AnswerVerdict{} : kNotMapped;
  }
  AnswerVerdict verdict = check_read_response(wqe, qp.selective != nullptr, qp.mtu, index, packet);
  if (verdict.status != WcStatus::kSuccess) return verdict;
  verdict = check_memory(engine, qp, wqe, pieces);
  if (verdict.status != WcStatus::kSuccess) return verdict;
  bool placed = true;
  if (pieces.size() == 1) [[likely]] {
    if (pieces[0].host != nullptr && packet.payload.data != nullptr) {
      std::byte* to = pieces[0].host + std::uint64_t{index} * qp.mtu;
      placed = place_bytes(to, packet.payload.data, packet.payload.length);
    }
  } else {
    placed = scatter(pieces, std::uint64_t{index} * qp.mtu, packet.payload);
  }
  return placed ? AnswerVerdict{} : kNotMapped;
}

}  // namespace rocelab::rxe
