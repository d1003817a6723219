// ibv_modify_qp and ibv_query_qp: attributes between the two worlds.
#include <infiniband/verbs.h>

#include <cerrno>
#include <cstdint>

#include "verbs/ah.h"
#include "verbs/context.h"
#include "verbs/qp.h"
#include "verbs/status.h"

namespace rocelab::verbs {
namespace {

constexpr int kMaskKnown =
    IBV_QP_STATE | IBV_QP_CUR_STATE | IBV_QP_EN_SQD_ASYNC_NOTIFY | IBV_QP_ACCESS_FLAGS | IBV_QP_PKEY_INDEX |
    IBV_QP_PORT | IBV_QP_QKEY | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
    IBV_QP_RQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC | IBV_QP_ALT_PATH | IBV_QP_MIN_RNR_TIMER | IBV_QP_SQ_PSN |
    IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_PATH_MIG_STATE | IBV_QP_CAP | IBV_QP_DEST_QPN | IBV_QP_RATE_LIMIT;

bool is_state(ibv_qp_state state) { return state >= IBV_QPS_RESET && state <= IBV_QPS_ERR; }

/// Checks what a cast to the engine's enumerations would lose; the engine checks the rest.
base::Result<rxe::QpAttr> to_engine(Context& context, const ibv_qp_attr& attr, int mask) {
  if (mask & ~kMaskKnown) return base::fail(EOPNOTSUPP, "unknown attributes");
  if ((mask & IBV_QP_STATE) && !is_state(attr.qp_state)) return base::fail(EINVAL, "no such state");
  if ((mask & IBV_QP_CUR_STATE) && !is_state(attr.cur_qp_state)) return base::fail(EINVAL, "no such state");
  if ((mask & IBV_QP_PATH_MTU) && (attr.path_mtu < IBV_MTU_256 || attr.path_mtu > IBV_MTU_4096)) {
    return base::fail(EINVAL, "no such path MTU");
  }
  rxe::QpAttr out;
  if (mask & IBV_QP_STATE) out.state = static_cast<rxe::QpState>(attr.qp_state);
  if (mask & IBV_QP_CUR_STATE) out.cur_state = static_cast<rxe::QpState>(attr.cur_qp_state);
  if (mask & IBV_QP_PATH_MTU) out.path_mtu = static_cast<rxe::PathMtu>(attr.path_mtu);
  if (mask & IBV_QP_AV) {
    const base::Result<rxe::AddressVector> av = resolve(context, attr.ah_attr);
    if (!av) return tl::make_unexpected(av.error());
    out.av = *av;
  }
  out.qkey = attr.qkey;
  out.rq_psn = attr.rq_psn;
  out.sq_psn = attr.sq_psn;
  out.dest_qpn = attr.dest_qp_num;
  out.access_flags = attr.qp_access_flags;
  out.cap = {attr.cap.max_send_wr, attr.cap.max_recv_wr, attr.cap.max_send_sge, attr.cap.max_recv_sge,
             attr.cap.max_inline_data};
  out.pkey_index = attr.pkey_index;
  out.en_sqd_async_notify = attr.en_sqd_async_notify != 0;
  out.max_rd_atomic = attr.max_rd_atomic;
  out.max_dest_rd_atomic = attr.max_dest_rd_atomic;
  out.min_rnr_timer = attr.min_rnr_timer;
  out.port = attr.port_num;
  out.timeout = attr.timeout;
  out.retry_cnt = attr.retry_cnt;
  out.rnr_retry = attr.rnr_retry;
  return out;
}

ibv_qp_attr from_engine(const rxe::QpAttr& attr) {
  ibv_qp_attr out{};
  out.qp_state = static_cast<ibv_qp_state>(attr.state);
  out.cur_qp_state = static_cast<ibv_qp_state>(attr.state);
  out.path_mtu = static_cast<ibv_mtu>(attr.path_mtu);
  out.path_mig_state = IBV_MIG_MIGRATED;
  out.qkey = attr.qkey;
  out.rq_psn = attr.rq_psn;
  out.sq_psn = attr.sq_psn;
  out.dest_qp_num = attr.dest_qpn;
  out.qp_access_flags = attr.access_flags;
  out.cap = ibv_qp_cap{attr.cap.max_send_wr, attr.cap.max_recv_wr, attr.cap.max_send_sge, attr.cap.max_recv_sge,
                       attr.cap.max_inline_data};
  out.ah_attr = to_ah_attr(attr.av);
  out.pkey_index = attr.pkey_index;
  out.en_sqd_async_notify = attr.en_sqd_async_notify;
  out.sq_draining = attr.sq_draining;
  out.max_rd_atomic = attr.max_rd_atomic;
  out.max_dest_rd_atomic = attr.max_dest_rd_atomic;
  out.min_rnr_timer = attr.min_rnr_timer;
  out.port_num = attr.port;
  out.timeout = attr.timeout;
  out.retry_cnt = attr.retry_cnt;
  out.rnr_retry = attr.rnr_retry;
  return out;
}

}  // namespace
}  // namespace rocelab::verbs

using namespace rocelab;
using verbs::Context;
using verbs::Qp;

int ibv_modify_qp(ibv_qp* qp, ibv_qp_attr* attr, int attr_mask) {
  if (qp == nullptr || attr == nullptr) return verbs::refuse(EINVAL);
  Context& owner = Context::of(qp->context);
  const auto wanted = verbs::to_engine(owner, *attr, attr_mask);
  if (!wanted) return verbs::refuse(wanted.error().code);
  const int status = verbs::status_of(owner.engine([&](rxe::Device& engine, base::TimePoint now) {
    return engine.modify_qp(now, qp->qp_num, *wanted, static_cast<std::uint32_t>(attr_mask));
  }));
  if (status == 0 && (attr_mask & IBV_QP_STATE)) qp->state = attr->qp_state;
  return status;
}

int ibv_query_qp(ibv_qp* qp, ibv_qp_attr* attr, int attr_mask, ibv_qp_init_attr* init_attr) {
  if (qp == nullptr || attr == nullptr) return verbs::refuse(EINVAL);
  const auto now = Context::of(qp->context).engine([&](rxe::Device& engine, base::TimePoint) {
    return engine.query_qp(qp->qp_num);
  });
  if (!now) return verbs::refuse(now.error().code);
  *attr = verbs::from_engine(*now);
  if (attr_mask & IBV_QP_STATE) qp->state = attr->qp_state;
  if (init_attr != nullptr) {
    *init_attr = ibv_qp_init_attr{qp->qp_context, qp->send_cq, qp->recv_cq,          qp->srq,
                                  attr->cap,      qp->qp_type, Qp::of(qp).sq_sig_all};
  }
  return 0;
}
