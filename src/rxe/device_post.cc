// Posting work: what can be checked at once is an errno, the rest becomes a completion when the request's turn comes.
// IBTA vol 1, 10.8.2 and 11.4.1.
#include <cerrno>
#include <memory>

#include "rxe/completions.h"
#include "rxe/device_impl.h"
#include "rxe/local_memory.h"
#include "rxe/qp_lifecycle.h"
#include "rxe/qp_state.h"

namespace rocelab::rxe {

namespace {

constexpr std::uint32_t kAtomicBytes = 8;
constexpr std::uint32_t kQpnMax = 0xff'ffff;

constexpr std::uint32_t bit(SendOpcode opcode) { return 1u << (static_cast<unsigned>(opcode) & 31); }

constexpr std::uint32_t kLocalOpcodes =
    bit(SendOpcode::kBindMw) | bit(SendOpcode::kLocalInv);  // kRegMr (32) is told apart below
constexpr std::uint32_t kDatagramOpcodes = bit(SendOpcode::kSend) | bit(SendOpcode::kSendWithImm);
constexpr std::uint32_t kUcOpcodes =
    kDatagramOpcodes | kLocalOpcodes | bit(SendOpcode::kRdmaWrite) | bit(SendOpcode::kRdmaWriteWithImm);
constexpr std::uint32_t kRcOpcodes = kUcOpcodes | bit(SendOpcode::kRdmaRead) | bit(SendOpcode::kAtomicCmpAndSwp) |
                                     bit(SendOpcode::kAtomicFetchAndAdd) | bit(SendOpcode::kSendWithInv);
constexpr std::uint32_t kInlineOpcodes =
    kDatagramOpcodes | bit(SendOpcode::kRdmaWrite) | bit(SendOpcode::kRdmaWriteWithImm) | bit(SendOpcode::kSendWithInv);

/// Which requests a service takes: IBTA vol 1, table 90 (10.8.2).
bool supported(const Qp& qp, SendOpcode opcode) {
  if (qp.type == QpType::kXrcRecv) return false;
  if (qp.is_raw()) return opcode == SendOpcode::kSend;
  if (opcode == SendOpcode::kRegMr) return !qp.is_datagram();
  if (opcode > SendOpcode::kSendWithInv) {
    const bool confirmed = opcode == SendOpcode::kFlush || opcode == SendOpcode::kAtomicWrite;
    return confirmed && qp.type == QpType::kRc && qp.selective == nullptr;
  }
  const std::uint32_t permitted = qp.reliable ? kRcOpcodes : qp.type == QpType::kUc ? kUcOpcodes : kDatagramOpcodes;
  return (permitted & bit(opcode)) != 0;
}

/// Which members of the request's union count.
void copy_operands(const Qp& qp, const SendRequest& request, SendWqe& wqe) {
  switch (request.opcode) {
    case SendOpcode::kSendWithInv:
      wqe.remote.srq_number = request.srq_number;
      [[fallthrough]];
    case SendOpcode::kLocalInv:
      wqe.immediate = request.invalidate_rkey;
      break;
    case SendOpcode::kFlush:
      wqe.remote = {request.remote_addr, request.flush.length,
                    static_cast<std::uint64_t>(request.flush.selectivity) << 4 | request.flush.placement, request.rkey,
                    0};
      break;
    case SendOpcode::kAtomicWrite:
      wqe.remote = {request.remote_addr, request.compare_add, 0, request.rkey, 0};
      wqe.length = kAtomicBytes;
      break;
    case SendOpcode::kBindMw:
      std::construct_at(&wqe.bind, request.bind);
      break;
    case SendOpcode::kRegMr:
      std::construct_at(&wqe.reg, request.reg);
      break;
    default:
      wqe.immediate = request.immediate;
      if (qp.is_datagram()) {
        wqe.datagram = {request.ah, request.remote_qpn, request.remote_qkey};
      } else {
        wqe.remote = {request.remote_addr, request.compare_add, request.swap, request.rkey, request.srq_number};
      }
      break;
  }
}

/// Why the pieces of a request are too many or too long; called when they are.
base::Error refuse_pieces(bool is_inline) {
  return {EINVAL, is_inline ? "more inline data than max_inline_data, or a request that takes none"
                            : "more pieces than max_send_sge"};
}

bool pieces_fit(const Qp& qp, const SendRequest& request, std::uint64_t length) {
  if ((request.flags & send_flag::kInline) == 0) [[likely]]
    return request.sges.size() <= qp.attr.cap.max_send_sge;
  if (request.opcode == SendOpcode::kAtomicWrite) return length <= qp.attr.cap.max_inline_data;
  return length <= qp.attr.cap.max_inline_data && request.opcode <= SendOpcode::kSendWithInv &&
         (kInlineOpcodes & bit(request.opcode)) != 0;
}

/// What only some requests need to have right.
base::Error check_operands(const Engine& engine, const Qp& qp, const SendRequest& request, std::uint64_t length) {
  if (qp.is_raw()) return {};
  if (qp.is_datagram()) {
    if (engine.find_ah(request.ah) == nullptr) return {EINVAL, "no such address handle"};
    if (request.remote_qpn > kQpnMax) return {EINVAL, "remote_qpn is beyond 24 bits"};
    return {};
  }
  const bool atomic =
      request.opcode == SendOpcode::kAtomicCmpAndSwp || request.opcode == SendOpcode::kAtomicFetchAndAdd;
  if (atomic && length != kAtomicBytes) return {EINVAL, "an atomic's result is 8 bytes"};
  if (request.opcode == SendOpcode::kAtomicWrite && length != kAtomicBytes &&
      (!request.sges.empty() || (request.flags & send_flag::kInline) != 0)) {
    return {EINVAL, "an atomic write has 8 bytes"};
  }
  if (request.opcode == SendOpcode::kFlush && !request.sges.empty()) return {EINVAL, "a FLUSH has no data"};
  const bool confirmed = request.opcode == SendOpcode::kFlush || request.opcode == SendOpcode::kAtomicWrite;
  if ((atomic || confirmed || request.opcode == SendOpcode::kRdmaRead) && qp.attr.max_rd_atomic == 0) {
    return {EINVAL, "the QP was connected with max_rd_atomic 0"};
  }
  return {};
}

void copy_data(Qp& qp, const SendRequest& request, std::uint64_t position, SendWqe& wqe) {
  if (wqe.is_inline) {
    std::byte* to = qp.send_queue.inline_bytes(position);
    for (const Sge& sge : request.sges) {
      copy_bytes(to, reinterpret_cast<const std::byte*>(sge.addr), sge.length);
      to += sge.length;
    }
    wqe.piece_count = 0;
    return;
  }
  SendPiece* pieces = qp.send_queue.pieces(position);
  std::uint32_t count = 0;
  for (const Sge& sge : request.sges) pieces[count++] = {sge.addr, sge.length, sge.lkey, nullptr};
  wqe.piece_count = count;
}

/// What post_send can say at once: EINVAL and why, or code 0 and the message's length. Inline: it is most of the cost
/// of posting.
inline base::Error check_send(const Engine& engine, const Qp& qp, const SendRequest& request, std::uint64_t& length) {
  if (!may_post_send(qp.state)) [[unlikely]]
    return {EINVAL, "the QP's state takes no send requests"};
  if (!supported(qp, request.opcode)) [[unlikely]]
    return {EINVAL, "the QP's service has no such operation"};
  length = 0;
  for (const Sge& sge : request.sges) length += sge.length;
  if (!pieces_fit(qp, request, length)) [[unlikely]]
    return refuse_pieces((request.flags & send_flag::kInline) != 0);
  if (request.opcode > SendOpcode::kSendWithImm || qp.is_datagram()) {
    return check_operands(engine, qp, request, length);
  }
  return {};
}

}  // namespace

Result<void> Device::check_sends(Qpn qpn, std::span<const SendRequest> requests) const {
  const Engine& engine = *impl_;
  const Qp* const qp = engine.find_qp(qpn);
  if (qp == nullptr) return base::fail(EINVAL, "no such queue pair");
  for (const SendRequest& request : requests) {
    std::uint64_t length = 0;
    if (const base::Error refused = check_send(engine, *qp, request, length); refused.code != 0) {
      return tl::make_unexpected(refused);
    }
  }
  if (requests.size() > qp->send_queue.room()) return base::fail(ENOMEM, "the send queue has not that much room");
  return {};
}

Result<void> Device::post_send(TimePoint now, Qpn qpn, const SendRequest& request) {
  Engine& engine = *impl_;
  Qp* const found = engine.find_qp(qpn);
  if (found == nullptr) [[unlikely]]
    return base::fail(EINVAL, "no such queue pair");
  Qp& qp = *found;
  std::uint64_t length = 0;
  if (const base::Error refused = check_send(engine, qp, request, length); refused.code != 0) [[unlikely]]
    return tl::make_unexpected(refused);
  if (qp.send_queue.full()) [[unlikely]]
    return base::fail(ENOMEM, "the send queue is full");

  const std::uint64_t position = qp.send_queue.tail();
  SendWqe& wqe = qp.send_queue.push();
  wqe.wr_id = request.wr_id;
  wqe.opcode = request.opcode;
  wqe.length = static_cast<std::uint32_t>(length);
  wqe.signaled = qp.sq_sig_all || (request.flags & send_flag::kSignaled) != 0;
  wqe.solicited = (request.flags & send_flag::kSolicited) != 0;
  wqe.fenced = (request.flags & send_flag::kFence) != 0;
  wqe.is_inline = (request.flags & send_flag::kInline) != 0;
  wqe.repeated = false;
  wqe.state = WqeState::kPosted;
  copy_operands(qp, request, wqe);
  if (length > engine.options.limits.max_msg_size) [[unlikely]] {
    wqe.fail(WcStatus::kLocLenErr, VendorError::kMessageTooLong);
    wqe.length = 0;
  }
  if (flushes_sends(qp.state)) [[unlikely]] {
    complete_send_error(qp, now, wqe, WcStatus::kWrFlushErr, qp.flush_reason);
    qp.send_queue.pop();
    qp.requester.send_position = qp.requester.begun_position = qp.send_queue.head();
    settle(engine, qp, now);
    return {};
  }
  copy_data(qp, request, position, wqe);
  engine.ready.add(qp);
  return {};
}

void Device::hold_requests(Qpn qpn, TimePoint until) {
  Qp* const qp = impl_->find_qp(qpn);
  if (qp == nullptr || qp->requester.send_position != qp->send_queue.tail()) return;
  qp->requester.held_until = until;
  qp->requester.holds = qp->unusual = true;
}

Result<void> Device::post_recv(TimePoint now, Qpn qpn, const RecvRequest& request) {
  Engine& engine = *impl_;
  Qp* const found = engine.find_qp(qpn);
  if (found == nullptr) [[unlikely]]
    return base::fail(EINVAL, "no such queue pair");
  Qp& qp = *found;
  if (!qp.own_receives) [[unlikely]]
    return base::fail(EINVAL, "the QP has no receive queue: receives are posted to a shared one");
  if (!may_post_recv(qp.state)) [[unlikely]]
    return base::fail(EINVAL, "the QP's state takes no receive requests");
  if (flushes_receives(qp.state)) [[unlikely]] {
    if (request.sges.size() > qp.receive_queue.max_sge()) return base::fail(EINVAL, "more pieces than max_recv_sge");
    complete_receive_error(qp, now, request.wr_id, WcStatus::kWrFlushErr, qp.flush_reason);
    return {};
  }
  return qp.receive_queue.post(request);
}

}  // namespace rocelab::rxe
