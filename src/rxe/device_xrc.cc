// Verbs calls on XRC domains, their shared receive queues, and targets that several have open. IBTA annex A14.
#include <algorithm>
#include <cerrno>

#include "rxe/device_impl.h"
#include "rxe/xrc.h"

namespace rocelab::rxe {

Result<XrcdId> Device::alloc_xrcd() { return impl_->xrc_domains.alloc(); }

Result<void> Device::dealloc_xrcd(XrcdId xrcd) { return impl_->xrc_domains.dealloc(xrcd); }

Result<SrqId> Device::create_xrc_srq(PdId pd, XrcdId xrcd, CqId cq, SrqAttr& attr, void* user) {
  constexpr std::uint32_t kNumberMax = 0xff'ffff;
  Engine& engine = *impl_;
  if (!engine.xrc_domains.valid(xrcd)) return base::fail(EINVAL, "no such XRC domain");
  CompletionQueue* const completions = engine.find_cq(cq);
  if (completions == nullptr) return base::fail(EINVAL, "no such completion queue");
  const auto id = create_srq(pd, attr, user);
  if (!id) return id;
  if (xrc::number_of(engine, *id) > kNumberMax) {
    [[maybe_unused]] const auto undone = destroy_srq(*id);
    return base::fail(ENOMEM, "the device has no more numbers for XRC shared receive queues");
  }
  engine.find_srq(*id)->become_xrc({xrcd, cq, completions});
  engine.xrc_domains.add_user(xrcd);
  completions->add_user();
  return id;
}

Result<std::uint32_t> Device::srq_number(SrqId srq) const {
  const SharedReceiveQueue* const queue = impl_->find_srq(srq);
  if (queue == nullptr) return base::fail(EINVAL, "no such shared receive queue");
  if (!queue->is_xrc()) return base::fail(EOPNOTSUPP, "only XRC shared receive queues have a number");
  return xrc::number_of(*impl_, srq);
}

Result<QpType> Device::open_qp(Qpn qpn, XrcdId xrcd, void* user) {
  Qp* const qp = impl_->find_qp(qpn);
  if (qp == nullptr || qp->type != QpType::kXrcRecv || qp->xrcd != xrcd) {
    return base::fail(EINVAL, "the domain has no such XRC target");
  }
  qp->sharers.push_back(user);
  return qp->type;
}

Result<void> Device::close_qp(Qpn qpn, void* user) {
  Qp* const qp = impl_->find_qp(qpn);
  if (qp == nullptr) return base::fail(EINVAL, "no such queue pair");
  if (qp->sharers.empty()) return destroy_qp(qpn);
  const auto found = std::find(qp->sharers.begin(), qp->sharers.end(), user);
  if (found == qp->sharers.end()) {
    if (user != qp->user) return base::fail(EINVAL, "the queue pair was not opened by this user");
    qp->user = qp->sharers.back();
    qp->sharers.pop_back();
  } else {
    qp->sharers.erase(found);
  }
  impl_->events.forget(user);
  return {};
}

}  // namespace rocelab::rxe
