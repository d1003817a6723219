// Completion queues: create, resize, destroy, poll, arm.
#include "verbs/cq.h"

#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <span>

#include "verbs/acknowledged.h"
#include "verbs/context.h"
#include "verbs/status.h"
#include "verbs/wc.h"

namespace rocelab::verbs {
namespace {

inline constexpr std::size_t kPollBatch = 16;

/// Room for completions that nobody initialises: poll_cq is called mostly in vain.
union CompletionBatch {
  CompletionBatch() {}
  rxe::Completion items[kPollBatch];
};

void count_channel_user(Cq& cq, int change) {
  if (cq.channel == nullptr) return;
  pthread_mutex_lock(&cq.context->mutex);
  cq.channel->refcnt += change;
  pthread_mutex_unlock(&cq.context->mutex);
}

/// Makes the queue in the engine; `cqe_min` as asked for by the application.
ibv_cq* create(ibv_context* context, std::uint32_t cqe_min, void* cq_context, ibv_comp_channel* channel,
               std::uint32_t vector, Owned<Cq> cq) {
  if (!cq) return nullptr;
  if (cqe_min == 0 || vector >= static_cast<std::uint32_t>(context->num_comp_vectors)) return refuse_null(EINVAL);
  Context& owner = Context::of(context);
  cq->context = context;
  cq->channel = channel;
  cq->cq_context = cq_context;
  std::uint32_t capacity = 0;
  const auto id = owner.engine([&, user = cq.get()](rxe::Device& engine, base::TimePoint) -> base::Result<rxe::CqId> {
    const base::Result<rxe::CqId> made = engine.create_cq(cqe_min, user);
    if (made) capacity = engine.cq_capacity(*made);
    return made;
  });
  if (!id) return refuse_null(id.error().code);
  cq->id = *id;
  cq->handle = static_cast<std::uint32_t>(*id);
  cq->cqe = static_cast<int>(capacity);
  pthread_mutex_init(&cq->mutex, nullptr);
  pthread_cond_init(&cq->cond, nullptr);
  count_channel_user(*cq, 1);
  owner.adopt(*cq);
  return cq.release()->base();
}

}  // namespace

int poll_cq(ibv_cq* cq, int count, ibv_wc* completions) {
  const Cq& ours = Cq::of(cq);
  rxe::VerbsDevice* device = local_of(cq->context);
  if (device == nullptr) [[unlikely]]
    return 0;
  CompletionBatch batch;
  std::size_t wanted = count > 0 ? static_cast<std::size_t>(count) : 0;
  int done = 0;
  while (wanted != 0) {
    const std::size_t room = std::min(wanted, kPollBatch);
    const std::size_t got = device->poll_cq(ours.id, std::span<rxe::Completion>(batch.items, room));
    for (std::size_t i = 0; i < got; ++i) to_wc(batch.items[i], completions[done++]);
    if (got < room) break;
    wanted -= got;
  }
  return done;
}

int req_notify_cq(ibv_cq* cq, int solicited_only) {
  rxe::VerbsDevice* device = local_of(cq->context);
  if (device == nullptr) return refuse(ENODEV);
  return status_of(device->req_notify_cq(Cq::of(cq).id, solicited_only != 0));
}

int modify_cq(ibv_cq* cq, ibv_modify_cq_attr* attr) {
  if (attr == nullptr || attr->attr_mask != IBV_CQ_ATTR_MODERATE) return refuse(EINVAL);
  const auto period = base::Duration::us(attr->moderate.cq_period);
  return status_of(Context::of(cq->context).engine([&](rxe::Device& engine, base::TimePoint) {
    return engine.modify_cq(Cq::of(cq).id, attr->moderate.cq_count, period);
  }));
}

ibv_cq_ex* create_cq_ex(ibv_context* context, ibv_cq_init_attr_ex* attr) {
  constexpr std::uint64_t kReadable =
      std::uint64_t{IBV_WC_STANDARD_FLAGS} |
      (IBV_WC_EX_WITH_COMPLETION_TIMESTAMP | IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK | IBV_WC_EX_WITH_FLOW_TAG);
  constexpr std::uint32_t kFlags = IBV_CREATE_CQ_ATTR_SINGLE_THREADED | IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN;
  if (attr->wc_flags & ~kReadable) return refuse_null(EOPNOTSUPP);
  if (attr->comp_mask & ~static_cast<std::uint32_t>(IBV_CQ_INIT_ATTR_MASK_FLAGS | IBV_CQ_INIT_ATTR_MASK_PD)) {
    return refuse_null(EOPNOTSUPP);
  }
  const std::uint32_t flags = attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_FLAGS ? attr->flags : 0;
  ibv_pd* const domain = attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_PD ? attr->parent_domain : nullptr;
  if (domain != nullptr && Pd::of(domain).parent == nullptr) return refuse_null(EINVAL);
  if (flags & ~kFlags) return refuse_null(EOPNOTSUPP);
  Owned<Cq> cq = make_object<Cq>(domain);
  if (cq) {
    // Simulated processes of a host take turns; a lock held while one of them lets time pass would block the thread.
    const rxe::VerbsDevice* device = local_of(context);
    const bool simulated = device != nullptr && device->simulated();
    cq->single_threaded = simulated || (flags & IBV_CREATE_CQ_ATTR_SINGLE_THREADED) != 0;
    set_extended_operations(*cq);
  }
  ibv_cq* made = create(context, attr->cqe, attr->cq_context, attr->channel, attr->comp_vector, std::move(cq));
  return made != nullptr ? &Cq::of(made) : nullptr;
}

}  // namespace rocelab::verbs

using namespace rocelab;
using verbs::Context;
using verbs::Cq;

ibv_cq* ibv_create_cq(ibv_context* context, int cqe, void* cq_context, ibv_comp_channel* channel, int comp_vector) {
  if (context == nullptr || cqe <= 0 || comp_vector < 0) return verbs::refuse_null(EINVAL);
  verbs::Owned<Cq> cq = verbs::make_object<Cq>(nullptr);
  return verbs::create(context, static_cast<std::uint32_t>(cqe), cq_context, channel,
                       static_cast<std::uint32_t>(comp_vector), std::move(cq));
}

int ibv_resize_cq(ibv_cq* cq, int cqe) {
  if (cqe <= 0) return verbs::refuse(EINVAL);
  Cq& ours = Cq::of(cq);
  std::uint32_t capacity = 0;
  const auto resized = Context::of(cq->context).engine([&](rxe::Device& engine, base::TimePoint) {
    const base::Result<void> done = engine.resize_cq(ours.id, static_cast<std::uint32_t>(cqe));
    capacity = engine.cq_capacity(ours.id);
    return done;
  });
  const int status = verbs::status_of(resized);
  if (status == 0) cq->cqe = static_cast<int>(capacity);
  return status;
}

int ibv_destroy_cq(ibv_cq* cq) {
  if (cq == nullptr) return verbs::refuse(EINVAL);
  Cq& ours = Cq::of(cq);
  Context& owner = Context::of(cq->context);
  const int status =
      verbs::status_of(owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.destroy_cq(ours.id); }));
  if (status != 0) return status;
  owner.release(ours);
  owner.async.forget(cq);
  if (cq->channel != nullptr) verbs::Channel::of(cq->channel).forget(ours);
  verbs::wait_acknowledged(cq->mutex, cq->cond, cq->comp_events_completed, ours.comp_events_delivered);
  verbs::wait_acknowledged(cq->mutex, cq->cond, cq->async_events_completed, ours.async_events_delivered);
  verbs::count_channel_user(ours, -1);
  pthread_cond_destroy(&cq->cond);
  pthread_mutex_destroy(&cq->mutex);
  verbs::destroy_object(&ours);
  return 0;
}
