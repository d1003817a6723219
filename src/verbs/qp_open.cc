// ibv_open_qp: one more handle of an XRC target that this process has. The QP lives as long as one of its handles.
#include <infiniband/verbs.h>
#include <pthread.h>

#include <cerrno>

#include "verbs/context.h"
#include "verbs/qp.h"
#include "verbs/status.h"
#include "verbs/xrcd.h"

namespace rocelab::verbs {

ibv_qp* open_qp(ibv_context* context, ibv_qp_open_attr* attr) {
  constexpr std::uint32_t kNeeded = IBV_QP_OPEN_ATTR_NUM | IBV_QP_OPEN_ATTR_XRCD | IBV_QP_OPEN_ATTR_TYPE;
  if (attr == nullptr) return refuse_null(EINVAL);
  if (attr->comp_mask & ~(kNeeded | IBV_QP_OPEN_ATTR_CONTEXT)) return refuse_null(EOPNOTSUPP);
  if ((attr->comp_mask & kNeeded) != kNeeded || attr->xrcd == nullptr || attr->qp_type != IBV_QPT_XRC_RECV) {
    return refuse_null(EINVAL);
  }
  Context& owner = Context::of(context);
  Owned<Qp> qp = make_object<Qp>(nullptr);
  if (!qp) return nullptr;
  ibv_qp& base = qp->qp_base;
  base.context = context;
  base.qp_context = (attr->comp_mask & IBV_QP_OPEN_ATTR_CONTEXT) != 0 ? attr->qp_context : nullptr;
  base.qp_num = base.handle = attr->qp_num;
  base.qp_type = attr->qp_type;
  const auto state = owner.engine([&](rxe::Device& engine, base::TimePoint) -> base::Result<rxe::QpState> {
    const auto opened = engine.open_qp(attr->qp_num, Xrcd::of(attr->xrcd).id, &base);
    if (!opened) return tl::make_unexpected(opened.error());
    return engine.query_qp(attr->qp_num)->state;
  });
  if (!state) return refuse_null(state.error().code);
  base.state = static_cast<ibv_qp_state>(*state);
  pthread_mutex_init(&base.mutex, nullptr);
  pthread_cond_init(&base.cond, nullptr);
  owner.adopt(*qp);
  return &qp.release()->qp_base;
}

}  // namespace rocelab::verbs
