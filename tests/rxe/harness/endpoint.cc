// See endpoint.h.
#include "tests/rxe/harness/endpoint.h"

namespace rocelab::test {

namespace attr = rxe::qp_attr;
using rxe::QpState;
using rxe::QpType;

Endpoint::Endpoint(Side& owner, const QpOptions& opt)
    : side(owner), options(opt), memory(owner.device, owner.pd, opt.buffer_bytes) {
  const auto scq = side.device.create_cq(options.cqe, &send_cq);
  const auto rcq = side.device.create_cq(options.cqe, &recv_cq);
  if (!scq || !rcq || !memory.registered()) {
    valid_ = false;
    return;
  }
  send_cq = *scq;
  recv_cq = *rcq;
  rxe::QpInit init;
  init.type = options.type;
  init.pd = side.pd;
  init.send_cq = send_cq;
  init.recv_cq = recv_cq;
  init.has_srq = options.srq.has_value();
  if (options.srq) init.srq = *options.srq;
  init.cap = options.cap;
  init.sq_sig_all = options.sq_sig_all;
  init.user = this;
  const auto created = side.device.create_qp(init);
  if (!created) {
    valid_ = false;
    return;
  }
  qpn = *created;
  if (is_xrc()) valid_ = make_target();
}

bool Endpoint::make_target() {
  rxe::Device& device = side.device;
  const auto domain = device.alloc_xrcd();
  if (!domain) return false;
  xrcd = *domain;
  if (!make_queue()) return false;
  rxe::QpInit init;
  init.type = QpType::kXrcRecv;
  init.xrcd = xrcd;
  init.user = this;
  const auto created = device.create_qp(init);
  if (!created) return false;
  target = *created;
  return true;
}

bool Endpoint::make_queue() {
  rxe::SrqAttr attr{.max_wr = options.cap.max_recv_wr, .max_sge = options.cap.max_recv_sge, .limit = 0};
  const auto queue = side.device.create_xrc_srq(side.pd, xrcd, recv_cq, attr, &srq);
  if (!queue) return false;
  srq = *queue;
  return true;
}

bool Endpoint::connect_target(const Endpoint& peer) {
  const auto set = [&](const rxe::QpAttr& a, std::uint32_t mask) {
    return side.device.modify_qp(side.now, target, a, mask).has_value();
  };
  const std::uint32_t rc_rtr = attr::kState | attr::kAv | attr::kPathMtu | attr::kDestQpn | attr::kRqPsn |
                               attr::kMaxDestRdAtomic | attr::kMinRnrTimer;
  return set(init_attr(), init_mask()) && set(rtr_attr(peer.side.number, peer.qpn, peer.options.psn), rc_rtr) &&
         set(rts_attr(), attr::kState | attr::kSqPsn | attr::kTimeout);
}

bool Endpoint::destroy() {
  rxe::Device& device = side.device;
  if (!device.destroy_qp(qpn)) return false;
  if (is_xrc() && (!device.destroy_qp(target) || !device.destroy_srq(srq) || !device.dealloc_xrcd(xrcd))) return false;
  return device.destroy_cq(send_cq) && device.destroy_cq(recv_cq) && device.dereg_mr(memory.mr().id);
}

base::Result<void> Endpoint::post(Work& work) {
  if (!is_xrc()) return side.device.post_send(side.now, qpn, work.request());
  rxe::SendRequest request = work.request();
  request.srq_number = peer_srq_number;
  return side.device.post_send(side.now, qpn, request);
}

rxe::QpAttr Endpoint::init_attr() const {
  rxe::QpAttr a;
  a.state = QpState::kInit;
  a.access_flags = options.access;
  a.qkey = options.qkey;
  return a;
}

std::uint32_t Endpoint::init_mask() const {
  const bool datagram = options.type == QpType::kUd || options.type == QpType::kGsi;
  const std::uint32_t base = attr::kState | attr::kPkeyIndex;
  if (options.type == QpType::kGsi) return base | attr::kQkey;
  return base | attr::kPort | (datagram ? attr::kQkey : attr::kAccessFlags);
}

rxe::QpAttr Endpoint::rtr_attr(unsigned peer_number, rxe::Qpn peer_qpn, std::uint32_t peer_psn) const {
  rxe::QpAttr a;
  a.state = QpState::kRtr;
  a.av = route_to(peer_number, options.sgid_index);
  a.av.traffic_class = options.traffic_class;
  a.path_mtu = options.mtu;
  a.dest_qpn = peer_qpn;
  a.rq_psn = peer_psn;
  a.max_dest_rd_atomic = options.max_dest_rd_atomic;
  a.min_rnr_timer = options.min_rnr_timer;
  return a;
}

std::uint32_t Endpoint::rtr_mask() const {
  if (options.type == QpType::kUd || options.type == QpType::kGsi) return attr::kState;
  const std::uint32_t connected = attr::kState | attr::kAv | attr::kPathMtu | attr::kDestQpn | attr::kRqPsn;
  return options.type == QpType::kUc || is_xrc() ? connected : connected | attr::kMaxDestRdAtomic | attr::kMinRnrTimer;
}

rxe::QpAttr Endpoint::rts_attr() const {
  rxe::QpAttr a;
  a.state = QpState::kRts;
  a.sq_psn = options.psn;
  a.timeout = options.timeout;
  a.retry_cnt = options.retry_cnt;
  a.rnr_retry = options.rnr_retry;
  a.max_rd_atomic = options.max_rd_atomic;
  return a;
}

std::uint32_t Endpoint::rts_mask() const {
  if (options.type != QpType::kRc && !is_xrc()) return attr::kState | attr::kSqPsn;
  return attr::kState | attr::kSqPsn | attr::kTimeout | attr::kRetryCnt | attr::kRnrRetry | attr::kMaxQpRdAtomic;
}

base::Result<void> Endpoint::to_init() { return modify(init_attr(), init_mask()); }
base::Result<void> Endpoint::to_rtr(unsigned peer_number, rxe::Qpn peer_qpn, std::uint32_t peer_psn) {
  return modify(rtr_attr(peer_number, peer_qpn, peer_psn), rtr_mask());
}
base::Result<void> Endpoint::to_rts() { return modify(rts_attr(), rts_mask()); }

base::Result<void> Endpoint::to_state(QpState state) {
  rxe::QpAttr a;
  a.state = state;
  if (is_xrc() && (state == QpState::kErr || state == QpState::kReset)) {
    if (const auto moved = side.device.modify_qp(side.now, target, a, attr::kState); !moved) return moved;
    if (state == QpState::kReset) {  // the receives of an RC QP would be gone
      if (const auto gone = side.device.destroy_srq(srq); !gone || !make_queue()) return gone;
    }
  }
  return modify(a, attr::kState);
}

base::Result<void> Endpoint::modify(const rxe::QpAttr& a, std::uint32_t mask) {
  return side.device.modify_qp(side.now, qpn, a, mask);
}

QpState Endpoint::state() const {
  const auto queried = side.device.query_qp(qpn);
  return queried ? queried->state : QpState::kReset;
}

base::Result<void> Endpoint::recv(std::uint64_t wr_id, std::span<const rxe::Sge> sges) {
  if (is_xrc()) return side.device.post_srq_recv(srq, {.wr_id = wr_id, .sges = sges});
  return side.device.post_recv(side.now, qpn, {.wr_id = wr_id, .sges = sges});
}

base::Result<void> Endpoint::recv(std::uint64_t wr_id, std::size_t offset, std::size_t length) {
  const rxe::Sge sge = memory.sge(offset, length);
  return recv(wr_id, std::span(&sge, 1));
}

std::optional<rxe::Completion> Endpoint::poll(rxe::CqId cq) {
  rxe::Completion completion;
  if (side.device.poll_cq(cq, std::span(&completion, 1)) == 0) return std::nullopt;
  return completion;
}

bool connect(Endpoint& a, Endpoint& b) {
  if (a.valid() && b.valid() && a.is_xrc()) {
    const auto at_a = a.side.device.srq_number(a.srq), at_b = b.side.device.srq_number(b.srq);
    if (!at_a || !at_b || !a.connect_target(b) || !b.connect_target(a)) return false;
    b.peer_srq_number = *at_a;
    a.peer_srq_number = *at_b;
  }
  return a.valid() && b.valid() && a.to_init() && b.to_init() &&
         a.to_rtr(b.side.number, b.is_xrc() ? b.target : b.qpn, b.options.psn) &&
         b.to_rtr(a.side.number, a.is_xrc() ? a.target : a.qpn, a.options.psn) && a.to_rts() && b.to_rts();
}

namespace {
QpOptions other_psn(QpOptions options) {
  options.psn = (options.psn + 4000) & 0xff'ffff;
  return options;
}
}  // namespace

Connection::Connection(Pair& pair, const QpOptions& options) : Connection(pair, options, other_psn(options)) {}

Connection::Connection(Pair& pair, const QpOptions& a_options, const QpOptions& b_options)
    : a(pair.a, a_options), b(pair.b, b_options), valid(connect(a, b)) {}

}  // namespace rocelab::test
