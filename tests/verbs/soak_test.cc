// Many at once, through ibv_*: connections that come and go ten thousand times, and a thousand queue pairs that all
// talk.
#include <infiniband/verbs.h>
#include <malloc.h>

#include <cstddef>
#include <vector>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

namespace {

std::size_t bytes_in_use() { return mallinfo2().uordblks; }

/// Queues, memory and two QPs from nothing, one message, and all of it gone again. False: something failed.
bool connect_talk_disconnect(Lab& lab, std::uint8_t* memory, std::size_t length) {
  ibv_cq* cq = ibv_create_cq(lab.context(), 16, nullptr, nullptr, 0);
  ibv_mr* mr = ibv_reg_mr(lab.pd(), memory, length, kAccessAll);
  ibv_qp_init_attr init{};
  init.send_cq = init.recv_cq = cq;
  init.qp_type = IBV_QPT_RC;
  init.cap = {4, 4, 1, 1, 64};
  ibv_qp* a = ibv_create_qp(lab.pd(), &init);
  ibv_qp* b = ibv_create_qp(lab.pd(), &init);
  if (cq == nullptr || mr == nullptr || a == nullptr || b == nullptr) return false;
  bool good = connect(a, b->qp_num) == 0 && connect(b, a->qp_num) == 0;
  ibv_sge sge{reinterpret_cast<std::uintptr_t>(memory), 64, mr->lkey};
  ibv_sge target{reinterpret_cast<std::uintptr_t>(memory) + 64, 64, mr->lkey};
  good = good && post_recv(b, &target) == 0 && post(a, send_wr(IBV_WR_SEND, &sge)) == 0;
  for (int seen = 0; good && seen < 2;) {
    ibv_wc wc{};
    const int got = ibv_poll_cq(cq, 1, &wc);
    good = got == 0 || wc.status == IBV_WC_SUCCESS;
    seen += got;
  }
  return ibv_destroy_qp(a) == 0 && ibv_destroy_qp(b) == 0 && ibv_dereg_mr(mr) == 0 && ibv_destroy_cq(cq) == 0 && good;
}

}  // namespace

TEST_CASE("ten thousand connections one after the other: every completion comes, memory does not grow", "[verbs]") {
  Lab lab;
  std::vector<std::uint8_t> memory(4'096);
  int failures = 0;
  for (int i = 0; i < 1'000; ++i) failures += connect_talk_disconnect(lab, memory.data(), memory.size()) ? 0 : 1;
  const std::size_t before = bytes_in_use();
  for (int i = 0; i < 9'000; ++i) failures += connect_talk_disconnect(lab, memory.data(), memory.size()) ? 0 : 1;
  CHECK(failures == 0);
  const std::size_t after = bytes_in_use();
  CHECK(after <= before + 64 * 1'024);  // less than 8 bytes a connection: tables may round up once more
}

TEST_CASE("a thousand queue pairs of one process all exchange", "[verbs]") {
  constexpr std::size_t kPairs = 500;
  constexpr int kRounds = 20;
  Lab lab(nullptr, 4'096);
  {
    Buffer buffer(lab.pd(), kPairs * 128);
    std::vector<Lab::Pair> pairs;
    for (std::size_t i = 0; i < kPairs; ++i) pairs.push_back(lab.make_pair(IBV_QPT_RC));
    std::vector<int> received(kPairs);
    int failures = 0;
    for (int round = 0; round < kRounds; ++round) {
      for (std::size_t i = 0; i < kPairs; ++i) {
        ibv_sge target = buffer.sge(i * 128 + 64, 64), source = buffer.sge(i * 128, 64);
        failures += post_recv(pairs[i].b, &target, i) == 0 ? 0 : 1;
        failures += post(pairs[i].a, send_wr(IBV_WR_SEND, &source)) == 0 ? 0 : 1;
      }
      for (std::size_t seen = 0; failures == 0 && seen < 2 * kPairs; ++seen) {
        const ibv_wc wc = lab.wait();
        failures += wc.status == IBV_WC_SUCCESS ? 0 : 1;
        if (wc.opcode & IBV_WC_RECV) ++received[wc.wr_id];
      }
    }
    CHECK(failures == 0);
    for (std::size_t i = 0; i < kPairs; ++i) CHECK(received[i] == kRounds);
    for (Lab::Pair& pair : pairs) {
      CHECK(ibv_destroy_qp(pair.a) == 0);
      CHECK(ibv_destroy_qp(pair.b) == 0);
    }
  }
}
