// Regions on demand: memory that comes and goes behind them, the whole address space, advice; and the null region.
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <thread>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

namespace {

constexpr std::size_t kPage = 4096;
constexpr unsigned int kOnDemand = static_cast<unsigned int>(kAccessAll) | IBV_ACCESS_ON_DEMAND;

bool offered(Lab& lab) {
  ibv_device_attr_ex attr{};
  REQUIRE(ibv_query_device_ex(lab.context(), nullptr, &attr) == 0);
  if ((attr.odp_caps.general_caps & IBV_ODP_SUPPORT) != 0) return true;
  CHECK(ibv_reg_mr_iova2(lab.pd(), nullptr, SIZE_MAX, 0, kOnDemand) == nullptr);
  CHECK(errno == EOPNOTSUPP);
  return false;
}

/// Pages with a region on demand over them, at their own address.
class Pages {
 public:
  explicit Pages(ibv_pd* pd, std::size_t count = 4) : size_(count * kPage) {
    bytes_ =
        static_cast<std::uint8_t*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(bytes_ != MAP_FAILED);
    mr_ = ibv_reg_mr_iova2(pd, bytes_, size_, addr(), kOnDemand);
    REQUIRE(mr_ != nullptr);
  }
  ~Pages() {
    CHECK(ibv_dereg_mr(mr_) == 0);
    munmap(bytes_, size_);
  }
  void unmap(std::size_t page) { REQUIRE(munmap(bytes_ + page * kPage, kPage) == 0); }
  void map(std::size_t page) {
    REQUIRE(mmap(bytes_ + page * kPage, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                 0) != MAP_FAILED);
  }
  std::uint8_t* at(std::size_t offset) { return bytes_ + offset; }
  std::uint64_t addr(std::size_t offset = 0) const { return reinterpret_cast<std::uintptr_t>(bytes_ + offset); }
  ibv_sge sge(std::size_t offset, std::size_t length) const {
    return {addr(offset), static_cast<std::uint32_t>(length), mr_->lkey};
  }
  ibv_mr* mr() { return mr_; }

 private:
  std::uint8_t* bytes_;
  std::size_t size_;
  ibv_mr* mr_;
};

/// A connected pair that is destroyed in the end.
struct Link {
  explicit Link(Lab& lab) : pair(lab.make_pair(IBV_QPT_RC)) {}
  ~Link() {
    CHECK(ibv_destroy_qp(pair.a) == 0);
    CHECK(ibv_destroy_qp(pair.b) == 0);
  }
  Lab::Pair pair;
};

ibv_wc_status run(Lab& lab, ibv_wr_opcode opcode, ibv_sge local, std::uint64_t remote, std::uint32_t rkey) {
  Link link(lab);
  ibv_send_wr wr = rdma_wr(opcode, &local, remote, rkey);
  if (opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
    wr.wr.atomic.remote_addr = remote;
    wr.wr.atomic.rkey = rkey;
    wr.wr.atomic.compare_add = 5;
  }
  REQUIRE(post(link.pair.a, wr) == 0);
  return lab.wait().status;
}

}  // namespace

TEST_CASE("on demand: every kind of access moves the bytes, as with pinned memory", "[verbs][odp]") {
  Lab lab;
  if (!offered(lab)) return;
  Pages from(lab.pd()), to(lab.pd());
  const std::size_t length = 3 * kPage - 100;
  for (std::size_t i = 0; i < length; ++i) *from.at(i + 50) = static_cast<std::uint8_t>(i * 7);

  CHECK(run(lab, IBV_WR_RDMA_WRITE, from.sge(50, length), to.addr(20), to.mr()->rkey) == IBV_WC_SUCCESS);
  CHECK(std::memcmp(to.at(20), from.at(50), length) == 0);
  std::memset(to.at(0), 0, 4 * kPage);
  CHECK(run(lab, IBV_WR_RDMA_READ, to.sge(1, length), from.addr(50), from.mr()->rkey) == IBV_WC_SUCCESS);
  CHECK(std::memcmp(to.at(1), from.at(50), length) == 0);

  const std::uint64_t before = 37;
  std::memcpy(to.at(64), &before, sizeof before);
  CHECK(run(lab, IBV_WR_ATOMIC_FETCH_AND_ADD, from.sge(0, 8), to.addr(64), to.mr()->rkey) == IBV_WC_SUCCESS);
  std::uint64_t found = 0, after = 0;
  std::memcpy(&found, from.at(0), sizeof found);
  std::memcpy(&after, to.at(64), sizeof after);
  CHECK(found == 37);
  CHECK(after == 42);

  Link link(lab);
  ibv_sge receive = to.sge(300, length);
  ibv_sge pieces[2] = {from.sge(50, 1000), from.sge(1050, length - 1000)};
  REQUIRE(post_recv(link.pair.b, &receive) == 0);
  ibv_send_wr wr = send_wr(IBV_WR_SEND, pieces);
  wr.num_sge = 2;
  REQUIRE(post(link.pair.a, wr) == 0);
  lab.wait_success();
  lab.wait_success();
  CHECK(std::memcmp(to.at(300), from.at(50), length) == 0);
}

TEST_CASE("on demand: memory that is not there is an error of the request, and no more", "[verbs][odp]") {
  Lab lab;
  if (!offered(lab)) return;
  Pages gone(lab.pd());
  Buffer there(lab.pd(), 4 * kPage);
  gone.unmap(1);

  CHECK(run(lab, IBV_WR_RDMA_WRITE, gone.sge(0, 2 * kPage), there.addr(), there.rkey()) == IBV_WC_LOC_PROT_ERR);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, there.sge(0, 2 * kPage), gone.addr(), gone.mr()->rkey) == IBV_WC_REM_ACCESS_ERR);
  CHECK(run(lab, IBV_WR_RDMA_READ, there.sge(0, 8), gone.addr(kPage), gone.mr()->rkey) == IBV_WC_REM_ACCESS_ERR);
  CHECK(run(lab, IBV_WR_RDMA_READ, there.sge(0, 2 * kPage), gone.addr(), gone.mr()->rkey) == IBV_WC_REM_ACCESS_ERR);
  CHECK(run(lab, IBV_WR_RDMA_READ, gone.sge(kPage, 8), there.addr(), there.rkey()) == IBV_WC_LOC_PROT_ERR);
  CHECK(run(lab, IBV_WR_ATOMIC_FETCH_AND_ADD, there.sge(0, 8), gone.addr(kPage), gone.mr()->rkey) ==
        IBV_WC_REM_ACCESS_ERR);
  CHECK(run(lab, IBV_WR_ATOMIC_FETCH_AND_ADD, gone.sge(kPage, 8), there.addr(), there.rkey()) == IBV_WC_LOC_PROT_ERR);

  {
    Link link(lab);
    ibv_sge receive = gone.sge(kPage, kPage), message = there.sge(0, 64);
    REQUIRE(post_recv(link.pair.b, &receive, 7) == 0);
    REQUIRE(post(link.pair.a, send_wr(IBV_WR_SEND, &message)) == 0);
    for (int i = 0; i < 2; ++i) {
      const ibv_wc wc = lab.wait();
      CHECK(wc.status == (wc.wr_id == 7 ? IBV_WC_LOC_PROT_ERR : IBV_WC_REM_OP_ERR));
    }
  }

  // The same region serves again once there is memory.
  gone.map(1);
  there.fill(3);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, there.sge(0, 4 * kPage), gone.addr(), gone.mr()->rkey) == IBV_WC_SUCCESS);
  CHECK(std::memcmp(gone.at(0), there.data(), 4 * kPage) == 0);
  REQUIRE(mprotect(gone.at(0), kPage, PROT_READ) == 0);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, there.sge(0, 8), gone.addr(), gone.mr()->rkey) == IBV_WC_REM_ACCESS_ERR);
  CHECK(run(lab, IBV_WR_RDMA_READ, there.sge(0, 8), gone.addr(), gone.mr()->rkey) == IBV_WC_SUCCESS);
}

TEST_CASE("on demand: datagrams come from and go to such memory, or fail", "[verbs][odp]") {
  Lab lab;
  if (!offered(lab)) return;
  Pages pages(lab.pd());
  ibv_qp* qp = lab.make_ud();
  ibv_ah* ah = lab.make_ah();
  std::memset(pages.at(0), 0x5a, 200);
  const auto exchange = [&](ibv_sge message) {
    ibv_send_wr wr = send_wr(IBV_WR_SEND, &message);
    wr.wr.ud.ah = ah;
    wr.wr.ud.remote_qpn = qp->qp_num;
    wr.wr.ud.remote_qkey = kQkey;
    REQUIRE(post(qp, wr) == 0);
  };
  ibv_sge receive = pages.sge(kPage, 200 + kGrhBytes);
  REQUIRE(post_recv(qp, &receive) == 0);
  exchange(pages.sge(0, 200));
  lab.wait_success();
  lab.wait_success();
  CHECK(std::memcmp(pages.at(kPage + kGrhBytes), pages.at(0), 200) == 0);
  pages.unmap(2);
  exchange(pages.sge(2 * kPage, 8));
  CHECK(lab.wait().status == IBV_WC_LOC_PROT_ERR);
  CHECK(ibv_destroy_qp(qp) == 0);
  CHECK(ibv_destroy_ah(ah) == 0);
}

TEST_CASE("on demand: memory that is mapped and unmapped all the time never ends the process",
          "[verbs][odp][threads]") {
  Lab lab;
  if (!offered(lab)) return;
  Pages pages(lab.pd());
  Buffer there(lab.pd(), 4 * kPage);
  std::atomic<bool> stop{false};
  std::thread mapper([&] {
    while (!stop) {
      munmap(pages.at(kPage), kPage);
      mmap(pages.at(kPage), kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
  });
  for (int i = 0; i < 40; ++i) {
    const ibv_wc_status out = run(lab, IBV_WR_RDMA_WRITE, pages.sge(0, 3 * kPage), there.addr(), there.rkey());
    CHECK((out == IBV_WC_SUCCESS || out == IBV_WC_LOC_PROT_ERR));
    const ibv_wc_status in = run(lab, IBV_WR_RDMA_WRITE, there.sge(0, 3 * kPage), pages.addr(), pages.mr()->rkey);
    CHECK((in == IBV_WC_SUCCESS || in == IBV_WC_REM_ACCESS_ERR));
    const ibv_wc_status read = run(lab, IBV_WR_RDMA_READ, there.sge(0, 3 * kPage), pages.addr(), pages.mr()->rkey);
    CHECK((read == IBV_WC_SUCCESS || read == IBV_WC_REM_ACCESS_ERR));
    const ibv_wc_status add =
        run(lab, IBV_WR_ATOMIC_FETCH_AND_ADD, there.sge(0, 8), pages.addr(kPage), pages.mr()->rkey);
    CHECK((add == IBV_WC_SUCCESS || add == IBV_WC_REM_ACCESS_ERR));
  }
  stop = true;
  mapper.join();
  pages.map(1);
}

TEST_CASE("on demand: one region for the whole address space", "[verbs][odp]") {
  Lab lab;
  if (!offered(lab)) return;
  CHECK(ibv_reg_mr_iova2(lab.pd(), nullptr, SIZE_MAX, 4096, kOnDemand) == nullptr);
  ibv_mr* mr = ibv_reg_mr(lab.pd(), nullptr, SIZE_MAX, static_cast<int>(kOnDemand));
  REQUIRE(mr != nullptr);
  std::uint8_t local[64], remote[64] = {};
  std::memset(local, 0x42, sizeof local);
  const ibv_sge sge{reinterpret_cast<std::uintptr_t>(local), sizeof local, mr->lkey};
  CHECK(run(lab, IBV_WR_RDMA_WRITE, sge, reinterpret_cast<std::uintptr_t>(remote), mr->rkey) == IBV_WC_SUCCESS);
  CHECK(std::memcmp(local, remote, sizeof local) == 0);
  for (const std::uint64_t nothing :
       {std::uint64_t{0}, std::uint64_t{8192}, std::uint64_t{0x7fff'ffff'f000}, std::uint64_t{1} << 62,
        std::uint64_t{1} << 63, ~std::uint64_t{0} - 7, std::uint64_t{0xffff'ffff'ff60'0000}}) {
    CHECK(run(lab, IBV_WR_RDMA_READ, sge, nothing, mr->rkey) == IBV_WC_REM_ACCESS_ERR);
    CHECK(run(lab, IBV_WR_RDMA_WRITE, {nothing, 8, mr->lkey}, reinterpret_cast<std::uintptr_t>(remote), mr->rkey) ==
          IBV_WC_LOC_PROT_ERR);
  }
  CHECK(ibv_dereg_mr(mr) == 0);
}

TEST_CASE("on demand: re-registration goes there and back", "[verbs][odp]") {
  Lab lab;
  if (!offered(lab)) return;
  Pages pages(lab.pd());
  Buffer there(lab.pd(), 64);
  pages.unmap(3);
  // Pinned, all of it must be there.
  CHECK(ibv_rereg_mr(pages.mr(), IBV_REREG_MR_CHANGE_ACCESS, nullptr, nullptr, 0, kAccessAll) ==
        IBV_REREG_MR_ERR_INPUT);
  CHECK(errno == EFAULT);
  pages.map(3);
  REQUIRE(ibv_rereg_mr(pages.mr(), IBV_REREG_MR_CHANGE_ACCESS, nullptr, nullptr, 0, kAccessAll) == 0);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, pages.sge(0, 64), there.addr(), there.rkey()) == IBV_WC_SUCCESS);
  REQUIRE(ibv_rereg_mr(pages.mr(), IBV_REREG_MR_CHANGE_ACCESS, nullptr, nullptr, 0, static_cast<int>(kOnDemand)) == 0);
  pages.unmap(3);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, pages.sge(0, 64), there.addr(), there.rkey()) == IBV_WC_SUCCESS);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, pages.sge(3 * kPage, 64), there.addr(), there.rkey()) == IBV_WC_LOC_PROT_ERR);
}

TEST_CASE("on demand: a memory window on such a region sees the same errors", "[verbs][odp]") {
  Lab lab;
  if (!offered(lab)) return;
  Pages pages(lab.pd());
  Buffer there(lab.pd(), 64);
  Link link(lab);
  ibv_mw* mw = ibv_alloc_mw(lab.pd(), IBV_MW_TYPE_1);
  REQUIRE(mw != nullptr);
  ibv_mw_bind bind{};
  bind.wr_id = 9;
  bind.send_flags = IBV_SEND_SIGNALED;
  bind.bind_info = {pages.mr(), pages.addr(), 4 * kPage, IBV_ACCESS_REMOTE_WRITE};
  REQUIRE(ibv_bind_mw(link.pair.b, mw, &bind) == 0);
  lab.wait_success();
  pages.unmap(2);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, there.sge(0, 64), pages.addr(), mw->rkey) == IBV_WC_SUCCESS);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, there.sge(0, 64), pages.addr(2 * kPage), mw->rkey) == IBV_WC_REM_ACCESS_ERR);
  CHECK(ibv_dealloc_mw(mw) == 0);
}

TEST_CASE("on demand: advice brings pages in, and says what can't be", "[verbs][odp]") {
  Lab lab;
  if (!offered(lab)) return;
  Pages pages(lab.pd());
  Buffer pinned(lab.pd(), 64);
  const auto advise = [&](ibv_advise_mr_advice advice, ibv_sge range, std::uint32_t flags = IBV_ADVISE_MR_FLAG_FLUSH) {
    return ibv_advise_mr(lab.pd(), advice, flags, &range, 1);
  };
  unsigned char present[4] = {};
  CHECK(advise(IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT, pages.sge(0, 4 * kPage)) == 0);
  REQUIRE(mincore(pages.at(0), 4 * kPage, present) == 0);
  CHECK(advise(IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE, pages.sge(kPage, 2 * kPage)) == 0);
  REQUIRE(mincore(pages.at(0), 4 * kPage, present) == 0);
  CHECK((present[1] & 1) == 1);
  CHECK((present[2] & 1) == 1);
  CHECK(advise(IBV_ADVISE_MR_ADVICE_PREFETCH, pages.sge(0, kPage), 0) == 0);

  CHECK(advise(IBV_ADVISE_MR_ADVICE_PREFETCH, {0, 8, 0xdead'be00}) == ENOENT);
  CHECK(advise(IBV_ADVISE_MR_ADVICE_PREFETCH, pinned.sge(0, 8)) == EINVAL);
  CHECK(advise(IBV_ADVISE_MR_ADVICE_PREFETCH, pages.sge(kPage, 4 * kPage)) == EFAULT);
  CHECK(advise(IBV_ADVISE_MR_ADVICE_PREFETCH, pages.sge(0, 8), 2) == EINVAL);
  CHECK(advise(static_cast<ibv_advise_mr_advice>(3), pages.sge(0, 8)) == EOPNOTSUPP);
  CHECK(ibv_advise_mr(lab.pd(), IBV_ADVISE_MR_ADVICE_PREFETCH, 0, nullptr, 0) == EINVAL);
  pages.unmap(1);
  CHECK(advise(IBV_ADVISE_MR_ADVICE_PREFETCH, pages.sge(0, 2 * kPage)) == EFAULT);
  CHECK(advise(IBV_ADVISE_MR_ADVICE_PREFETCH, pages.sge(0, 2 * kPage), 0) == 0);
}

TEST_CASE("the null region reads as zeros, swallows what is written, and is nobody's from outside", "[verbs]") {
  Lab lab;
  ibv_mr* null = ibv_alloc_null_mr(lab.pd());
  REQUIRE(null != nullptr);
  Buffer there(lab.pd(), 3 * kPage);
  there.fill(5);
  ibv_sge anything{0x1234'5678, 64, null->lkey};
  CHECK(run(lab, IBV_WR_RDMA_WRITE, anything, there.addr(8), there.rkey()) == IBV_WC_SUCCESS);
  for (std::size_t i = 0; i < 64; ++i) CHECK(there[8 + i] == 0);
  anything.length = 2 * kPage;
  CHECK(run(lab, IBV_WR_RDMA_READ, anything, there.addr(), there.rkey()) == IBV_WC_SUCCESS);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, there.sge(0, 8), 0x1234, null->rkey) == IBV_WC_REM_ACCESS_ERR);

  // The usual use: the part of a message that nobody wants.
  Link link(lab);
  there.fill(6);
  std::uint8_t wanted[100] = {};
  ibv_mr* mr = ibv_reg_mr(lab.pd(), wanted, sizeof wanted, kAccessLocal);
  REQUIRE(mr != nullptr);
  ibv_sge parts[2] = {{0, 1000, null->lkey}, {reinterpret_cast<std::uintptr_t>(wanted), 100, mr->lkey}};
  ibv_recv_wr receive{};
  receive.sg_list = parts;
  receive.num_sge = 2;
  ibv_recv_wr* bad = nullptr;
  REQUIRE(ibv_post_recv(link.pair.b, &receive, &bad) == 0);
  ibv_sge message = there.sge(0, 1100);
  REQUIRE(post(link.pair.a, send_wr(IBV_WR_SEND, &message)) == 0);
  lab.wait_success();
  lab.wait_success();
  CHECK(std::memcmp(wanted, there.data() + 1000, 100) == 0);

  CHECK(ibv_rereg_mr(null, IBV_REREG_MR_CHANGE_ACCESS, nullptr, nullptr, 0, kAccessAll) == IBV_REREG_MR_ERR_INPUT);
  CHECK(ibv_dereg_mr(mr) == 0);
  CHECK(ibv_dereg_mr(null) == 0);
}
