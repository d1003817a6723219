// Queue pairs: create, destroy, and the extensions that say EOPNOTSUPP. Attributes are in qp_attr.cc, posting in
// post_send.cc, post_recv.cc and wr_api.cc.
#include "verbs/qp.h"

#include <pthread.h>

#include <cerrno>
#include <new>

#include "verbs/acknowledged.h"
#include "verbs/ah.h"
#include "verbs/context.h"
#include "verbs/cq.h"
#include "verbs/pd.h"
#include "verbs/srq.h"
#include "verbs/status.h"
#include "verbs/xrcd.h"

namespace rocelab::verbs {
namespace {

/// What a QP of a type can be asked to do through ibv_wr_*.
std::uint64_t send_operations(ibv_qp_type type) {
  constexpr std::uint64_t kUd = IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_SEND_WITH_IMM;
  constexpr std::uint64_t kUc = kUd | IBV_QP_EX_WITH_RDMA_WRITE | IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM |
                                IBV_QP_EX_WITH_LOCAL_INV | IBV_QP_EX_WITH_BIND_MW | IBV_QP_EX_WITH_SEND_WITH_INV;
  constexpr std::uint64_t kRc =
      kUc | IBV_QP_EX_WITH_RDMA_READ | IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP | IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD;
  switch (type) {
    case IBV_QPT_RC:
      return kRc | IBV_QP_EX_WITH_ATOMIC_WRITE;
    case IBV_QPT_XRC_SEND:
      return kRc;
    case IBV_QPT_XRC_RECV:
      return 0;
    case IBV_QPT_RAW_PACKET:
      return IBV_QP_EX_WITH_SEND;
    case IBV_QPT_UC:
      return kUc;
    default:
      return kUd;
  }
}

/// What a QP of a type is made of.
struct Parts {
  bool known = false;
  bool receives = true;  ///< has a CQ for receives, and may have an SRQ
  bool target = false;   ///< lives in an XRC domain and has neither PD nor CQs
};
Parts parts_of(ibv_qp_type type) {
  switch (type) {
    case IBV_QPT_RC:
    case IBV_QPT_UC:
    case IBV_QPT_UD:
    case IBV_QPT_RAW_PACKET:
      return {.known = true};
    case IBV_QPT_XRC_SEND:
      return {.known = true, .receives = false};
    case IBV_QPT_XRC_RECV:
      return {.known = true, .receives = false, .target = true};
    default:
      return {};
  }
}

/// What ibv_create_qp and ibv_create_qp_ex have in common. `init.cap` is written back.
ibv_qp* create(ibv_pd* pd, ibv_qp_init_attr_ex& init) {
  const Parts parts = parts_of(init.qp_type);
  if (!parts.known) return refuse_null(EOPNOTSUPP);
  if (parts.target ? init.xrcd == nullptr : pd == nullptr) return refuse_null(EINVAL);
  ibv_context* const context = parts.target ? init.xrcd->context : pd->context;
  // What the QP is not made of is ignored, as the kernel does.
  if (parts.target) pd = nullptr;
  if (parts.target) init.send_cq = nullptr;
  if (!parts.receives) init.recv_cq = nullptr, init.srq = nullptr;
  const auto fits = [&](const auto* part, bool needed) { return part == nullptr ? !needed : part->context == context; };
  if (!fits(init.send_cq, !parts.target) || !fits(init.recv_cq, parts.receives) || !fits(init.srq, false)) {
    return refuse_null(EINVAL);
  }
  Context& owner = Context::of(context);
  Owned<Qp> qp = make_object<Qp>(pd);
  if (!qp) return nullptr;
  ibv_qp& base = qp->qp_base;

  rxe::QpInit request;
  request.type = static_cast<rxe::QpType>(init.qp_type);
  if (pd != nullptr) request.pd = Pd::of(pd).id;
  if (parts.target) request.xrcd = Xrcd::of(init.xrcd).id;
  if (init.send_cq != nullptr) request.send_cq = Cq::of(init.send_cq).id;
  if (init.recv_cq != nullptr) request.recv_cq = Cq::of(init.recv_cq).id;
  request.has_srq = init.srq != nullptr;
  if (request.has_srq) request.srq = Srq::of(init.srq).id;
  request.cap = {init.cap.max_send_wr, init.cap.max_recv_wr, init.cap.max_send_sge, init.cap.max_recv_sge,
                 init.cap.max_inline_data};
  request.sq_sig_all = init.sq_sig_all != 0;
  request.user = &base;

  base.context = context;
  base.qp_context = init.qp_context;
  base.pd = pd;
  base.send_cq = init.send_cq;
  base.recv_cq = init.recv_cq;
  base.srq = init.srq;
  base.state = IBV_QPS_RESET;
  base.qp_type = init.qp_type;
  qp->sq_sig_all = request.sq_sig_all;

  const auto qpn = owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.create_qp(request); });
  if (!qpn) return refuse_null(qpn.error().code);
  base.qp_num = *qpn;
  base.handle = *qpn;
  if (init.comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS) {
    qp->builder = WrBuilder::create(request.cap, owner.local()->limits().max_inline_data);
    if (!qp->builder) {
      [[maybe_unused]] const auto undone =
          owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.destroy_qp(*qpn); });
      return refuse_null(ENOMEM);
    }
    set_wr_operations(*qp);
  }
  init.cap = ibv_qp_cap{request.cap.max_send_wr, request.cap.max_recv_wr, request.cap.max_send_sge,
                        request.cap.max_recv_sge, request.cap.max_inline_data};
  pthread_mutex_init(&base.mutex, nullptr);
  pthread_cond_init(&base.cond, nullptr);
  owner.adopt(*qp);
  return &qp.release()->qp_base;
}

}  // namespace

ibv_qp* create_qp_ex(ibv_context*, ibv_qp_init_attr_ex* init) {
  constexpr std::uint32_t kKnown =
      IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_XRCD | IBV_QP_INIT_ATTR_CREATE_FLAGS | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
  if (init->comp_mask & ~kKnown) return refuse_null(EOPNOTSUPP);
  const bool target = init->qp_type == IBV_QPT_XRC_RECV;
  if (!(init->comp_mask & (target ? IBV_QP_INIT_ATTR_XRCD : IBV_QP_INIT_ATTR_PD))) return refuse_null(EINVAL);
  if ((init->comp_mask & IBV_QP_INIT_ATTR_CREATE_FLAGS) && init->create_flags != 0) return refuse_null(EOPNOTSUPP);
  if ((init->comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS) && (init->send_ops_flags & ~send_operations(init->qp_type))) {
    return refuse_null(EOPNOTSUPP);
  }
  ibv_qp_init_attr_ex wanted = *init;
  ibv_qp* const qp = create(init->pd, wanted);
  if (qp != nullptr) init->cap = wanted.cap;
  return qp;
}

}  // namespace rocelab::verbs

using namespace rocelab;
using verbs::Context;
using verbs::Qp;

ibv_qp* ibv_create_qp(ibv_pd* pd, ibv_qp_init_attr* init) {
  if (init == nullptr) return verbs::refuse_null(EINVAL);
  ibv_qp_init_attr_ex full{};
  full.qp_context = init->qp_context;
  full.send_cq = init->send_cq;
  full.recv_cq = init->recv_cq;
  full.srq = init->srq;
  full.cap = init->cap;
  full.qp_type = init->qp_type;
  full.sq_sig_all = init->sq_sig_all;
  ibv_qp* qp = verbs::create(pd, full);
  if (qp != nullptr) init->cap = full.cap;
  return qp;
}

ibv_qp_ex* ibv_qp_to_qp_ex(ibv_qp* qp) {
  Qp& ours = Qp::of(qp);
  return ours.builder ? &ours : nullptr;
}

int ibv_destroy_qp(ibv_qp* qp) {
  if (qp == nullptr) return verbs::refuse(EINVAL);
  Qp& ours = Qp::of(qp);
  Context& owner = Context::of(qp->context);
  const int status = verbs::status_of(
      owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.close_qp(qp->qp_num, qp); }));
  if (status != 0) return status;
  owner.release(ours);
  owner.async.forget(qp);
  verbs::wait_acknowledged(qp->mutex, qp->cond, qp->events_completed, ours.events_delivered);
  pthread_cond_destroy(&qp->cond);
  pthread_mutex_destroy(&qp->mutex);
  verbs::destroy_object(&ours);
  return 0;
}

int ibv_attach_mcast(ibv_qp* qp, const union ibv_gid* gid, uint16_t) {
  if (qp == nullptr || gid == nullptr) return verbs::refuse(EINVAL);
  return verbs::status_of(Context::of(qp->context).engine([&](rxe::Device& engine, base::TimePoint) {
    return engine.attach_mcast(qp->qp_num, verbs::to_gid(*gid));
  }));
}

int ibv_detach_mcast(ibv_qp* qp, const union ibv_gid* gid, uint16_t) {
  if (qp == nullptr || gid == nullptr) return verbs::refuse(EINVAL);
  return verbs::status_of(Context::of(qp->context).engine([&](rxe::Device& engine, base::TimePoint) {
    return engine.detach_mcast(qp->qp_num, verbs::to_gid(*gid));
  }));
}
