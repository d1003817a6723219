// Shared receive queues: see srq.h; posting is in post_recv.cc.
#include "verbs/srq.h"

#include <pthread.h>

#include <cerrno>
#include <memory>
#include <new>

#include "verbs/acknowledged.h"
#include "verbs/context.h"
#include "verbs/pd.h"
#include "verbs/status.h"

namespace rocelab::verbs {

ibv_srq* create_srq_ex(ibv_context*, ibv_srq_init_attr_ex* attr) {
  // What the inline ibv_create_srq_ex passes on is XRC, tag matching or a mistake.
  if (!(attr->comp_mask & IBV_SRQ_INIT_ATTR_PD) || attr->pd == nullptr) return refuse_null(EINVAL);
  const bool basic = !(attr->comp_mask & IBV_SRQ_INIT_ATTR_TYPE) || attr->srq_type == IBV_SRQT_BASIC;
  if (!basic) return refuse_null(EOPNOTSUPP);
  ibv_srq_init_attr plain{attr->srq_context, attr->attr};
  ibv_srq* srq = ibv_create_srq(attr->pd, &plain);
  if (srq != nullptr) attr->attr = plain.attr;
  return srq;
}

}  // namespace rocelab::verbs

using namespace rocelab;
using verbs::Context;
using verbs::Srq;

ibv_srq* ibv_create_srq(ibv_pd* pd, ibv_srq_init_attr* init) {
  if (pd == nullptr || init == nullptr) return verbs::refuse_null(EINVAL);
  Context& owner = Context::of(pd->context);
  verbs::Owned<Srq> srq = verbs::make_object<Srq>(pd);
  if (!srq) return nullptr;
  srq->context = pd->context;
  srq->srq_context = init->srq_context;
  srq->pd = pd;
  rxe::SrqAttr attr{init->attr.max_wr, init->attr.max_sge, init->attr.srq_limit};
  const auto id = owner.engine([&](rxe::Device& engine, base::TimePoint) {
    return engine.create_srq(verbs::Pd::of(pd).id, attr, static_cast<ibv_srq*>(srq.get()));
  });
  if (!id) return verbs::refuse_null(id.error().code);
  init->attr.max_wr = attr.max_wr;
  init->attr.max_sge = attr.max_sge;
  srq->id = *id;
  srq->handle = static_cast<std::uint32_t>(*id);
  pthread_mutex_init(&srq->mutex, nullptr);
  pthread_cond_init(&srq->cond, nullptr);
  owner.adopt(*srq);
  return srq.release();
}

int ibv_modify_srq(ibv_srq* srq, ibv_srq_attr* attr, int mask) {
  if (srq == nullptr || attr == nullptr || (mask & ~(IBV_SRQ_MAX_WR | IBV_SRQ_LIMIT)) != 0) {
    return verbs::refuse(EINVAL);
  }
  const rxe::SrqAttr wanted{attr->max_wr, attr->max_sge, attr->srq_limit};
  return verbs::status_of(Context::of(srq->context).engine([&](rxe::Device& engine, base::TimePoint) {
    return engine.modify_srq(Srq::of(srq).id, wanted, (mask & IBV_SRQ_MAX_WR) != 0, (mask & IBV_SRQ_LIMIT) != 0);
  }));
}

int ibv_query_srq(ibv_srq* srq, ibv_srq_attr* attr) {
  if (srq == nullptr || attr == nullptr) return verbs::refuse(EINVAL);
  const auto now = Context::of(srq->context).engine([&](rxe::Device& engine, base::TimePoint) {
    return engine.query_srq(Srq::of(srq).id);
  });
  if (now) *attr = ibv_srq_attr{now->max_wr, now->max_sge, now->limit};
  return verbs::status_of(now);
}

int ibv_destroy_srq(ibv_srq* srq) {
  if (srq == nullptr) return verbs::refuse(EINVAL);
  Srq& ours = Srq::of(srq);
  Context& owner = Context::of(srq->context);
  const int status =
      verbs::status_of(owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.destroy_srq(ours.id); }));
  if (status != 0) return status;
  owner.release(ours);
  owner.async.forget(srq);
  verbs::wait_acknowledged(srq->mutex, srq->cond, srq->events_completed, ours.events_delivered);
  pthread_cond_destroy(&srq->cond);
  pthread_mutex_destroy(&srq->mutex);
  verbs::destroy_object(&ours);
  return 0;
}
