// See request_packet.h. Everything that stays the same for a QP (path, destination QPN, partition key) is in its
// template already.
#include "rxe/request_packet.h"

#include <algorithm>
#include <array>

namespace rocelab::rxe {

namespace {

using wire::Operation;

/// The operations of a message's packets by their place in it.
struct Operations {
  Operation first, middle, last, only;
};
constexpr Operations kSend = {Operation::kSendFirst, Operation::kSendMiddle, Operation::kSendLast,
                              Operation::kSendOnly};
constexpr Operations kWrite = {Operation::kRdmaWriteFirst, Operation::kRdmaWriteMiddle, Operation::kRdmaWriteLast,
                               Operation::kRdmaWriteOnly};

/// By SendOpcode, up to kAtomicWrite.
constexpr std::array<Operations, 16> kOperations = {
    kWrite,
    {kWrite.first, kWrite.middle, Operation::kRdmaWriteLastWithImmediate, Operation::kRdmaWriteOnlyWithImmediate},
    kSend,
    {kSend.first, kSend.middle, Operation::kSendLastWithImmediate, Operation::kSendOnlyWithImmediate},
    {Operation::kRdmaReadRequest, Operation::kRdmaReadRequest, Operation::kRdmaReadRequest,
     Operation::kRdmaReadRequest},
    {Operation::kCompareSwap, Operation::kCompareSwap, Operation::kCompareSwap, Operation::kCompareSwap},
    {Operation::kFetchAdd, Operation::kFetchAdd, Operation::kFetchAdd, Operation::kFetchAdd},
    {},
    {},
    {kSend.first, kSend.middle, Operation::kSendLastWithInvalidate, Operation::kSendOnlyWithInvalidate},
    {},
    {},
    {},
    {},
    {Operation::kFlush, Operation::kFlush, Operation::kFlush, Operation::kFlush},
    {Operation::kAtomicWrite, Operation::kAtomicWrite, Operation::kAtomicWrite, Operation::kAtomicWrite},
};

/// Brings the cursor to `offset` bytes into the pieces.
PieceCursor cursor_at(const SendPiece* pieces, std::uint32_t offset) {
  PieceCursor cursor{0, offset};
  while (cursor.offset >= pieces[cursor.piece].length) {
    cursor.offset -= pieces[cursor.piece].length;
    ++cursor.piece;
  }
  return cursor;
}

/// A request of several pieces. false: on-demand memory is not there.
bool gather(Engine& engine, Qp& qp, const SendPiece* pieces, std::uint32_t offset, std::uint32_t length,
            std::uint64_t psn) {
  wire::Payload& payload = qp.packet.payload;
  payload.data = nullptr;
  if (length == 0) return true;
  RequesterState& requester = qp.requester;
  PieceCursor cursor;
  if (offset != 0) cursor = requester.cursor_psn == psn ? requester.cursor : cursor_at(pieces, offset);
  std::size_t count = 0;
  bool on_demand = false;
  for (std::uint32_t left = length; left != 0;) {
    const SendPiece& piece = pieces[cursor.piece];
    const std::uint32_t here = std::min(left, piece.length - cursor.offset);
    if (here != 0) {
      engine.segments[count++] = {piece.host == nullptr ? nullptr : piece.host + cursor.offset, here};
      on_demand = on_demand || base::is_guarded(piece.host);
    }
    left -= here;
    cursor.offset += here;
    if (cursor.offset == piece.length) cursor = {cursor.piece + 1, 0};
  }
  if (count == 1) {
    payload.data = engine.segments[0].data;
  } else {
    payload.pieces = {engine.segments.data(), count};
  }
  // Where the message's next packet begins, if this one is taken.
  requester.cursor = cursor;
  requester.cursor_psn = psn + 1;
  return !on_demand || fetch_guarded(engine.bounce, payload);
}

inline bool fill_payload(Engine& engine, Qp& qp, std::uint64_t position, const SendWqe& wqe, std::uint32_t offset,
                         std::uint32_t length, std::uint64_t psn) {
  wire::Payload& payload = qp.packet.payload;
  payload.length = length;
  payload.pieces = {};
  if (wqe.is_inline) {
    payload.data = qp.send_queue.inline_bytes(position) + offset;
    return true;
  }
  const SendPiece* pieces = qp.send_queue.pieces(position);
  if (wqe.piece_count == 1) [[likely]] {
    payload.data = pieces->host == nullptr ? nullptr : pieces->host + offset;
    return fetch(engine.bounce, payload);
  }
  return gather(engine, qp, pieces, offset, length, psn);
}

}  // namespace

bool set_payload(Engine& engine, Qp& qp, std::uint64_t position, const SendWqe& wqe, std::uint32_t offset,
                 std::uint32_t length, std::uint64_t psn) {
  return fill_payload(engine, qp, position, wqe, offset, length, psn);
}

bool build_request(Engine& engine, Qp& qp, const SendWqe& wqe, std::uint64_t position, std::uint64_t psn) {
  wire::Packet& packet = qp.packet;
  const auto index = static_cast<std::uint32_t>(psn - wqe.first_psn);
  const std::uint32_t offset = index * qp.mtu;
  const bool first = index == 0;
  const bool last = wqe.is_read() || index + 1 == wqe.packet_count;

  const Operations& operations = kOperations[static_cast<std::size_t>(wqe.opcode)];
  const Operation operation =
      first ? (last ? operations.only : operations.first) : (last ? operations.last : operations.middle);
  packet.bth.opcode = static_cast<wire::Opcode>(qp.opcode_base | static_cast<unsigned>(operation));
  packet.bth.psn = wire::Psn(static_cast<std::uint32_t>(psn));
  packet.bth.solicited = last && wqe.solicited;
  packet.bth.becn = false;
  packet.bth.ack_request = qp.reliable && (last || qp.requester.since_ack_request + 1 >= engine.ack_interval);

  switch (wqe.opcode) {
    case SendOpcode::kRdmaWrite:
    case SendOpcode::kRdmaWriteWithImm:
      packet.reth = {wqe.remote.addr, wqe.remote.rkey, wqe.length};
      packet.imm_dt.value = wqe.immediate;
      break;
    case SendOpcode::kSendWithImm:
      packet.imm_dt.value = wqe.immediate;
      break;
    case SendOpcode::kSendWithInv:
      packet.ieth.rkey = wqe.immediate;
      break;
    case SendOpcode::kRdmaRead:
      packet.reth = {wqe.remote.addr + offset, wqe.remote.rkey, wqe.length - offset};
      packet.payload = {};
      return true;
    case SendOpcode::kAtomicCmpAndSwp:
      packet.atomic_eth = {wqe.remote.addr, wqe.remote.rkey, wqe.remote.swap, wqe.remote.compare_add};
      packet.payload = {};
      return true;
    case SendOpcode::kAtomicFetchAndAdd:
      packet.atomic_eth = {wqe.remote.addr, wqe.remote.rkey, wqe.remote.compare_add, 0};
      packet.payload = {};
      return true;
    case SendOpcode::kFlush:
      packet.feth = {static_cast<std::uint8_t>(wqe.remote.swap & 0xf), static_cast<std::uint8_t>(wqe.remote.swap >> 4)};
      packet.reth = {wqe.remote.addr, wqe.remote.rkey, static_cast<std::uint32_t>(wqe.remote.compare_add)};
      packet.payload = {};
      return true;
    case SendOpcode::kAtomicWrite:
      packet.reth = {wqe.remote.addr, wqe.remote.rkey, wqe.length};
      if (wqe.is_inline || wqe.piece_count != 0) break;
      packet.payload = {reinterpret_cast<const std::byte*>(&wqe.remote.compare_add), wqe.length, {}};
      return true;
    default:
      break;
  }
  return fill_payload(engine, qp, position, wqe, offset, std::min(wqe.length - offset, qp.mtu), psn);
}

}  // namespace rocelab::rxe
