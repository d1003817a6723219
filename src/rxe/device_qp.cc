// Verbs calls that create, query and destroy queue pairs, and multicast membership. modify_qp is in
// device_modify_qp.cc.
#include <bit>
#include <cerrno>

#include "rxe/device_impl.h"
#include "rxe/qp_lifecycle.h"
#include "rxe/quota.h"

namespace rocelab::rxe {

namespace {

constexpr Qpn kReservedQpns = 2;  ///< 0 and 1 are the management QPs

tl::unexpected<base::Error> no_such_qp() { return base::fail(EINVAL, "no such queue pair"); }

/// What a QP of a type is made of.
struct Furniture {
  bool known = false;
  bool pd = true, sends = true, receives = true;
  bool xrcd = false;
};
constexpr Furniture furniture_of(QpType type) {
  switch (type) {
    case QpType::kRc:
    case QpType::kUc:
    case QpType::kUd:
    case QpType::kGsi:
    case QpType::kRawPacket:
      return {.known = true};
    case QpType::kXrcSend:
      return {.known = true, .receives = false};
    case QpType::kXrcRecv:
      return {.known = true, .pd = false, .sends = false, .receives = false, .xrcd = true};
  }
  return {};
}

Result<void> check_init(const Engine& engine, const QpInit& init) {
  const DeviceAttr& limits = engine.options.limits;
  const Furniture wanted = furniture_of(init.type);
  if (!wanted.known || (init.type == QpType::kRawPacket && !engine.options.raw_packets)) {
    return base::fail(EOPNOTSUPP, "the device has no QPs of this type");
  }
  if (wanted.pd && !engine.pds.valid(init.pd)) return base::fail(EINVAL, "no such protection domain");
  if (wanted.xrcd && !engine.xrc_domains.valid(init.xrcd)) return base::fail(EINVAL, "no such XRC domain");
  if ((wanted.sends && engine.find_cq(init.send_cq) == nullptr) ||
      (wanted.receives && engine.find_cq(init.recv_cq) == nullptr)) {
    return base::fail(EINVAL, "no such completion queue");
  }
  if (init.has_srq) {
    const SharedReceiveQueue* const srq = engine.find_srq(init.srq);
    if (srq == nullptr) return base::fail(EINVAL, "no such shared receive queue");
    if (!wanted.receives || srq->is_xrc()) return base::fail(EINVAL, "a QP of XRC is not tied to a receive queue");
  }
  if (init.cap.max_send_wr > limits.max_qp_wr || (!init.has_srq && init.cap.max_recv_wr > limits.max_qp_wr)) {
    return base::fail(EINVAL, "a work queue is longer than max_qp_wr");
  }
  if (init.cap.max_send_sge > limits.max_sge || (!init.has_srq && init.cap.max_recv_sge > limits.max_sge)) {
    return base::fail(EINVAL, "more pieces than max_sge");
  }
  if (init.cap.max_inline_data > limits.max_inline_data) {
    return base::fail(EINVAL, "more inline data than the device takes");
  }
  if (init.type == QpType::kGsi && engine.gsi != nullptr)
    return base::fail(EBUSY, "the device's GSI QP exists already");
  if (engine.qp_count >= limits.max_qp) return base::fail(ENOMEM, "the device has no more QPs");
  return {};
}

/// The next free QPN behind the one handed out last, so that a late packet of an old QP does not meet a new one.
Result<Qpn> free_qpn(Engine& engine) {
  const std::uint32_t reserved = engine.options.qpn_reserved;
  const std::uint32_t count = engine.options.qpn_count > reserved ? engine.options.qpn_count - reserved : 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t offset = (engine.qpn_cursor + i) % count;
    const std::uint32_t index = reserved + offset;
    const Qpn qpn = engine.options.qpn_first + index;
    if (engine.find_qp(qpn) != nullptr || qpn < kReservedQpns || qpn == kMulticastQpn) continue;
    engine.qpn_cursor = (offset + 1) % count;
    return qpn;
  }
  return base::fail(ENOMEM, "the device has no more QP numbers");
}

/// The number that the caller wants, if it is to be had.
Result<Qpn> wanted_qpn(const Engine& engine, Qpn wanted) {
  if (wanted - engine.options.qpn_first >= engine.options.qpn_count || wanted < kReservedQpns ||
      wanted == kMulticastQpn) {
    return base::fail(EINVAL, "the QP number is not one of the device's");
  }
  if (engine.find_qp(wanted) != nullptr) return base::fail(EBUSY, "the QP number is taken");
  return wanted;
}

std::uint32_t take_timer(Engine& engine) {
  if (!engine.free_timers.empty()) {
    const std::uint32_t index = engine.free_timers.back();
    engine.free_timers.pop_back();
    return index;
  }
  const auto index = static_cast<std::uint32_t>(engine.qp_of_timer.size());
  engine.qp_of_timer.push_back(nullptr);
  engine.timers.reserve(engine.qp_of_timer.size());
  return index;
}

std::uint32_t rounded_up(std::uint32_t count) { return count == 0 ? 0 : std::bit_ceil(count); }

/// What the caller is told it got.
void round_up(QpInit& init) {
  const Furniture furniture = furniture_of(init.type);
  if (!furniture.receives) init.cap.max_recv_wr = init.cap.max_recv_sge = 0;
  if (!furniture.sends) init.cap = {};
  init.cap.max_send_wr = rounded_up(init.cap.max_send_wr);
  init.cap.max_recv_wr = init.has_srq ? 0 : rounded_up(init.cap.max_recv_wr);
  if (init.has_srq) init.cap.max_recv_sge = 0;
}

void furnish(Engine& engine, Qp& qp, const QpInit& init) {
  const Furniture furniture = furniture_of(qp.type);
  qp.pd_number = qp.receive_pd = static_cast<std::uint32_t>(init.pd);
  qp.attr.cap = init.cap;
  qp.send_queue =
      SendQueue(init.cap.max_send_wr, init.cap.max_send_sge, init.cap.max_inline_data, engine.queue_storage());
  qp.send_cq_id = init.send_cq;
  qp.receive_cq_id = init.recv_cq;
  qp.send_cq = furniture.sends ? engine.find_cq(init.send_cq) : nullptr;
  qp.receive_cq = furniture.receives ? engine.find_cq(init.recv_cq) : nullptr;
  if (furniture.sends) qp.send_cq->add_user();
  if (furniture.receives) qp.receive_cq->add_user();
  qp.own_receives = furniture.receives && !init.has_srq;
  if (furniture.xrcd) {
    engine.xrc_domains.add_user(qp.xrcd);
    qp.responder.held.reserve(engine.options.limits.max_srq_sge);
  } else if (init.has_srq) {
    qp.srq_id = init.srq;
    qp.srq = engine.find_srq(init.srq);
    qp.srq->add_user();
    qp.receive_pd = static_cast<std::uint32_t>(qp.srq->pd());
    qp.responder.held.reserve(qp.srq->max_sge());
  } else {
    qp.receive_queue = ReceiveQueue(init.cap.max_recv_wr, init.cap.max_recv_sge, engine.queue_storage());
    qp.responder.held.reserve(init.cap.max_recv_sge);
  }
  qp.packet.bth.pkey = kDefaultPkey;
  if (qp.type == QpType::kRc && engine.options.loss_recovery == LossRecovery::kSelectiveRepeat) {
    qp.selective = std::make_unique<Selective>();
  }
  const wire::Transport transport = qp.selective != nullptr  ? wire::Transport::kSelective
                                    : qp.is_xrc()            ? wire::Transport::kXrc
                                    : qp.type == QpType::kRc ? wire::Transport::kRc
                                    : qp.type == QpType::kUc ? wire::Transport::kUc
                                                             : wire::Transport::kUd;
  qp.reliable = qp.type == QpType::kRc || qp.is_xrc();
  qp.unusual = qp.selective != nullptr || qp.type == QpType::kXrcSend ||
               (qp.reliable && engine.options.entropy != Entropy::kPerQp);
  qp.opcode_base = wire::opcode_value(transport, wire::Operation{});
  if (qp.is_datagram()) qp.mtu = mtu_bytes(engine.options.port_mtu);
  if (qp.is_raw()) {
    constexpr std::uint32_t kEthernetWithVlanBytes = 18;
    qp.mtu += kEthernetWithVlanBytes;
    qp.opcode_base = 0xe0;  // of no service: packets for its number are not for it
    qp.packet.raw_frame = true;
    qp.packet.path.destination_gid.bytes[0] = 0xff;  // whoever routes it by address sees a multicast one
  }
  if (furniture.pd) engine.pds.add_user(init.pd);
}

}  // namespace

Result<Qpn> Device::create_qp(QpInit& init) {
  Engine& engine = *impl_;
  if (const auto checked = check_init(engine, init); !checked) return tl::make_unexpected(checked.error());
  Charge charge(engine.options.quota);
  if (const auto charged = charge.take(Resource::kQp); !charged) return tl::make_unexpected(charged.error());
  Qpn qpn = kGsiQpn;
  if (init.type != QpType::kGsi) {
    const auto number = init.number != 0 ? wanted_qpn(engine, init.number) : free_qpn(engine);
    if (!number) return number;
    qpn = *number;
  }
  round_up(init);
  const std::uint32_t timer = take_timer(engine);
  auto created = std::make_unique<Qp>(init, qpn, timer);
  furnish(engine, *created, init);
  engine.qp_of_timer[timer] = created.get();
  if (qpn == kGsiQpn) {
    engine.gsi = std::move(created);
  } else {
    const std::size_t index = qpn - engine.options.qpn_first;
    if (index >= engine.qps.size()) engine.qps.resize(index + 1);
    engine.qps[index] = std::move(created);
  }
  ++engine.qp_count;
  charge.keep();
  return qpn;
}

Result<void> Device::destroy_qp(Qpn qpn) {
  Engine& engine = *impl_;
  Qp* qp = engine.find_qp(qpn);
  if (qp == nullptr) return no_such_qp();
  if (engine.multicast.groups_of(qpn) != 0) return base::fail(EBUSY, "the QP is attached to a multicast group");
  if (impl_->flows.steers_to(qpn)) return base::fail(EBUSY, "a steering rule names the QP");
  reset_qp(engine, *qp);
  engine.events.forget(qp->user);
  for (const void* sharer : qp->sharers) engine.events.forget(sharer);
  engine.qp_of_timer[qp->timers.index()] = nullptr;
  engine.free_timers.push_back(qp->timers.index());
  const Furniture furniture = furniture_of(qp->type);
  if (furniture.sends) qp->send_cq->remove_user();
  if (furniture.receives) qp->receive_cq->remove_user();
  if (qp->srq != nullptr) qp->srq->remove_user();
  if (furniture.xrcd) engine.xrc_domains.remove_user(qp->xrcd);
  if (furniture.pd) engine.pds.remove_user(qp->pd);
  --engine.qp_count;
  give_back(engine.options.quota, Resource::kQp);
  (qpn == kGsiQpn && qp == engine.gsi.get() ? engine.gsi : engine.qps[qpn - engine.options.qpn_first]).reset();
  return {};
}

Result<QpAttr> Device::query_qp(Qpn qpn) const {
  const Qp* qp = impl_->find_qp(qpn);
  if (qp == nullptr) return no_such_qp();
  QpAttr attr = qp->attr;
  attr.state = attr.cur_state = qp->state;
  attr.sq_draining = qp->draining;
  return attr;
}

std::uint32_t Device::resent_packets(Qpn qpn) const {
  const Qp* qp = impl_->find_qp(qpn);
  return qp == nullptr ? 0 : qp->requester.resent;
}

Result<void> Device::attach_mcast(Qpn qpn, const wire::Gid& group) {
  const Qp* qp = impl_->find_qp(qpn);
  if (qp == nullptr) return no_such_qp();
  return impl_->multicast.attach(qpn, qp->type, group);
}

Result<void> Device::detach_mcast(Qpn qpn, const wire::Gid& group) {
  if (impl_->find_qp(qpn) == nullptr) return no_such_qp();
  return impl_->multicast.detach(qpn, group);
}

std::vector<wire::Gid> Device::multicast_groups() const { return impl_->multicast.groups(); }
std::uint32_t Device::multicast_changes() const { return impl_->multicast.changes(); }

}  // namespace rocelab::rxe
