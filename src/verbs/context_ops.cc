// The tables that <infiniband/verbs.h>'s inline functions call through. A slot left empty makes the inline function say
// EOPNOTSUPP by itself: those are work queues and RSS, counters, rate limits and tag matching
// (docs/spec_exceptions.md says why).
#include <infiniband/verbs.h>

#include "verbs/context.h"
#include "verbs/cq.h"
#include "verbs/dm.h"
#include "verbs/flow.h"
#include "verbs/mr.h"
#include "verbs/mw.h"
#include "verbs/pd.h"
#include "verbs/qp.h"
#include "verbs/query.h"
#include "verbs/srq.h"
#include "verbs/xrcd.h"

#undef ibv_query_port

namespace rocelab::verbs {

void set_operations(verbs_context& table) {
  ibv_context_ops& ops = table.context.ops;
  ops._compat_query_device = ibv_query_device;
  ops._compat_query_port = ibv_query_port;
  ops.alloc_mw = alloc_mw;
  ops.bind_mw = bind_mw;
  ops.dealloc_mw = dealloc_mw;
  ops.poll_cq = poll_cq;
  ops.req_notify_cq = req_notify_cq;
  ops.post_srq_recv = post_srq_recv;
  ops.post_send = post_send;
  ops.post_recv = post_recv;

  table.query_port = query_port;
  table.advise_mr = advise_mr;
  table.alloc_null_mr = alloc_null_mr;
  table.alloc_dm = alloc_dm;
  table.free_dm = free_dm;
  table.reg_dm_mr = reg_dm_mr;
  table.query_device_ex = query_device_ex;
  table.query_rt_values = query_rt_values;
  table.create_cq_ex = create_cq_ex;
  table.modify_cq = modify_cq;
  table.create_srq_ex = create_srq_ex;
  table.create_qp_ex = create_qp_ex;
  table.get_srq_num = get_srq_num;
  table.ibv_create_flow = create_flow;
  table.ibv_destroy_flow = destroy_flow;
  table.open_qp = open_qp;
  table.open_xrcd = open_xrcd;
  table.close_xrcd = close_xrcd;
  table.alloc_td = alloc_td;
  table.dealloc_td = dealloc_td;
  table.alloc_parent_domain = alloc_parent_domain;
}

}  // namespace rocelab::verbs
