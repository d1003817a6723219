// Verbs calls on completion queues, shared receive queues and address handles.
#include <cerrno>

#include "rxe/device_impl.h"
#include "rxe/quota.h"
#include "rxe/xrc.h"

namespace rocelab::rxe {

namespace {

tl::unexpected<base::Error> no_such_cq() { return base::fail(EINVAL, "no such completion queue"); }
tl::unexpected<base::Error> no_such_srq() { return base::fail(EINVAL, "no such shared receive queue"); }

Result<void> check_cqe(std::uint32_t cqe_min, const DeviceAttr& limits) {
  if (cqe_min == 0 || cqe_min > limits.max_cqe) {
    return base::fail(EINVAL, "the size of a completion queue is 0 or more than max_cqe");
  }
  return {};
}

}  // namespace

// --- completion queues ----------------------------------------------------------------------------------------------

Result<CqId> Device::create_cq(std::uint32_t cqe_min, void* user) {
  if (const auto checked = check_cqe(cqe_min, impl_->options.limits); !checked) {
    return tl::make_unexpected(checked.error());
  }
  Charge charge(impl_->options.quota);
  if (const auto charged = charge.take(Resource::kCq); !charged) return tl::make_unexpected(charged.error());
  const auto id = impl_->cqs.emplace(cqe_min, user, impl_->events, impl_->queue_storage());
  if (!id) return tl::make_unexpected(id.error());
  charge.keep();
  return CqId{*id};
}

Result<void> Device::destroy_cq(CqId cq) {
  const CompletionQueue* queue = impl_->find_cq(cq);
  if (queue == nullptr) return no_such_cq();
  if (queue->users() != 0) return base::fail(EBUSY, "a QP uses the completion queue");
  impl_->cqs.erase(static_cast<std::uint32_t>(cq));
  give_back(impl_->options.quota, Resource::kCq);
  return {};
}

Result<void> Device::resize_cq(CqId cq, std::uint32_t cqe_min) {
  CompletionQueue* queue = impl_->find_cq(cq);
  if (queue == nullptr) return no_such_cq();
  if (const auto checked = check_cqe(cqe_min, impl_->options.limits); !checked) return checked;
  return queue->resize(cqe_min);
}

std::uint32_t Device::cq_capacity(CqId cq) const {
  const CompletionQueue* queue = impl_->find_cq(cq);
  return queue == nullptr ? 0 : queue->capacity();
}

std::size_t Device::poll_cq(CqId cq, std::span<Completion> out) {
  CompletionQueue* queue = impl_->find_cq(cq);
  return queue == nullptr ? 0 : queue->poll(out);
}

std::size_t Device::cq_pending(CqId cq) const {
  const CompletionQueue* queue = impl_->find_cq(cq);
  return queue == nullptr ? 0 : queue->pending();
}

std::optional<TimePoint> Device::next_completion_time(CqId cq) const {
  const CompletionQueue* queue = impl_->find_cq(cq);
  if (queue == nullptr || queue->pending() == 0) return std::nullopt;
  return queue->front().timestamp;
}

Result<void> Device::req_notify_cq(CqId cq, bool solicited_only) {
  CompletionQueue* queue = impl_->find_cq(cq);
  if (queue == nullptr) return no_such_cq();
  queue->arm(solicited_only);
  return {};
}

Result<void> Device::modify_cq(CqId cq, std::uint16_t count, Duration period) {
  CompletionQueue* queue = impl_->find_cq(cq);
  if (queue == nullptr) return no_such_cq();
  if (!impl_->delay.has_timer()) {
    impl_->delay.set_timer(static_cast<std::uint32_t>(impl_->qp_of_timer.size()));
    impl_->qp_of_timer.push_back(nullptr);
    impl_->timers.reserve(impl_->qp_of_timer.size());
  }
  queue->moderate(impl_->delay, count, period);
  return {};
}

// --- shared receive queues ------------------------------------------------------------------------------------------

Result<SrqId> Device::create_srq(PdId pd, SrqAttr& attr, void* user) {
  if (!impl_->pds.valid(pd)) return base::fail(EINVAL, "no such protection domain");
  if (const auto checked = SharedReceiveQueue::check(attr, impl_->options.limits); !checked) {
    return tl::make_unexpected(checked.error());
  }
  Charge charge(impl_->options.quota);
  if (const auto charged = charge.take(Resource::kSrq); !charged) return tl::make_unexpected(charged.error());
  const auto id = impl_->srqs.emplace(pd, attr, user, impl_->events);
  if (!id) return tl::make_unexpected(id.error());
  charge.keep();
  impl_->pds.add_user(pd);
  attr = impl_->srqs.find(*id)->attr();
  return SrqId{*id};
}

Result<void> Device::modify_srq(SrqId srq, const SrqAttr& attr, bool set_max_wr, bool set_limit) {
  SharedReceiveQueue* queue = impl_->find_srq(srq);
  if (queue == nullptr) return no_such_srq();
  return queue->modify(attr, set_max_wr, set_limit, impl_->options.limits);
}

Result<SrqAttr> Device::query_srq(SrqId srq) const {
  const SharedReceiveQueue* queue = impl_->find_srq(srq);
  if (queue == nullptr) return no_such_srq();
  return queue->attr();
}

Result<void> Device::destroy_srq(SrqId srq) {
  const SharedReceiveQueue* queue = impl_->find_srq(srq);
  if (queue == nullptr) return no_such_srq();
  if (queue->users() != 0) return base::fail(EBUSY, "a QP uses the shared receive queue");
  if (queue->is_xrc()) {
    xrc::forget(*impl_, *queue);
    queue->xrc().cq->remove_user();
    impl_->xrc_domains.remove_user(queue->xrc().domain);
  }
  impl_->pds.remove_user(queue->pd());
  impl_->srqs.erase(static_cast<std::uint32_t>(srq));
  give_back(impl_->options.quota, Resource::kSrq);
  return {};
}

Result<void> Device::post_srq_recv(SrqId srq, const RecvRequest& request) {
  SharedReceiveQueue* queue = impl_->find_srq(srq);
  if (queue == nullptr) return no_such_srq();
  return queue->post(request);
}

// --- address handles ------------------------------------------------------------------------------------------------

Result<AhId> Device::create_ah(PdId pd, const AddressVector& av) {
  if (!impl_->pds.valid(pd)) return base::fail(EINVAL, "no such protection domain");
  const auto path = make_path(impl_->gids, av, {.source_mac = impl_->options.mac, .use = PathUse::kDatagram});
  if (!path) return tl::make_unexpected(path.error());
  Charge charge(impl_->options.quota);
  if (const auto charged = charge.take(Resource::kAh); !charged) return tl::make_unexpected(charged.error());
  const auto id = impl_->ahs.emplace(AddressHandle{pd, av, *path});
  if (!id) return tl::make_unexpected(id.error());
  charge.keep();
  impl_->pds.add_user(pd);
  return AhId{*id};
}

Result<void> Device::destroy_ah(AhId ah) {
  const AddressHandle* handle = impl_->find_ah(ah);
  if (handle == nullptr) return base::fail(EINVAL, "no such address handle");
  impl_->pds.remove_user(handle->pd);
  impl_->ahs.erase(static_cast<std::uint32_t>(ah));
  give_back(impl_->options.quota, Resource::kAh);
  return {};
}

}  // namespace rocelab::rxe
