// The extended interfaces: ibv_start_poll and its readers, and the ibv_wr_* calls.
#include <endian.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

namespace {

constexpr std::uint64_t kRcOperations = IBV_QP_EX_WITH_RDMA_WRITE | IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM |
                                        IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_SEND_WITH_IMM | IBV_QP_EX_WITH_RDMA_READ |
                                        IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP | IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD |
                                        IBV_QP_EX_WITH_LOCAL_INV | IBV_QP_EX_WITH_BIND_MW |
                                        IBV_QP_EX_WITH_SEND_WITH_INV;

ibv_qp* make_extended(Lab& lab, ibv_qp_type type, std::uint64_t operations, ibv_cq* cq = nullptr) {
  ibv_qp_init_attr_ex init{};
  init.send_cq = init.recv_cq = cq != nullptr ? cq : lab.cq();
  init.qp_type = type;
  init.cap = {16, 16, 4, 4, 128};
  init.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
  init.pd = lab.pd();
  init.send_ops_flags = operations;
  return ibv_create_qp_ex(lab.context(), &init);
}

}  // namespace

TEST_CASE("an extended CQ is polled completion by completion with readers for every member", "[verbs]") {
  Lab lab;
  ibv_cq_init_attr_ex init{};
  init.cqe = 32;
  init.wc_flags = IBV_WC_STANDARD_FLAGS;
  init.wc_flags |= IBV_WC_EX_WITH_COMPLETION_TIMESTAMP | IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK;
  ibv_cq_ex* cq = ibv_create_cq_ex(lab.context(), &init);
  REQUIRE(cq != nullptr);
  ibv_cq* plain = ibv_cq_ex_to_cq(cq);
  ibv_qp* qp = lab.make_qp(IBV_QPT_RC, nullptr, plain);
  REQUIRE(connect(qp, qp->qp_num) == 0);
  Buffer from(lab.pd(), 16), to(lab.pd(), 16);
  ibv_sge source = from.sge(0, 16), target = to.sge(0, 16);
  ibv_poll_cq_attr attr{};
  CHECK(ibv_start_poll(cq, &attr) == ENOENT);
  REQUIRE(post_recv(qp, &target, 8) == 0);
  ibv_send_wr wr = send_wr(IBV_WR_SEND_WITH_IMM, &source, 9);
  wr.imm_data = htobe32(1234);
  REQUIRE(post(qp, wr) == 0);
  int found = 0;
  std::uint64_t last_timestamp = 0;
  while (found < 2) {
    if (ibv_start_poll(cq, &attr) == ENOENT) continue;
    do {
      ++found;
      CHECK(cq->status == IBV_WC_SUCCESS);
      CHECK(ibv_wc_read_qp_num(cq) == qp->qp_num);
      CHECK(ibv_wc_read_vendor_err(cq) == 0);
      const std::uint64_t timestamp = ibv_wc_read_completion_ts(cq);
      CHECK(timestamp >= last_timestamp);
      last_timestamp = timestamp;
      timespec wall{};
      clock_gettime(CLOCK_REALTIME, &wall);
      const auto wall_ns = static_cast<std::uint64_t>(wall.tv_sec) * 1'000'000'000u;
      CHECK(ibv_wc_read_completion_wallclock_ns(cq) / 3'600'000'000'000u <= wall_ns / 3'600'000'000'000u + 1);
      if (ibv_wc_read_opcode(cq) == IBV_WC_RECV) {
        CHECK(cq->wr_id == 8);
        CHECK(ibv_wc_read_byte_len(cq) == 16);
        CHECK(ibv_wc_read_imm_data(cq) == htobe32(1234));
        CHECK((ibv_wc_read_wc_flags(cq) & IBV_WC_WITH_IMM) != 0);
      } else {
        CHECK(cq->wr_id == 9);
        CHECK(ibv_wc_read_opcode(cq) == IBV_WC_SEND);
      }
    } while (ibv_next_poll(cq) == 0);
    ibv_end_poll(cq);
  }
  ibv_values_ex values{};
  values.comp_mask = IBV_VALUES_MASK_RAW_CLOCK;
  REQUIRE(ibv_query_rt_values_ex(lab.context(), &values) == 0);
  CHECK(static_cast<std::uint64_t>(values.raw_clock.tv_nsec) >= last_timestamp);
  CHECK(ibv_destroy_qp(qp) == 0);
  CHECK(ibv_destroy_cq(plain) == 0);
}

TEST_CASE("ibv_wr_*: one section posts several operations in order", "[verbs]") {
  Lab lab;
  ibv_qp* qp = make_extended(lab, IBV_QPT_RC, kRcOperations);
  REQUIRE(qp != nullptr);
  REQUIRE(connect(qp, qp->qp_num) == 0);
  ibv_qp_ex* ex = ibv_qp_to_qp_ex(qp);
  REQUIRE(ex != nullptr);
  Buffer local(lab.pd(), 256), remote(lab.pd(), 256), inbox(lab.pd(), 256);
  local.fill(8);
  ibv_sge target = inbox.sge(0, 256);
  for (int i = 0; i < 3; ++i) REQUIRE(post_recv(qp, &target, 50) == 0);

  char text[] = "inline text";
  ibv_data_buf parts[2] = {{text, 6}, {text + 6, sizeof(text) - 6}};
  ibv_sge pieces[2] = {local.sge(64, 32), local.sge(96, 32)};
  ibv_wr_start(ex);
  ex->wr_flags = IBV_SEND_SIGNALED;
  ex->wr_id = 1;
  ibv_wr_rdma_write(ex, remote.rkey(), remote.addr());
  ibv_wr_set_sge(ex, local.lkey(), local.addr(), 64);
  ex->wr_id = 2;
  ibv_wr_rdma_write_imm(ex, remote.rkey(), remote.addr(64), htobe32(17));
  ibv_wr_set_sge_list(ex, 2, pieces);
  ex->wr_id = 3;
  ibv_wr_rdma_read(ex, remote.rkey(), remote.addr());
  ibv_wr_set_sge(ex, local.lkey(), local.addr(128), 64);
  ex->wr_id = 4;
  ex->wr_flags = IBV_SEND_SIGNALED | IBV_SEND_FENCE;
  ibv_wr_atomic_fetch_add(ex, remote.rkey(), remote.addr(200), 5);
  ibv_wr_set_sge(ex, local.lkey(), local.addr(200), 8);
  ex->wr_id = 5;
  ibv_wr_atomic_cmp_swp(ex, remote.rkey(), remote.addr(200), 5, 6);
  ibv_wr_set_sge(ex, local.lkey(), local.addr(208), 8);
  ex->wr_id = 6;
  ibv_wr_send(ex);
  ibv_wr_set_inline_data_list(ex, 2, parts);
  ex->wr_id = 7;
  ibv_wr_send_imm(ex, htobe32(18));
  ibv_wr_set_inline_data(ex, text, 0);
  std::memset(local.data() + 200, 0, 8);
  REQUIRE(ibv_wr_complete(ex) == 0);
  std::memset(text, 'z', sizeof(text));

  std::uint64_t next_send = 1;
  for (int i = 0; i < 10; ++i) {
    const ibv_wc wc = lab.wait_success();
    if (!(wc.opcode & IBV_WC_RECV)) CHECK(wc.wr_id == next_send++);
  }
  CHECK(std::memcmp(remote.data(), local.data(), 128) == 0);
  CHECK(std::memcmp(local.data() + 128, local.data(), 64) == 0);
  CHECK(remote[200] == 6);
  CHECK(local[208] == 5);
  CHECK(std::string(reinterpret_cast<char*>(inbox.data())) == "inline text");
  CHECK(ibv_destroy_qp(qp) == 0);
}

TEST_CASE("ibv_wr_complete reports what went wrong while building and posts nothing; abort posts nothing", "[verbs]") {
  Lab lab;
  ibv_qp* qp = make_extended(lab, IBV_QPT_RC, kRcOperations);
  REQUIRE(qp != nullptr);
  REQUIRE(connect(qp, qp->qp_num) == 0);
  ibv_qp_ex* ex = ibv_qp_to_qp_ex(qp);
  Buffer buffer(lab.pd(), 1'000);
  ex->wr_flags = IBV_SEND_SIGNALED;
  ibv_wr_start(ex);
  ibv_wr_rdma_write(ex, buffer.rkey(), buffer.addr());
  ibv_wr_set_sge(ex, buffer.lkey(), buffer.addr(), 8);
  ibv_wr_send(ex);
  ibv_wr_set_inline_data(ex, buffer.data(), buffer.size());  // longer than any QP takes
  CHECK(ibv_wr_complete(ex) == EINVAL);
  ibv_wr_start(ex);
  ibv_wr_rdma_write(ex, buffer.rkey(), buffer.addr());
  ibv_wr_abort(ex);
  ibv_wc wc{};
  CHECK(ibv_poll_cq(lab.cq(), 1, &wc) == 0);
  ibv_wr_start(ex);
  for (int i = 0; i < 10'000; ++i) ibv_wr_send(ex);
  CHECK(ibv_wr_complete(ex) == ENOMEM);
  CHECK(ibv_poll_cq(lab.cq(), 1, &wc) == 0);
  ibv_wr_start(ex);
  ibv_wr_rdma_write(ex, buffer.rkey(), buffer.addr());
  ibv_wr_set_sge(ex, buffer.lkey(), buffer.addr(), 8);
  ibv_wr_atomic_fetch_add(ex, buffer.rkey(), buffer.addr(), 1);
  ibv_wr_set_sge(ex, buffer.lkey(), buffer.addr(), 4);  // an atomic's result has 8 bytes
  CHECK(ibv_wr_complete(ex) == EINVAL);
  CHECK(ibv_poll_cq(lab.cq(), 1, &wc) == 0);
  CHECK(ibv_destroy_qp(qp) == 0);
}

TEST_CASE("ibv_wr_*: UD addresses, windows and invalidation", "[verbs]") {
  Lab lab;
  ibv_qp* ud = make_extended(lab, IBV_QPT_UD, IBV_QP_EX_WITH_SEND);
  REQUIRE(ud != nullptr);
  REQUIRE(connect(ud, 0) == 0);
  Buffer inbox(lab.pd(), kGrhBytes + 16);
  ibv_sge target = inbox.sge(0, inbox.size());
  REQUIRE(post_recv(ud, &target) == 0);
  ibv_ah* ah = lab.make_ah();
  ibv_qp_ex* ex = ibv_qp_to_qp_ex(ud);
  char text[] = "hello";
  ibv_wr_start(ex);
  ex->wr_flags = 0;
  ibv_wr_send(ex);
  ibv_wr_set_ud_addr(ex, ah, ud->qp_num, kQkey);
  ibv_wr_set_inline_data(ex, text, sizeof(text));
  REQUIRE(ibv_wr_complete(ex) == 0);
  CHECK(lab.wait_success().src_qp == ud->qp_num);
  CHECK(std::memcmp(inbox.data() + kGrhBytes, text, sizeof(text)) == 0);
  CHECK(make_extended(lab, IBV_QPT_UD, IBV_QP_EX_WITH_RDMA_READ) == nullptr);
  CHECK(errno == EOPNOTSUPP);

  ibv_qp* rc = make_extended(lab, IBV_QPT_RC, kRcOperations);
  REQUIRE(rc != nullptr);
  REQUIRE(connect(rc, rc->qp_num) == 0);
  ex = ibv_qp_to_qp_ex(rc);
  Buffer region(lab.pd(), 64);
  ibv_mw* mw = ibv_alloc_mw(lab.pd(), IBV_MW_TYPE_2);
  REQUIRE(mw != nullptr);
  const ibv_mw_bind_info info{region.mr(), region.addr(), 64, IBV_ACCESS_REMOTE_WRITE};
  const std::uint32_t rkey = ibv_inc_rkey(mw->rkey);
  REQUIRE(post_recv(rc, nullptr) == 0);
  ibv_wr_start(ex);
  ex->wr_flags = IBV_SEND_SIGNALED;
  ibv_wr_bind_mw(ex, mw, rkey, &info);
  ibv_wr_send_inv(ex, rkey);
  REQUIRE(ibv_wr_complete(ex) == 0);
  for (int i = 0; i < 3; ++i) {
    const ibv_wc wc = lab.wait_success();
    if (wc.opcode == IBV_WC_RECV) CHECK(wc.invalidated_rkey == rkey);
  }
  CHECK(ibv_dealloc_mw(mw) == 0);
  CHECK(ibv_destroy_qp(rc) == 0);
  CHECK(ibv_destroy_qp(ud) == 0);
  CHECK(ibv_destroy_ah(ah) == 0);
  ibv_qp* plain = lab.make_qp(IBV_QPT_RC);
  CHECK(ibv_qp_to_qp_ex(plain) == nullptr);
  CHECK(ibv_destroy_qp(plain) == 0);
}

TEST_CASE("ibv_wr_atomic_write and IBV_WR_ATOMIC_WRITE write eight bytes at once", "[verbs]") {
  Lab lab;
  ibv_qp* qp = make_extended(lab, IBV_QPT_RC, kRcOperations | IBV_QP_EX_WITH_ATOMIC_WRITE);
  REQUIRE(qp != nullptr);
  REQUIRE(connect(qp, qp->qp_num) == 0);
  Buffer from(lab.pd(), 16), to(lab.pd(), 16);
  ibv_qp_ex* extended = ibv_qp_to_qp_ex(qp);
  const std::uint64_t value = 0x0102030405060708;
  ibv_wr_start(extended);
  extended->wr_id = 4;
  extended->wr_flags = IBV_SEND_SIGNALED;
  ibv_wr_atomic_write(extended, to.rkey(), to.addr(), &value);
  REQUIRE(ibv_wr_complete(extended) == 0);
  ibv_wc wc = lab.wait_success();
  CHECK(wc.wr_id == 4);
  CHECK(wc.opcode == IBV_WC_ATOMIC_WRITE);
  CHECK(std::memcmp(to.data(), &value, 8) == 0);
  from.fill(3);
  ibv_sge source = from.sge(8, 8);
  REQUIRE(post(qp, rdma_wr(IBV_WR_ATOMIC_WRITE, &source, to.addr(8), to.rkey(), 5)) == 0);
  wc = lab.wait_success();
  CHECK(wc.opcode == IBV_WC_ATOMIC_WRITE);
  CHECK(std::memcmp(to.data() + 8, from.data() + 8, 8) == 0);
  source.length = 4;
  CHECK(post(qp, rdma_wr(IBV_WR_ATOMIC_WRITE, &source, to.addr(8), to.rkey(), 6)) == EINVAL);
  CHECK(make_extended(lab, IBV_QPT_UC, IBV_QP_EX_WITH_ATOMIC_WRITE) == nullptr);
  CHECK(ibv_destroy_qp(qp) == 0);
}
