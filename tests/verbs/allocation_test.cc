// After warm-up the data path allocates nothing: posting, moving packets, polling, through ibv_* in loopback. This
// program's malloc and its kin take the place of the C library's for all libraries in the process.
#include <infiniband/verbs.h>
#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<std::size_t> allocations{0};

void count() {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

extern "C" {

void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) noexcept {
  count();
  return __libc_malloc(size);
}
void* calloc(std::size_t items, std::size_t size) noexcept {
  count();
  return __libc_calloc(items, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
  count();
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  count();
  *memory = __libc_memalign(alignment, size);
  return *memory != nullptr ? 0 : ENOMEM;
}

}  // extern "C"

using namespace rocelab::verbs_test;

namespace {

/// One round of everything: SEND/receive, WRITE, READ, an atomic, inline, several packets each. False on a bad status.
bool round_of_traffic(Lab& lab, Lab::Pair pair, ibv_qp* ud, ibv_ah* ah, Buffer& local, Buffer& remote) {
  ibv_sge big = local.sge(0, 8'000), word = local.sge(0, 8), target = remote.sge(0, 9'000);
  ibv_send_wr wrs[5] = {send_wr(IBV_WR_SEND, &big), rdma_wr(IBV_WR_RDMA_WRITE, &big, remote.addr(), remote.rkey()),
                        rdma_wr(IBV_WR_RDMA_READ, &big, remote.addr(), remote.rkey()),
                        rdma_wr(IBV_WR_ATOMIC_FETCH_AND_ADD, &word, remote.addr(), remote.rkey()),
                        send_wr(IBV_WR_SEND, &word)};
  wrs[4].send_flags |= IBV_SEND_INLINE;
  for (int i = 0; i < 4; ++i) wrs[i].next = &wrs[i + 1];
  bool good = post_recv(pair.b, &target) == 0 && post_recv(pair.b, &target) == 0 && post_recv(ud, &target) == 0;
  good = good && post(pair.a, wrs[0]) == 0;
  ibv_send_wr datagram = send_wr(IBV_WR_SEND, &word);
  datagram.wr.ud = {ah, ud->qp_num, kQkey};
  good = good && post(ud, datagram) == 0;
  ibv_wc wc[16];
  for (int seen = 0; good && seen < 9;) {
    const int got = ibv_poll_cq(lab.cq(), 16, wc);
    for (int i = 0; i < got; ++i) good = good && wc[i].status == IBV_WC_SUCCESS;
    seen += got;
  }
  return good;
}

}  // namespace

TEST_CASE("after warm-up the data path allocates nothing", "[verbs]") {
  Lab lab;
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  ibv_qp* ud = lab.make_ud();
  ibv_ah* ah = lab.make_ah();
  {
    Buffer local(lab.pd(), 9'000), remote(lab.pd(), 9'000);
    for (int i = 0; i < 200; ++i) REQUIRE(round_of_traffic(lab, pair, ud, ah, local, remote));
    bool good = true;
    counting = true;
    for (int i = 0; i < 1'000; ++i) good = round_of_traffic(lab, pair, ud, ah, local, remote) && good;
    counting = false;
    CHECK(good);
    CHECK(allocations == 0);
  }
  CHECK(ibv_destroy_ah(ah) == 0);
  CHECK(ibv_destroy_qp(ud) == 0);
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
}
