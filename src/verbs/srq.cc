// Shared receive queues: see srq.h; posting is in post_recv.cc.
#include "verbs/srq.h"

#include <pthread.h>

#include <cerrno>
#include <memory>
#include <new>

#include "verbs/acknowledged.h"
#include "verbs/context.h"
#include "verbs/cq.h"
#include "verbs/pd.h"
#include "verbs/status.h"
#include "verbs/xrcd.h"

namespace rocelab::verbs {

namespace {

/// What all kinds have in common; `make` has the engine make the queue. `attr` is written back.
template <class F>
ibv_srq* create(ibv_pd* pd, void* srq_context, ibv_srq_attr& attr, F&& make) {
  Context& owner = Context::of(pd->context);
  Owned<Srq> srq = make_object<Srq>(pd);
  if (!srq) return nullptr;
  srq->context = pd->context;
  srq->srq_context = srq_context;
  srq->pd = pd;
  rxe::SrqAttr wanted{attr.max_wr, attr.max_sge, attr.srq_limit};
  const auto id = owner.engine(
      [&](rxe::Device& engine, base::TimePoint) { return make(engine, wanted, static_cast<ibv_srq*>(srq.get())); });
  if (!id) return refuse_null(id.error().code);
  attr.max_wr = wanted.max_wr;
  attr.max_sge = wanted.max_sge;
  srq->id = *id;
  srq->handle = static_cast<std::uint32_t>(*id);
  pthread_mutex_init(&srq->mutex, nullptr);
  pthread_cond_init(&srq->cond, nullptr);
  owner.adopt(*srq);
  return srq.release();
}

}  // namespace

ibv_srq* create_srq_ex(ibv_context* context, ibv_srq_init_attr_ex* attr) {
  // What the inline ibv_create_srq_ex passes on is XRC, tag matching or a mistake.
  if (!(attr->comp_mask & IBV_SRQ_INIT_ATTR_PD) || attr->pd == nullptr) return refuse_null(EINVAL);
  const ibv_srq_type type = attr->comp_mask & IBV_SRQ_INIT_ATTR_TYPE ? attr->srq_type : IBV_SRQT_BASIC;
  if (type == IBV_SRQT_BASIC) {
    ibv_srq_init_attr plain{attr->srq_context, attr->attr};
    ibv_srq* srq = ibv_create_srq(attr->pd, &plain);
    if (srq != nullptr) attr->attr = plain.attr;
    return srq;
  }
  if (type != IBV_SRQT_XRC) return refuse_null(EOPNOTSUPP);
  constexpr std::uint32_t kNeeded = IBV_SRQ_INIT_ATTR_XRCD | IBV_SRQ_INIT_ATTR_CQ;
  if ((attr->comp_mask & kNeeded) != kNeeded || attr->xrcd == nullptr || attr->cq == nullptr) {
    return refuse_null(EINVAL);
  }
  if (attr->pd->context != context || attr->cq->context != context) return refuse_null(EINVAL);
  return create(attr->pd, attr->srq_context, attr->attr, [&](rxe::Device& engine, rxe::SrqAttr& wanted, ibv_srq* user) {
    return engine.create_xrc_srq(Pd::of(attr->pd).id, Xrcd::of(attr->xrcd).id, Cq::of(attr->cq).id, wanted, user);
  });
}

int get_srq_num(ibv_srq* srq, std::uint32_t* number) {
  const auto known = Context::of(srq->context).engine([&](rxe::Device& engine, base::TimePoint) {
    return engine.srq_number(Srq::of(srq).id);
  });
  if (known) *number = *known;
  return status_of(known);
}

}  // namespace rocelab::verbs

using namespace rocelab;
using verbs::Context;
using verbs::Srq;

ibv_srq* ibv_create_srq(ibv_pd* pd, ibv_srq_init_attr* init) {
  if (pd == nullptr || init == nullptr) return verbs::refuse_null(EINVAL);
  return verbs::create(pd, init->srq_context, init->attr,
                       [&](rxe::Device& engine, rxe::SrqAttr& wanted, ibv_srq* user) {
                         return engine.create_srq(verbs::Pd::of(pd).id, wanted, user);
                       });
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
