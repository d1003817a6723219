// The ibv_wr_* calls of QPs made with send_ops_flags: each appends to the builder or fills the request appended last;
// ibv_wr_complete posts all of them under one hold of the engine lock.
#include <endian.h>

#include <cerrno>
#include <cstring>
#include <span>

#include "verbs/ah.h"
#include "verbs/context.h"
#include "verbs/mw.h"
#include "verbs/qp.h"
#include "verbs/status.h"

namespace rocelab::verbs {
namespace {

WrBuilder& builder_of(ibv_qp_ex* qp) { return *Qp::of(qp).builder; }

rxe::SendRequest& append(ibv_qp_ex* qp, rxe::SendOpcode opcode) {
  rxe::SendRequest& request =
      builder_of(qp).append(qp->wr_id, qp->wr_flags & (kSendFlags & ~std::uint32_t{IBV_SEND_INLINE}));
  request.opcode = opcode;
  return request;
}

rxe::SendRequest& append_remote(ibv_qp_ex* qp, rxe::SendOpcode opcode, std::uint32_t rkey, std::uint64_t remote_addr) {
  rxe::SendRequest& request = append(qp, opcode);
  request.rkey = rkey;
  request.remote_addr = remote_addr;
  return request;
}

void wr_rdma_write(ibv_qp_ex* qp, std::uint32_t rkey, std::uint64_t remote_addr) {
  append_remote(qp, rxe::SendOpcode::kRdmaWrite, rkey, remote_addr);
}

void wr_rdma_write_imm(ibv_qp_ex* qp, std::uint32_t rkey, std::uint64_t remote_addr, __be32 immediate) {
  append_remote(qp, rxe::SendOpcode::kRdmaWriteWithImm, rkey, remote_addr).immediate = be32toh(immediate);
}

void wr_rdma_read(ibv_qp_ex* qp, std::uint32_t rkey, std::uint64_t remote_addr) {
  append_remote(qp, rxe::SendOpcode::kRdmaRead, rkey, remote_addr);
}

void wr_atomic_cmp_swp(ibv_qp_ex* qp, std::uint32_t rkey, std::uint64_t remote_addr, std::uint64_t compare,
                       std::uint64_t swap) {
  rxe::SendRequest& request = append_remote(qp, rxe::SendOpcode::kAtomicCmpAndSwp, rkey, remote_addr);
  request.compare_add = compare;
  request.swap = swap;
}

void wr_atomic_fetch_add(ibv_qp_ex* qp, std::uint32_t rkey, std::uint64_t remote_addr, std::uint64_t add) {
  append_remote(qp, rxe::SendOpcode::kAtomicFetchAndAdd, rkey, remote_addr).compare_add = add;
}

void wr_atomic_write(ibv_qp_ex* qp, std::uint32_t rkey, std::uint64_t remote_addr, const void* value) {
  std::memcpy(&append_remote(qp, rxe::SendOpcode::kAtomicWrite, rkey, remote_addr).compare_add, value,
              sizeof(std::uint64_t));
}

void wr_send(ibv_qp_ex* qp) { append(qp, rxe::SendOpcode::kSend); }

void wr_send_imm(ibv_qp_ex* qp, __be32 immediate) {
  append(qp, rxe::SendOpcode::kSendWithImm).immediate = be32toh(immediate);
}

void wr_send_inv(ibv_qp_ex* qp, std::uint32_t rkey) {
  append(qp, rxe::SendOpcode::kSendWithInv).invalidate_rkey = rkey;
}

void wr_local_inv(ibv_qp_ex* qp, std::uint32_t rkey) { append(qp, rxe::SendOpcode::kLocalInv).invalidate_rkey = rkey; }

void wr_bind_mw(ibv_qp_ex* qp, ibv_mw* mw, std::uint32_t rkey, const ibv_mw_bind_info* info) {
  rxe::SendRequest& request = append(qp, rxe::SendOpcode::kBindMw);
  if (mw == nullptr || mw->type != IBV_MW_TYPE_2) {
    builder_of(qp).fail(EINVAL);
    return;
  }
  request.bind = bind_of(mw, rkey, *info);
}

void wr_set_ud_addr(ibv_qp_ex* qp, ibv_ah* ah, std::uint32_t remote_qpn, std::uint32_t remote_qkey) {
  if (ah == nullptr) {
    builder_of(qp).fail(EINVAL);
    return;
  }
  rxe::SendRequest& request = builder_of(qp).current();
  request.ah = Ah::of(ah).id;
  request.remote_qpn = remote_qpn;
  request.remote_qkey = remote_qkey;
}

void wr_set_xrc_srqn(ibv_qp_ex* qp, std::uint32_t number) { builder_of(qp).current().srq_number = number; }

void wr_set_sge(ibv_qp_ex* qp, std::uint32_t lkey, std::uint64_t addr, std::uint32_t length) {
  const std::span<rxe::Sge> sges = builder_of(qp).sges(1);
  if (sges.empty()) return;
  sges[0] = {addr, length, lkey};
  builder_of(qp).current().sges = sges;
}

void wr_set_sge_list(ibv_qp_ex* qp, std::size_t count, const ibv_sge* list) {
  const std::span<rxe::Sge> sges = builder_of(qp).sges(count);
  for (std::size_t i = 0; i < sges.size(); ++i) sges[i] = {list[i].addr, list[i].length, list[i].lkey};
  builder_of(qp).current().sges = sges;
}

/// Copies now: the application may reuse its buffers as soon as the call returns.
void wr_set_inline_data_list(ibv_qp_ex* qp, std::size_t count, const ibv_data_buf* list) {
  WrBuilder& builder = builder_of(qp);
  std::size_t length = 0;
  for (std::size_t i = 0; i < count; ++i) length += list[i].length;
  std::span<std::byte> to = builder.inline_bytes(length);
  rxe::SendRequest& request = builder.current();
  request.flags |= rxe::send_flag::kInline;
  request.sges = {};
  if (to.empty()) return;  // nothing to copy, or too much
  const std::span<rxe::Sge> sges = builder.sges(1);
  sges[0] = {reinterpret_cast<std::uintptr_t>(to.data()), static_cast<std::uint32_t>(length), 0};
  request.sges = sges;
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(to.data(), list[i].addr, list[i].length);
    to = to.subspan(list[i].length);
  }
}

void wr_set_inline_data(ibv_qp_ex* qp, void* addr, std::size_t length) {
  const ibv_data_buf one{addr, length};
  wr_set_inline_data_list(qp, 1, &one);
}

void wr_start(ibv_qp_ex* qp) { builder_of(qp).start(); }

void wr_abort(ibv_qp_ex* qp) { builder_of(qp).abort(); }

int post_all(ibv_qp_ex* qp, std::span<const rxe::SendRequest> requests) {
  rxe::VerbsDevice* device = local_of(qp->qp_base.context);
  if (device == nullptr) return ENODEV;
  rxe::VerbsDevice::Batch batch(*device);
  const base::Result<void> posted = batch.post_sends(qp->qp_base.qp_num, requests);
  return posted ? 0 : posted.error().code;
}

int wr_complete(ibv_qp_ex* qp) {
  WrBuilder& builder = builder_of(qp);
  int code = builder.error();
  if (code == 0) code = post_all(qp, builder.requests());
  builder.finish();
  return code == 0 ? 0 : refuse(code);
}

}  // namespace

void set_wr_operations(Qp& qp) {
  qp.wr_atomic_cmp_swp = wr_atomic_cmp_swp;
  qp.wr_atomic_fetch_add = wr_atomic_fetch_add;
  qp.wr_atomic_write = wr_atomic_write;
  qp.wr_bind_mw = wr_bind_mw;
  qp.wr_local_inv = wr_local_inv;
  qp.wr_rdma_read = wr_rdma_read;
  qp.wr_rdma_write = wr_rdma_write;
  qp.wr_rdma_write_imm = wr_rdma_write_imm;
  qp.wr_send = wr_send;
  qp.wr_send_imm = wr_send_imm;
  qp.wr_send_inv = wr_send_inv;
  qp.wr_set_ud_addr = wr_set_ud_addr;
  qp.wr_set_xrc_srqn = wr_set_xrc_srqn;
  qp.wr_set_inline_data = wr_set_inline_data;
  qp.wr_set_inline_data_list = wr_set_inline_data_list;
  qp.wr_set_sge = wr_set_sge;
  qp.wr_set_sge_list = wr_set_sge_list;
  qp.wr_start = wr_start;
  qp.wr_complete = wr_complete;
  qp.wr_abort = wr_abort;
}

}  // namespace rocelab::verbs
