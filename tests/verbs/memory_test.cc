// Regions and windows: registration, other iova, re-registration, windows of both types, invalidation.
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

namespace {

ibv_wc write_through(Lab& lab, ibv_qp* qp, ibv_sge sge, std::uint64_t remote_addr, std::uint32_t rkey) {
  REQUIRE(post(qp, rdma_wr(IBV_WR_RDMA_WRITE, &sge, remote_addr, rkey)) == 0);
  return lab.wait();
}

}  // namespace

TEST_CASE("a region can be registered at another address than its own, and zero-based", "[verbs]") {
  Lab lab;
  Buffer local(lab.pd(), 64);
  local.fill(9);
  std::uint8_t bytes[64] = {};
  ibv_mr* mr = ibv_reg_mr_iova(lab.pd(), bytes, sizeof(bytes), 0x10000, kAccessAll);
  REQUIRE(mr != nullptr);
  CHECK(mr->addr == bytes);
  CHECK(mr->length == sizeof(bytes));
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  CHECK(write_through(lab, pair.a, local.sge(0, 32), 0x10000 + 8, mr->rkey).status == IBV_WC_SUCCESS);
  CHECK(std::memcmp(bytes + 8, local.data(), 32) == 0);
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
  CHECK(ibv_dereg_mr(mr) == 0);
}

TEST_CASE("memory that is not there is refused with EFAULT, nonsense with EINVAL", "[verbs]") {
  Lab lab;
  const auto page = std::size_t{4096};
  void* mapped = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapped != MAP_FAILED);
  REQUIRE(munmap(static_cast<char*>(mapped) + page, page) == 0);
  const auto fails_with = [&](void* addr, std::size_t length, unsigned int access) {
    errno = 0;
    ibv_mr* mr = ibv_reg_mr_iova2(lab.pd(), addr, length, reinterpret_cast<std::uintptr_t>(addr), access);
    if (mr == nullptr) return errno;
    ibv_dereg_mr(mr);
    return 0;
  };
  CHECK(fails_with(mapped, page, IBV_ACCESS_LOCAL_WRITE) == 0);
  CHECK(fails_with(mapped, 2 * page, IBV_ACCESS_LOCAL_WRITE) == EFAULT);
  CHECK(fails_with(nullptr, page, IBV_ACCESS_LOCAL_WRITE) == EFAULT);
  CHECK(fails_with(mapped, page, IBV_ACCESS_REMOTE_WRITE) == EINVAL);
  CHECK(fails_with(mapped, page, 1u << 15) == EINVAL);
  CHECK(fails_with(mapped, page, int{IBV_ACCESS_LOCAL_WRITE} | int{IBV_ACCESS_RELAXED_ORDERING}) == 0);
  CHECK(fails_with(mapped, page, IBV_ACCESS_LOCAL_WRITE | 1u << 29) == 0);  // optional and unknown: ignored
  CHECK(fails_with(mapped, 0, IBV_ACCESS_LOCAL_WRITE) == EINVAL);
  REQUIRE(mprotect(mapped, page, PROT_READ) == 0);
  CHECK(fails_with(mapped, page, IBV_ACCESS_LOCAL_WRITE) == EFAULT);
  CHECK(fails_with(mapped, page, IBV_ACCESS_REMOTE_READ) == 0);
  REQUIRE(munmap(mapped, page) == 0);
}

TEST_CASE("re-registration changes rights, memory and domain, and refuses nonsense", "[verbs]") {
  Lab lab;
  Buffer local(lab.pd(), 64);
  local.fill(1);
  std::uint8_t first[64] = {}, second[64] = {};
  ibv_mr* mr = ibv_reg_mr(lab.pd(), first, sizeof(first), kAccessLocal);
  REQUIRE(mr != nullptr);
  CHECK(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_TRANSLATION, nullptr, nullptr, 0, 0) == IBV_REREG_MR_ERR_INPUT);
  CHECK(ibv_rereg_mr(mr, 0, nullptr, nullptr, 0, IBV_ACCESS_LOCAL_WRITE) == IBV_REREG_MR_ERR_INPUT);
  REQUIRE(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS | IBV_REREG_MR_CHANGE_TRANSLATION, nullptr, second,
                       sizeof(second), kAccessAll) == 0);
  CHECK(mr->addr == second);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  const auto target = reinterpret_cast<std::uintptr_t>(second);
  CHECK(write_through(lab, pair.a, local.sge(0, 64), target, mr->rkey).status == IBV_WC_SUCCESS);
  CHECK(std::memcmp(second, local.data(), 64) == 0);
  ibv_pd* other = ibv_alloc_pd(lab.context());
  REQUIRE(other != nullptr);
  REQUIRE(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_PD, other, nullptr, 0, 0) == 0);
  CHECK(ibv_dealloc_pd(other) == EBUSY);
  CHECK(write_through(lab, pair.a, local.sge(0, 64), target, mr->rkey).status == IBV_WC_REM_ACCESS_ERR);
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
  CHECK(ibv_dereg_mr(mr) == 0);
  CHECK(ibv_dealloc_pd(other) == 0);
}

TEST_CASE("a type 1 window opens a part of a region once bound, and its key changes", "[verbs]") {
  Lab lab;
  Buffer local(lab.pd(), 16), remote(lab.pd(), 64, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_MW_BIND);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  ibv_mw* mw = ibv_alloc_mw(lab.pd(), IBV_MW_TYPE_1);
  REQUIRE(mw != nullptr);
  const std::uint32_t unbound = mw->rkey;
  ibv_mw_bind bind{};
  bind.wr_id = 5;
  bind.send_flags = IBV_SEND_SIGNALED;
  bind.bind_info = {remote.mr(), remote.addr(16), 32, IBV_ACCESS_REMOTE_WRITE};
  REQUIRE(ibv_bind_mw(pair.b, mw, &bind) == 0);
  const ibv_wc wc = lab.wait_success();
  CHECK(wc.opcode == IBV_WC_BIND_MW);
  CHECK(wc.wr_id == 5);
  CHECK(mw->rkey != unbound);
  local.fill(3);
  CHECK(write_through(lab, pair.a, local.sge(0, 16), remote.addr(16), mw->rkey).status == IBV_WC_SUCCESS);
  CHECK(std::memcmp(remote.data() + 16, local.data(), 16) == 0);
  CHECK(write_through(lab, pair.a, local.sge(0, 16), remote.addr(40), mw->rkey).status == IBV_WC_REM_ACCESS_ERR);
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
  CHECK(ibv_dealloc_mw(mw) == 0);
}

TEST_CASE("a type 2 window is bound by a request and closed by LOCAL_INV or the peer's SEND with invalidate",
          "[verbs]") {
  Lab lab;
  Buffer local(lab.pd(), 16), remote(lab.pd(), 64, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_MW_BIND);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  ibv_mw* mw = ibv_alloc_mw(lab.pd(), IBV_MW_TYPE_2);
  REQUIRE(mw != nullptr);
  const auto bind = [&] {
    ibv_send_wr wr = send_wr(IBV_WR_BIND_MW, nullptr);
    wr.bind_mw.mw = mw;
    wr.bind_mw.rkey = ibv_inc_rkey(mw->rkey);
    wr.bind_mw.bind_info = {remote.mr(), remote.addr(), 64, IBV_ACCESS_REMOTE_WRITE};
    REQUIRE(post(pair.b, wr) == 0);
    CHECK(lab.wait_success().opcode == IBV_WC_BIND_MW);
    mw->rkey = wr.bind_mw.rkey;
  };
  bind();
  CHECK(write_through(lab, pair.a, local.sge(0, 16), remote.addr(), mw->rkey).status == IBV_WC_SUCCESS);
  ibv_send_wr invalidate = send_wr(IBV_WR_LOCAL_INV, nullptr);
  invalidate.invalidate_rkey = mw->rkey;
  REQUIRE(post(pair.b, invalidate) == 0);
  CHECK(lab.wait_success().opcode == IBV_WC_LOCAL_INV);
  bind();
  REQUIRE(post_recv(pair.b, nullptr) == 0);
  ibv_send_wr closing = send_wr(IBV_WR_SEND_WITH_INV, nullptr);
  closing.invalidate_rkey = mw->rkey;
  closing.send_flags = 0;
  REQUIRE(post(pair.a, closing) == 0);
  const ibv_wc wc = lab.wait_success();
  CHECK((wc.wc_flags & IBV_WC_WITH_INV) != 0);
  CHECK(wc.invalidated_rkey == mw->rkey);
  CHECK(write_through(lab, pair.a, local.sge(0, 16), remote.addr(), mw->rkey).status == IBV_WC_REM_ACCESS_ERR);
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
  CHECK(ibv_dealloc_mw(mw) == 0);
}
