// XRC through the ABI: domains by file, targets, shared receive queues with numbers, targets opened twice.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

namespace {

ibv_xrcd* open_domain(ibv_context* context, int fd, int flags) {
  ibv_xrcd_init_attr attr{};
  attr.comp_mask = IBV_XRCD_INIT_ATTR_FD | IBV_XRCD_INIT_ATTR_OFLAGS;
  attr.fd = fd;
  attr.oflags = flags;
  return ibv_open_xrcd(context, &attr);
}

ibv_srq* make_srq(Lab& lab, ibv_xrcd* domain) {
  ibv_srq_init_attr_ex attr{};
  attr.attr.max_wr = 16;
  attr.attr.max_sge = 2;
  attr.comp_mask = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD | IBV_SRQ_INIT_ATTR_XRCD | IBV_SRQ_INIT_ATTR_CQ;
  attr.srq_type = IBV_SRQT_XRC;
  attr.pd = lab.pd();
  attr.xrcd = domain;
  attr.cq = lab.cq();
  return ibv_create_srq_ex(lab.context(), &attr);
}

ibv_qp* make_target(Lab& lab, ibv_xrcd* domain) {
  ibv_qp_init_attr_ex init{};
  init.qp_type = IBV_QPT_XRC_RECV;
  init.comp_mask = IBV_QP_INIT_ATTR_XRCD;
  init.xrcd = domain;
  return ibv_create_qp_ex(lab.context(), &init);
}

ibv_qp* make_initiator(Lab& lab) {
  ibv_qp_init_attr_ex init{};
  init.qp_type = IBV_QPT_XRC_SEND;
  init.send_cq = lab.cq();
  init.cap.max_send_wr = 16;
  init.cap.max_send_sge = 2;
  init.cap.max_inline_data = 64;
  init.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
  init.send_ops_flags = IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_RDMA_WRITE;
  init.pd = lab.pd();
  return ibv_create_qp_ex(lab.context(), &init);
}

/// Takes a QP to RTS with what its half of XRC wants.
int bring_up(ibv_qp* qp, std::uint32_t remote) {
  const bool target = qp->qp_type == IBV_QPT_XRC_RECV;
  ibv_qp_attr attr{};
  attr.qp_state = IBV_QPS_INIT;
  attr.port_num = 1;
  attr.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC;
  if (const int bad = ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS)) {
    return bad;
  }
  attr.qp_state = IBV_QPS_RTR;
  attr.path_mtu = IBV_MTU_1024;
  attr.dest_qp_num = remote;
  attr.rq_psn = 0x345;
  attr.max_dest_rd_atomic = 4;
  attr.min_rnr_timer = 1;
  attr.ah_attr = address(qp->context);
  int mask = IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN;
  if (target) mask |= IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER;
  if (const int bad = ibv_modify_qp(qp, &attr, mask)) return bad;
  attr.qp_state = IBV_QPS_RTS;
  attr.sq_psn = 0x345;
  attr.timeout = 14;
  attr.retry_cnt = 7;
  attr.rnr_retry = 7;
  attr.max_rd_atomic = 4;
  mask = IBV_QP_STATE | IBV_QP_SQ_PSN | IBV_QP_TIMEOUT;
  if (!target) mask |= IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC;
  return ibv_modify_qp(qp, &attr, mask);
}

struct Extended {
  Lab lab;
  ibv_xrcd* domain = open_domain(lab.context(), -1, O_CREAT);
  ibv_srq* srq = make_srq(lab, domain);
  ibv_qp* target = make_target(lab, domain);
  ibv_qp* initiator = make_initiator(lab);
  std::uint32_t number = 0;

  Extended() {
    REQUIRE((domain != nullptr && srq != nullptr && target != nullptr && initiator != nullptr));
    REQUIRE(ibv_get_srq_num(srq, &number) == 0);
    REQUIRE(bring_up(target, initiator->qp_num) == 0);
    REQUIRE(bring_up(initiator, target->qp_num) == 0);
  }
  ~Extended() {
    if (initiator != nullptr) CHECK(ibv_destroy_qp(initiator) == 0);
    if (target != nullptr) CHECK(ibv_destroy_qp(target) == 0);
    CHECK(ibv_destroy_srq(srq) == 0);
    CHECK(ibv_close_xrcd(domain) == 0);
  }
  void post_receive(Buffer& to, std::uint64_t id) {
    ibv_sge sge = to.sge(0, to.size());
    ibv_recv_wr wr{}, *bad = nullptr;
    wr.wr_id = id;
    wr.sg_list = &sge;
    wr.num_sge = 1;
    REQUIRE(ibv_post_srq_recv(srq, &wr, &bad) == 0);
  }
};

}  // namespace

TEST_CASE("xrc: a SEND and a WRITE by ibv_post_send reach the queue whose number they name", "[verbs][xrc]") {
  Extended x;
  CHECK(x.target->pd == nullptr);
  CHECK(x.target->send_cq == nullptr);
  Buffer from(x.lab.pd(), 64), to(x.lab.pd(), 64);
  from.fill(1);
  x.post_receive(to, 5);
  ibv_sge source = from.sge(0, 64);
  ibv_send_wr wr = send_wr(IBV_WR_SEND, &source, 7);
  wr.qp_type.xrc.remote_srqn = x.number;
  REQUIRE(post(x.initiator, wr) == 0);
  for (int i = 0; i < 2; ++i) {
    const ibv_wc wc = x.lab.wait_success();
    CHECK(wc.wr_id == (wc.opcode == IBV_WC_RECV ? 5 : 7));
    CHECK(wc.qp_num == (wc.opcode == IBV_WC_RECV ? x.target : x.initiator)->qp_num);
  }
  CHECK(std::memcmp(from.data(), to.data(), 64) == 0);
  from.fill(2);
  wr = rdma_wr(IBV_WR_RDMA_WRITE, &source, to.addr(), to.rkey(), 8);
  wr.qp_type.xrc.remote_srqn = x.number;
  REQUIRE(post(x.initiator, wr) == 0);
  x.lab.wait_success();
  CHECK(std::memcmp(from.data(), to.data(), 64) == 0);
}

TEST_CASE("xrc: ibv_wr_set_xrc_srqn names the queue, and a wrong number fails the request", "[verbs][xrc]") {
  Extended x;
  Buffer from(x.lab.pd(), 64), to(x.lab.pd(), 64);
  from.fill(1);
  x.post_receive(to, 5);
  ibv_qp_ex* extended = ibv_qp_to_qp_ex(x.initiator);
  REQUIRE(extended != nullptr);
  for (const std::uint32_t number : {x.number, x.number + 1}) {
    ibv_wr_start(extended);
    extended->wr_id = number;
    extended->wr_flags = IBV_SEND_SIGNALED;
    ibv_wr_send(extended);
    ibv_wr_set_xrc_srqn(extended, number);
    ibv_wr_set_sge(extended, from.lkey(), from.addr(), 64);
    REQUIRE(ibv_wr_complete(extended) == 0);
    for (int i = 0; i < (number == x.number ? 2 : 1); ++i) {
      const ibv_wc wc = x.lab.wait();
      CHECK(wc.status == (number == x.number ? IBV_WC_SUCCESS : IBV_WC_REM_INV_REQ_ERR));
    }
  }
  CHECK(std::memcmp(from.data(), to.data(), 64) == 0);
}

TEST_CASE("xrc: whoever opens a domain with the same file shares it, as O_CREAT and O_EXCL say", "[verbs][xrc]") {
  Lab lab;
  char name[] = "/tmp/rocelab-xrc-XXXXXX";
  const int fd = mkstemp(name);
  REQUIRE(fd >= 0);
  const int again = open(name, O_RDONLY);
  unlink(name);
  CHECK((open_domain(lab.context(), fd, 0) == nullptr && errno == EAGAIN));
  ibv_xrcd* first = open_domain(lab.context(), fd, O_CREAT | O_EXCL);
  REQUIRE(first != nullptr);
  CHECK((open_domain(lab.context(), again, O_CREAT | O_EXCL) == nullptr && errno == EINVAL));
  ibv_xrcd* second = open_domain(lab.context(), again, 0);
  REQUIRE(second != nullptr);
  ibv_srq* srq = make_srq(lab, second);
  ibv_qp* target = make_target(lab, first);
  REQUIRE((srq != nullptr && target != nullptr));
  CHECK(ibv_close_xrcd(second) == 0);
  CHECK(ibv_close_xrcd(first) == EBUSY);
  CHECK(ibv_destroy_qp(target) == 0);
  CHECK(ibv_close_xrcd(first) == EBUSY);
  CHECK(ibv_destroy_srq(srq) == 0);
  CHECK(ibv_close_xrcd(first) == 0);
  CHECK((open_domain(lab.context(), fd, 0) == nullptr && errno == EAGAIN));
  close(again);
  close(fd);
  CHECK((open_domain(lab.context(), fd, O_CREAT) == nullptr && errno == EBADF));
  ibv_xrcd_init_attr incomplete{};
  CHECK((ibv_open_xrcd(lab.context(), &incomplete) == nullptr && errno == EINVAL));
}

TEST_CASE("xrc: a target opened again lives until its last handle is destroyed", "[verbs][xrc]") {
  Extended x;
  ibv_qp_open_attr attr{};
  attr.comp_mask = IBV_QP_OPEN_ATTR_NUM | IBV_QP_OPEN_ATTR_XRCD | IBV_QP_OPEN_ATTR_TYPE;
  attr.qp_num = x.target->qp_num;
  attr.xrcd = x.domain;
  attr.qp_type = IBV_QPT_XRC_RECV;
  ibv_qp* other = ibv_open_qp(x.lab.context(), &attr);
  REQUIRE(other != nullptr);
  CHECK(other->state == IBV_QPS_RTS);
  CHECK(ibv_destroy_qp(x.target) == 0);
  x.target = other;
  Buffer from(x.lab.pd(), 64), to(x.lab.pd(), 64);
  x.post_receive(to, 5);
  ibv_sge source = from.sge(0, 64);
  ibv_send_wr wr = send_wr(IBV_WR_SEND, &source, 7);
  wr.qp_type.xrc.remote_srqn = x.number;
  REQUIRE(post(x.initiator, wr) == 0);
  x.lab.wait_success();
  x.lab.wait_success();
  attr.qp_num = x.initiator->qp_num;
  CHECK((ibv_open_qp(x.lab.context(), &attr) == nullptr && errno == EINVAL));
}

TEST_CASE("xrc: what a target or a queue lacks is refused", "[verbs][xrc]") {
  Extended x;
  ibv_qp_init_attr_ex init{};
  init.qp_type = IBV_QPT_XRC_RECV;
  init.comp_mask = IBV_QP_INIT_ATTR_PD;
  init.pd = x.lab.pd();
  CHECK((ibv_create_qp_ex(x.lab.context(), &init) == nullptr && errno == EINVAL));
  ibv_srq_init_attr_ex attr{};
  attr.attr.max_wr = 1;
  attr.comp_mask = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD;
  attr.srq_type = IBV_SRQT_XRC;
  attr.pd = x.lab.pd();
  CHECK((ibv_create_srq_ex(x.lab.context(), &attr) == nullptr && errno == EINVAL));
  ibv_device_attr device{};
  REQUIRE(ibv_query_device(x.lab.context(), &device) == 0);
  CHECK((device.device_cap_flags & IBV_DEVICE_XRC) != 0);
}

TEST_CASE("xrc: closing the device takes domains, targets and queues along", "[verbs][xrc]") {
  int count = 0;
  ibv_device** list = ibv_get_device_list(&count);
  REQUIRE(count > 0);
  for (int round = 0; round < 2; ++round) {
    ibv_context* context = ibv_open_device(list[0]);
    REQUIRE(context != nullptr);
    ibv_xrcd* domain = open_domain(context, STDIN_FILENO, O_CREAT | O_EXCL);
    REQUIRE(domain != nullptr);
    ibv_qp_init_attr_ex init{};
    init.qp_type = IBV_QPT_XRC_RECV;
    init.comp_mask = IBV_QP_INIT_ATTR_XRCD;
    init.xrcd = domain;
    REQUIRE(ibv_create_qp_ex(context, &init) != nullptr);
    CHECK(ibv_close_device(context) == 0);
  }
  ibv_free_device_list(list);
}
