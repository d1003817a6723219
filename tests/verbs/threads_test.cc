// The four things that users of the kernel's rxe had to skip, from several threads at once: atomics, UC, UD and inline
// sends. Each thread has its own CQ and QPs on the one shared device. Catch2 is used by the main thread alone.
#include <infiniband/verbs.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 200;

/// Takes one completion; false when it is no success.
bool wait_success(ibv_cq* cq, ibv_wc& wc) {
  int got = 0;
  while ((got = ibv_poll_cq(cq, 1, &wc)) == 0) std::this_thread::yield();
  return got == 1 && wc.status == IBV_WC_SUCCESS;
}

/// Runs `body(thread)` on every thread; the number of bodies that said false.
template <class Body>
int run_threads(Body&& body) {
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      if (!body(static_cast<std::size_t>(i))) ++failures;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return failures;
}

struct Worker {
  ibv_cq* cq;
  ibv_qp* a;
  ibv_qp* b;
  std::unique_ptr<Buffer> from, to;
};

std::vector<Worker> make_workers(Lab& lab, ibv_qp_type type) {
  std::vector<Worker> workers(kThreads);
  for (Worker& worker : workers) {
    worker.cq = ibv_create_cq(lab.context(), 256, nullptr, nullptr, 0);
    REQUIRE(worker.cq != nullptr);
    worker.a = lab.make_qp(type, nullptr, worker.cq);
    worker.b = lab.make_qp(type, nullptr, worker.cq);
    REQUIRE(connect(worker.a, worker.b->qp_num) == 0);
    REQUIRE(connect(worker.b, worker.a->qp_num) == 0);
    worker.from = std::make_unique<Buffer>(lab.pd(), 4'096);
    worker.to = std::make_unique<Buffer>(lab.pd(), 4'096 + kGrhBytes);
  }
  return workers;
}

void destroy(std::vector<Worker>& workers) {
  for (Worker& worker : workers) {
    CHECK(ibv_destroy_qp(worker.a) == 0);
    CHECK(ibv_destroy_qp(worker.b) == 0);
    CHECK(ibv_destroy_cq(worker.cq) == 0);
  }
}

/// One message from a to b; true when both completions are good and the bytes are.
bool exchange(Worker& worker, ibv_send_wr wr, std::size_t bytes, std::size_t skip) {
  ibv_sge target = worker.to->sge(0, bytes + skip);
  if (post_recv(worker.b, &target) != 0 || post(worker.a, wr) != 0) return false;
  ibv_wc wc{};
  return wait_success(worker.cq, wc) && wait_success(worker.cq, wc) &&
         std::memcmp(worker.to->data() + skip, worker.from->data(), bytes) == 0;
}

}  // namespace

TEST_CASE("atomics of several threads on one word add up", "[verbs][threads]") {
  Lab lab;
  std::vector<Worker> workers = make_workers(lab, IBV_QPT_RC);
  Buffer shared(lab.pd(), 8);
  const int failures = run_threads([&](std::size_t i) {
    Worker& worker = workers[i];
    ibv_sge sge = worker.from->sge(0, 8);
    for (int round = 0; round < kRounds; ++round) {
      ibv_send_wr wr = rdma_wr(IBV_WR_ATOMIC_FETCH_AND_ADD, &sge, shared.addr(), shared.rkey());
      wr.wr.atomic.compare_add = 1;
      ibv_wc wc{};
      if (post(worker.a, wr) != 0 || !wait_success(worker.cq, wc)) return false;
    }
    return true;
  });
  CHECK(failures == 0);
  std::uint64_t total = 0;
  std::memcpy(&total, shared.data(), sizeof(total));
  CHECK(total == std::uint64_t{kThreads} * kRounds);
  destroy(workers);
}

TEST_CASE("UC messages of several threads arrive", "[verbs][threads]") {
  Lab lab;
  std::vector<Worker> workers = make_workers(lab, IBV_QPT_UC);
  const int failures = run_threads([&](std::size_t i) {
    Worker& worker = workers[i];
    ibv_sge sge = worker.from->sge(0, 3'000);
    for (int round = 0; round < kRounds; ++round) {
      worker.from->fill(static_cast<unsigned>(round) + static_cast<unsigned>(i));
      if (!exchange(worker, send_wr(IBV_WR_SEND, &sge), 3'000, 0)) return false;
    }
    return true;
  });
  CHECK(failures == 0);
  destroy(workers);
}

TEST_CASE("UD messages of several threads arrive", "[verbs][threads]") {
  Lab lab;
  std::vector<Worker> workers = make_workers(lab, IBV_QPT_UD);
  ibv_ah* ah = lab.make_ah();
  const int failures = run_threads([&](std::size_t i) {
    Worker& worker = workers[i];
    ibv_sge sge = worker.from->sge(0, 1'000);
    for (int round = 0; round < kRounds; ++round) {
      worker.from->fill(static_cast<unsigned>(round) + static_cast<unsigned>(i));
      ibv_send_wr wr = send_wr(IBV_WR_SEND, &sge);
      wr.wr.ud = {ah, worker.b->qp_num, kQkey};
      if (!exchange(worker, wr, 1'000, kGrhBytes)) return false;
    }
    return true;
  });
  CHECK(failures == 0);
  CHECK(ibv_destroy_ah(ah) == 0);
  destroy(workers);
}

TEST_CASE("inline sends of several threads arrive", "[verbs][threads]") {
  Lab lab;
  std::vector<Worker> workers = make_workers(lab, IBV_QPT_RC);
  const int failures = run_threads([&](std::size_t i) {
    Worker& worker = workers[i];
    ibv_sge sge = worker.from->sge(0, 200);
    for (int round = 0; round < kRounds; ++round) {
      worker.from->fill(static_cast<unsigned>(round) + static_cast<unsigned>(i));
      ibv_send_wr wr = send_wr(IBV_WR_SEND, &sge);
      wr.send_flags |= IBV_SEND_INLINE;
      if (!exchange(worker, wr, 200, 0)) return false;
    }
    return true;
  });
  CHECK(failures == 0);
  destroy(workers);
}

TEST_CASE("several threads share one CQ and one QP: nothing is lost", "[verbs][threads]") {
  Lab lab;
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  Buffer buffer(lab.pd(), 64);
  std::atomic<int> completed{0};
  const int failures = run_threads([&](std::size_t) {
    ibv_sge sge = buffer.sge(0, 8);
    for (int round = 0; round < kRounds; ++round) {
      // Four threads, 64 entries, one request each in flight: never full.
      if (post(pair.a, rdma_wr(IBV_WR_RDMA_WRITE, &sge, buffer.addr(32), buffer.rkey())) != 0) return false;
      ibv_wc wc{};
      if (!wait_success(lab.cq(), wc)) return false;
      ++completed;
    }
    return true;
  });
  CHECK(failures == 0);
  CHECK(completed == kThreads * kRounds);
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
}

TEST_CASE("threads create and destroy everything at the same time", "[verbs][threads]") {
  Lab lab;
  const int failures = run_threads([&](std::size_t) {
    std::uint8_t bytes[128] = {};
    for (int round = 0; round < kRounds / 4; ++round) {
      ibv_pd* pd = ibv_alloc_pd(lab.context());
      ibv_cq* cq = ibv_create_cq(lab.context(), 8, nullptr, nullptr, 0);
      if (pd == nullptr || cq == nullptr) return false;
      ibv_mr* mr = ibv_reg_mr(pd, bytes, sizeof(bytes), kAccessLocal);
      ibv_qp_init_attr init{};
      init.qp_type = IBV_QPT_RC;
      init.send_cq = init.recv_cq = cq;
      init.cap = {4, 4, 1, 1, 0};
      ibv_qp* qp = ibv_create_qp(pd, &init);
      if (mr == nullptr || qp == nullptr) return false;
      if (ibv_destroy_qp(qp) != 0 || ibv_dereg_mr(mr) != 0 || ibv_destroy_cq(cq) != 0 || ibv_dealloc_pd(pd) != 0) {
        return false;
      }
    }
    return true;
  });
  CHECK(failures == 0);
}
