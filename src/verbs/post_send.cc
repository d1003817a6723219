// ibv_post_send: the hot way in. A list is posted under one hold of the engine lock.
#include <cerrno>

#include "verbs/ah.h"
#include "verbs/context.h"
#include "verbs/mw.h"
#include "verbs/post.h"
#include "verbs/qp.h"
#include "verbs/status.h"

namespace rocelab::verbs {
namespace {

/// Fills what the opcode uses; members of other opcodes keep what an earlier request of the list left there. 0 or
/// errno.
int translate(const Qp& qp, const ibv_send_wr& from, rxe::SendRequest& to) {
  if (from.num_sge < 0 || from.num_sge > kSgesMax || (from.num_sge > 0 && from.sg_list == nullptr)) return EINVAL;
  to.wr_id = from.wr_id;
  to.opcode = static_cast<rxe::SendOpcode>(from.opcode);
  to.flags = from.send_flags & kSendFlags;
  to.sges = sges_of(from.sg_list, from.num_sge);
  if (qp.qp_base.qp_type == IBV_QPT_XRC_SEND) [[unlikely]]
    to.srq_number = from.qp_type.xrc.remote_srqn;
  switch (from.opcode) {
    case IBV_WR_RDMA_WRITE_WITH_IMM:
      to.immediate = be32toh(from.imm_data);
      [[fallthrough]];
    case IBV_WR_RDMA_WRITE:
    case IBV_WR_RDMA_READ:
      to.remote_addr = from.wr.rdma.remote_addr;
      to.rkey = from.wr.rdma.rkey;
      return 0;
    case IBV_WR_ATOMIC_WRITE:
      if (from.num_sge == 0) return EINVAL;
      to.remote_addr = from.wr.rdma.remote_addr;
      to.rkey = from.wr.rdma.rkey;
      return 0;
    case IBV_WR_SEND_WITH_IMM:
      to.immediate = be32toh(from.imm_data);
      break;
    case IBV_WR_SEND:
      break;
    case IBV_WR_SEND_WITH_INV:
      to.invalidate_rkey = from.invalidate_rkey;
      break;
    case IBV_WR_LOCAL_INV:
      to.invalidate_rkey = from.invalidate_rkey;
      return 0;
    case IBV_WR_ATOMIC_CMP_AND_SWP:
    case IBV_WR_ATOMIC_FETCH_AND_ADD:
      to.remote_addr = from.wr.atomic.remote_addr;
      to.rkey = from.wr.atomic.rkey;
      to.compare_add = from.wr.atomic.compare_add;
      to.swap = from.wr.atomic.swap;
      return 0;
    case IBV_WR_BIND_MW:
      if (from.bind_mw.mw == nullptr) return EINVAL;
      if (from.bind_mw.mw->type != IBV_MW_TYPE_2) return EINVAL;  // type 1 is bound by ibv_bind_mw
      to.bind = bind_of(from.bind_mw.mw, from.bind_mw.rkey, from.bind_mw.bind_info);
      return 0;
    default:
      return EINVAL;
  }
  if (qp.qp_base.qp_type == IBV_QPT_UD) {
    if (from.wr.ud.ah == nullptr) return EINVAL;
    to.ah = Ah::of(from.wr.ud.ah).id;
    to.remote_qpn = from.wr.ud.remote_qpn;
    to.remote_qkey = from.wr.ud.remote_qkey;
  }
  return 0;
}

}  // namespace

int post_send(ibv_qp* qp, ibv_send_wr* request, ibv_send_wr** bad_request) {
  const Qp& ours = Qp::of(qp);
  rxe::VerbsDevice* device = local_of(qp->context);
  int code = ENODEV;
  if (device != nullptr) [[likely]] {
    rxe::VerbsDevice::Batch batch(*device);
    rxe::SendRequest translated;
    for (;; request = request->next) {
      if (request == nullptr) return 0;
      code = translate(ours, *request, translated);
      if (code != 0) break;
      const base::Result<void> posted = batch.post_send(qp->qp_num, translated);
      if (!posted) [[unlikely]] {
        code = posted.error().code;
        break;
      }
    }
  }
  *bad_request = request;
  return refuse(code);
}

}  // namespace rocelab::verbs
