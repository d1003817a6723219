// Bad arguments: the errno that rdma-core's users expect, bad_wr at the right request, nothing changed.
#include <cerrno>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

TEST_CASE("creating with nonsense gives a null pointer and EINVAL", "[verbs]") {
  Lab lab;
  const auto invalid = [](const void* made) {
    const bool right = made == nullptr && errno == EINVAL;
    errno = 0;
    return right;
  };
  CHECK(invalid(ibv_create_cq(lab.context(), 0, nullptr, nullptr, 0)));
  CHECK(invalid(ibv_create_cq(lab.context(), -1, nullptr, nullptr, 0)));
  CHECK(invalid(ibv_create_cq(lab.context(), 1 << 30, nullptr, nullptr, 0)));
  CHECK(invalid(ibv_create_cq(lab.context(), 16, nullptr, nullptr, 1'000)));
  CHECK(invalid(ibv_alloc_mw(lab.pd(), static_cast<ibv_mw_type>(3))));
  ibv_qp_init_attr qp{};
  qp.qp_type = IBV_QPT_RC;
  CHECK(invalid(ibv_create_qp(lab.pd(), &qp)));  // no CQs
  qp.send_cq = qp.recv_cq = lab.cq();
  qp.cap = {1u << 30, 1, 1, 1, 0};
  CHECK(invalid(ibv_create_qp(lab.pd(), &qp)));
  qp.cap = {1, 1, 1'000, 1, 0};
  CHECK(invalid(ibv_create_qp(lab.pd(), &qp)));
  qp.cap = {1, 1, 1, 1, 1u << 20};
  CHECK(invalid(ibv_create_qp(lab.pd(), &qp)));
  ibv_srq_init_attr srq{};
  srq.attr = {1u << 30, 1, 0};
  CHECK(invalid(ibv_create_srq(lab.pd(), &srq)));
  ibv_ah_attr ah = address(lab.context());
  ah.is_global = 0;
  CHECK(invalid(ibv_create_ah(lab.pd(), &ah)));
  ah = address(lab.context());
  ah.port_num = 2;
  CHECK(invalid(ibv_create_ah(lab.pd(), &ah)));
  ah = address(lab.context());
  ah.grh.sgid_index = 99;
  CHECK(invalid(ibv_create_ah(lab.pd(), &ah)));
  CHECK(invalid(ibv_open_device(nullptr)));
}

TEST_CASE("a bad request stops the list: the errno is returned, bad_wr points at it, those before it are posted",
          "[verbs]") {
  Lab lab;
  Buffer buffer(lab.pd(), 64);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  ibv_sge sge = buffer.sge(0, 16);
  ibv_sge many[8];
  for (ibv_sge& one : many) one = buffer.sge(0, 4);
  ibv_send_wr good = rdma_wr(IBV_WR_RDMA_WRITE, &sge, buffer.addr(), buffer.rkey(), 1);
  ibv_send_wr bad = rdma_wr(IBV_WR_RDMA_WRITE, many, buffer.addr(), buffer.rkey(), 2);
  ibv_send_wr after = good;
  good.next = &bad;
  bad.next = &after;
  ibv_send_wr* stopped = nullptr;
  bad.num_sge = 8;
  CHECK(ibv_post_send(pair.a, &good, &stopped) == EINVAL);
  CHECK(stopped == &bad);
  CHECK(lab.wait_success().wr_id == 1);
  bad.num_sge = -1;
  CHECK(ibv_post_send(pair.a, &bad, &stopped) == EINVAL);
  bad.num_sge = 1;
  bad.opcode = static_cast<ibv_wr_opcode>(15);
  CHECK(ibv_post_send(pair.a, &bad, &stopped) == EINVAL);
  bad = send_wr(IBV_WR_SEND, &sge);
  sge.length = 10'000;
  bad.send_flags |= IBV_SEND_INLINE;
  CHECK(ibv_post_send(pair.a, &bad, &stopped) == EINVAL);
  sge.length = 16;
  ibv_wc wc{};
  CHECK(ibv_poll_cq(lab.cq(), 1, &wc) == 0);

  ibv_recv_wr recv{};
  recv.sg_list = many;
  recv.num_sge = 8;
  ibv_recv_wr* stopped_recv = nullptr;
  CHECK(ibv_post_recv(pair.a, &recv, &stopped_recv) == EINVAL);
  CHECK(stopped_recv == &recv);
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
}

TEST_CASE("a full queue is ENOMEM, a QP that can't send yet EINVAL", "[verbs]") {
  Lab lab;
  ibv_qp* qp = lab.make_qp(IBV_QPT_RC);
  CHECK(post(qp, send_wr(IBV_WR_SEND, nullptr)) == EINVAL);
  CHECK(post_recv(qp, nullptr) == EINVAL);
  REQUIRE(connect(qp, qp->qp_num) == 0);
  int posted = 0;
  int status = 0;
  while ((status = post_recv(qp, nullptr)) == 0) ++posted;
  CHECK(status == ENOMEM);
  CHECK(posted >= 64);
  CHECK(ibv_destroy_qp(qp) == 0);
}

TEST_CASE("modify_qp refuses wrong transitions, masks and addresses", "[verbs]") {
  Lab lab;
  ibv_qp* qp = lab.make_qp(IBV_QPT_RC);
  ibv_qp_attr attr{};
  attr.qp_state = IBV_QPS_RTS;
  CHECK(ibv_modify_qp(qp, &attr, IBV_QP_STATE) == EINVAL);
  attr.qp_state = IBV_QPS_INIT;
  attr.port_num = 1;
  CHECK(ibv_modify_qp(qp, &attr, IBV_QP_STATE) == EINVAL);  // attributes missing
  attr.qp_state = IBV_QPS_UNKNOWN;
  CHECK(ibv_modify_qp(qp, &attr, IBV_QP_STATE) == EINVAL);
  CHECK(ibv_modify_qp(qp, &attr, 1 << 30) == EOPNOTSUPP);
  CHECK(qp->state == IBV_QPS_RESET);
  attr.qp_state = IBV_QPS_INIT;
  REQUIRE(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS) == 0);
  CHECK(qp->state == IBV_QPS_INIT);
  attr.qp_state = IBV_QPS_RTR;
  attr.path_mtu = static_cast<ibv_mtu>(7);
  attr.ah_attr = address(lab.context());
  const int mask = IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
                   IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER;
  CHECK(ibv_modify_qp(qp, &attr, mask) == EINVAL);
  attr.path_mtu = IBV_MTU_1024;
  attr.ah_attr.is_global = 0;  // RoCE needs a GRH
  CHECK(ibv_modify_qp(qp, &attr, mask) == EINVAL);
  CHECK(ibv_destroy_qp(qp) == 0);
}

TEST_CASE("what is in use is busy", "[verbs]") {
  Lab lab;
  ibv_pd* pd = ibv_alloc_pd(lab.context());
  REQUIRE(pd != nullptr);
  {
    Buffer buffer(pd, 64);
    CHECK(ibv_dealloc_pd(pd) == EBUSY);
  }
  CHECK(ibv_dealloc_pd(pd) == 0);
  ibv_qp* qp = lab.make_qp(IBV_QPT_RC);
  CHECK(ibv_destroy_cq(lab.cq()) == EBUSY);
  CHECK(ibv_destroy_qp(qp) == 0);
}

TEST_CASE("a CQ can be resized, not below what it holds", "[verbs]") {
  Lab lab;
  CHECK(ibv_resize_cq(lab.cq(), 1'000) == 0);
  CHECK(lab.cq()->cqe >= 1'000);
  CHECK(ibv_resize_cq(lab.cq(), 0) == EINVAL);
  CHECK(ibv_resize_cq(lab.cq(), 1 << 30) == EINVAL);
  ibv_qp* qp = lab.make_qp(IBV_QPT_RC);
  REQUIRE(connect(qp, qp->qp_num) == 0);
  for (int i = 0; i < 20; ++i) REQUIRE(post_recv(qp, nullptr) == 0);
  ibv_qp_attr attr{};
  attr.qp_state = IBV_QPS_ERR;
  REQUIRE(ibv_modify_qp(qp, &attr, IBV_QP_STATE) == 0);
  CHECK(ibv_resize_cq(lab.cq(), 4) == EINVAL);
  CHECK(ibv_destroy_qp(qp) == 0);
}

TEST_CASE("closing a device takes what was made from it along", "[verbs]") {
  int count = 0;
  ibv_device** list = ibv_get_device_list(&count);
  REQUIRE(list != nullptr);
  std::uint8_t bytes[64] = {};
  for (int round = 0; round < 100; ++round) {
    ibv_context* context = ibv_open_device(list[0]);
    REQUIRE(context != nullptr);
    ibv_pd* pd = ibv_alloc_pd(context);
    REQUIRE(pd != nullptr);
    ibv_cq* cq = ibv_create_cq(context, 16, nullptr, nullptr, 0);
    REQUIRE(cq != nullptr);
    REQUIRE(ibv_reg_mr(pd, bytes, sizeof(bytes), kAccessLocal) != nullptr);
    ibv_qp_init_attr init{};
    init.qp_type = IBV_QPT_UC;
    init.send_cq = init.recv_cq = cq;
    init.cap = {4, 4, 1, 1, 0};
    REQUIRE(ibv_create_qp(pd, &init) != nullptr);
    REQUIRE(ibv_close_device(context) == 0);
  }
  ibv_free_device_list(list);
}
