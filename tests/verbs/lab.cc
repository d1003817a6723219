// The lab of the verbs tests: see lab.h.
#include "tests/verbs/lab.h"

#include "tests/support/catch.h"

namespace rocelab::verbs_test {

Buffer::Buffer(ibv_pd* pd, std::size_t bytes, int access) : bytes_(bytes) {
  mr_ = ibv_reg_mr(pd, bytes_.data(), bytes_.size(), access);
  REQUIRE(mr_ != nullptr);
}

Buffer::~Buffer() { CHECK(ibv_dereg_mr(mr_) == 0); }

void Buffer::fill(unsigned seed) {
  for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::uint8_t>(seed * 31 + i * 7 + (i >> 8));
}

Lab::Lab(ibv_comp_channel* (*make_channel)(ibv_context*), int cqe) {
  int count = 0;
  ibv_device** devices = ibv_get_device_list(&count);
  REQUIRE(devices != nullptr);
  REQUIRE(count >= 1);
  context_ = ibv_open_device(devices[0]);
  ibv_free_device_list(devices);
  REQUIRE(context_ != nullptr);
  if (make_channel != nullptr) {
    channel_ = make_channel(context_);
    REQUIRE(channel_ != nullptr);
  }
  pd_ = ibv_alloc_pd(context_);
  REQUIRE(pd_ != nullptr);
  cq_ = ibv_create_cq(context_, cqe, this, channel_, 0);
  REQUIRE(cq_ != nullptr);
}

Lab::~Lab() {
  CHECK(ibv_destroy_cq(cq_) == 0);
  CHECK(ibv_dealloc_pd(pd_) == 0);
  if (channel_ != nullptr) CHECK(ibv_destroy_comp_channel(channel_) == 0);
  CHECK(ibv_close_device(context_) == 0);
}

ibv_qp* Lab::make_qp(ibv_qp_type type, ibv_srq* srq, ibv_cq* cq) {
  ibv_qp_init_attr init{};
  init.send_cq = init.recv_cq = cq != nullptr ? cq : cq_;
  init.srq = srq;
  init.qp_type = type;
  init.cap = {64, srq != nullptr ? 0u : 64u, 4, srq != nullptr ? 0u : 4u, 256};
  ibv_qp* qp = ibv_create_qp(pd_, &init);
  REQUIRE(qp != nullptr);
  return qp;
}

Lab::Pair Lab::make_pair(ibv_qp_type type, ibv_srq* srq) {
  Pair pair{make_qp(type, srq), make_qp(type, srq)};
  REQUIRE(connect(pair.a, pair.b->qp_num) == 0);
  REQUIRE(connect(pair.b, pair.a->qp_num) == 0);
  return pair;
}

ibv_qp* Lab::make_ud() {
  ibv_qp* qp = make_qp(IBV_QPT_UD);
  REQUIRE(connect(qp, 0) == 0);
  return qp;
}

ibv_ah* Lab::make_ah() {
  ibv_ah_attr attr = address(context_);
  ibv_ah* ah = ibv_create_ah(pd_, &attr);
  REQUIRE(ah != nullptr);
  return ah;
}

ibv_wc Lab::wait(ibv_cq* cq) {
  ibv_wc wc{};
  int got = 0;
  do {
    got = ibv_poll_cq(cq != nullptr ? cq : cq_, 1, &wc);
  } while (got == 0);
  REQUIRE(got == 1);
  return wc;
}

ibv_wc Lab::wait_success(ibv_cq* cq) {
  const ibv_wc wc = wait(cq);
  INFO(ibv_wc_status_str(wc.status));
  REQUIRE(wc.status == IBV_WC_SUCCESS);
  return wc;
}

ibv_ah_attr address(ibv_context* context, std::uint8_t gid_index) {
  ibv_ah_attr attr{};
  attr.is_global = 1;
  attr.port_num = 1;
  attr.grh.sgid_index = gid_index;
  attr.grh.hop_limit = 64;
  REQUIRE(ibv_query_gid(context, 1, gid_index, &attr.grh.dgid) == 0);
  return attr;
}

int connect(ibv_qp* qp, std::uint32_t remote_qpn, std::uint8_t gid_index) {
  const bool ud = qp->qp_type == IBV_QPT_UD;
  const bool rc = qp->qp_type == IBV_QPT_RC;
  ibv_qp_attr attr{};
  attr.qp_state = IBV_QPS_INIT;
  attr.port_num = 1;
  attr.qkey = kQkey;
  attr.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC;
  int mask = IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | (ud ? IBV_QP_QKEY : IBV_QP_ACCESS_FLAGS);
  if (const int status = ibv_modify_qp(qp, &attr, mask)) return status;

  attr.qp_state = IBV_QPS_RTR;
  attr.path_mtu = IBV_MTU_1024;
  attr.dest_qp_num = remote_qpn;
  attr.rq_psn = 0x345;
  attr.max_dest_rd_atomic = 4;
  attr.min_rnr_timer = 1;
  attr.ah_attr = address(qp->context, gid_index);
  mask = IBV_QP_STATE;
  if (!ud) mask |= IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN;
  if (rc) mask |= IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER;
  if (const int status = ibv_modify_qp(qp, &attr, mask)) return status;

  attr.qp_state = IBV_QPS_RTS;
  attr.sq_psn = 0x345;
  attr.timeout = 14;
  attr.retry_cnt = 7;
  attr.rnr_retry = 7;
  attr.max_rd_atomic = 4;
  mask = IBV_QP_STATE | IBV_QP_SQ_PSN;
  if (rc) mask |= IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC;
  return ibv_modify_qp(qp, &attr, mask);
}

ibv_send_wr send_wr(ibv_wr_opcode opcode, ibv_sge* sge, std::uint64_t wr_id) {
  ibv_send_wr wr{};
  wr.wr_id = wr_id;
  wr.sg_list = sge;
  wr.num_sge = sge != nullptr ? 1 : 0;
  wr.opcode = opcode;
  wr.send_flags = IBV_SEND_SIGNALED;
  return wr;
}

ibv_send_wr rdma_wr(ibv_wr_opcode opcode, ibv_sge* sge, std::uint64_t remote_addr, std::uint32_t rkey,
                    std::uint64_t wr_id) {
  ibv_send_wr wr = send_wr(opcode, sge, wr_id);
  if (opcode == IBV_WR_ATOMIC_CMP_AND_SWP || opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
    wr.wr.atomic.remote_addr = remote_addr;
    wr.wr.atomic.rkey = rkey;
  } else {
    wr.wr.rdma.remote_addr = remote_addr;
    wr.wr.rdma.rkey = rkey;
  }
  return wr;
}

int post(ibv_qp* qp, ibv_send_wr wr) {
  ibv_send_wr* bad = nullptr;
  return ibv_post_send(qp, &wr, &bad);
}

int post_recv(ibv_qp* qp, ibv_sge* sge, std::uint64_t wr_id) {
  ibv_recv_wr wr{};
  wr.wr_id = wr_id;
  wr.sg_list = sge;
  wr.num_sge = sge != nullptr ? 1 : 0;
  ibv_recv_wr* bad = nullptr;
  return ibv_post_recv(qp, &wr, &bad);
}

}  // namespace rocelab::verbs_test
