// Parent domains with allocators: the library asks them for the memory of queues' objects and gives it back.
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

namespace {

/// What the allocator was asked for.
struct Heap {
  enum class Answer { kMemory, kDefault, kNothing, kMisaligned } answer = Answer::kMemory;
  ibv_pd* domain = nullptr;
  std::map<void*, std::uint64_t> live;  ///< block -> resource type
  unsigned asked = 0;
  unsigned freed = 0;
};

void* allocate(ibv_pd* domain, void* context, std::size_t size, std::size_t alignment, std::uint64_t type) {
  Heap& heap = *static_cast<Heap*>(context);
  ++heap.asked;
  CHECK((heap.domain == nullptr || domain == heap.domain));
  if (heap.answer == Heap::Answer::kDefault) return IBV_ALLOCATOR_USE_DEFAULT;
  if (heap.answer == Heap::Answer::kNothing) return nullptr;
  void* block = nullptr;
  REQUIRE(posix_memalign(&block, alignment < sizeof(void*) ? sizeof(void*) : alignment, size + 1) == 0);
  std::memset(block, 0xa5, size);
  if (heap.answer == Heap::Answer::kMisaligned) block = static_cast<char*>(block) + 1;
  heap.live[block] = type;
  return block;
}

void release(ibv_pd*, void* context, void* block, std::uint64_t type) {
  Heap& heap = *static_cast<Heap*>(context);
  ++heap.freed;
  REQUIRE(heap.live.count(block) == 1);
  CHECK(heap.live[block] == type);
  heap.live.erase(block);
  std::free(heap.answer == Heap::Answer::kMisaligned ? static_cast<char*>(block) - 1 : block);
}

ibv_pd* make_domain(Lab& lab, Heap& heap) {
  ibv_parent_domain_init_attr attr{};
  attr.pd = lab.pd();
  attr.comp_mask = IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS | IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT;
  attr.alloc = allocate;
  attr.free = release;
  attr.pd_context = &heap;
  ibv_pd* domain = ibv_alloc_parent_domain(lab.context(), &attr);
  REQUIRE(domain != nullptr);
  return heap.domain = domain;
}

ibv_cq* make_cq(Lab& lab, ibv_pd* domain) {
  ibv_cq_init_attr_ex attr{};
  attr.cqe = 16;
  attr.comp_mask = IBV_CQ_INIT_ATTR_MASK_PD;
  attr.parent_domain = domain;
  ibv_cq_ex* cq = ibv_create_cq_ex(lab.context(), &attr);
  return cq != nullptr ? ibv_cq_ex_to_cq(cq) : nullptr;
}

ibv_qp* make_qp(ibv_pd* pd, ibv_cq* cq, ibv_srq* srq = nullptr) {
  ibv_qp_init_attr attr{};
  attr.send_cq = attr.recv_cq = cq;
  attr.srq = srq;
  attr.qp_type = IBV_QPT_RC;
  attr.cap = {8, 8, 1, 1, 0};
  return ibv_create_qp(pd, &attr);
}

}  // namespace

TEST_CASE("a domain's allocator holds its QPs, CQs and SRQs, which work as others do", "[verbs][pd]") {
  Lab lab;
  Heap heap;
  ibv_pd* domain = make_domain(lab, heap);
  ibv_cq* cq = make_cq(lab, domain);
  REQUIRE(cq != nullptr);
  ibv_srq_init_attr srq_attr{};
  srq_attr.attr = {8, 1, 0};
  ibv_srq* srq = ibv_create_srq(domain, &srq_attr);
  REQUIRE(srq != nullptr);
  ibv_qp* a = make_qp(domain, cq);
  ibv_qp* b = make_qp(domain, cq, srq);
  REQUIRE(a != nullptr);
  REQUIRE(b != nullptr);
  CHECK(heap.live.count(cq) == 1);
  CHECK(heap.live.count(srq) == 1);
  CHECK(heap.live.count(a) == 1);
  CHECK(heap.live.count(b) == 1);
  CHECK(heap.live[a] == 1);
  CHECK(heap.live[cq] == 2);
  CHECK(heap.live[srq] == 3);

  REQUIRE(connect(a, b->qp_num) == 0);
  REQUIRE(connect(b, a->qp_num) == 0);
  {
    Buffer buffer(domain, 128);
    buffer.fill(2);
    ibv_sge in = buffer.sge(64, 64), out = buffer.sge(0, 64);
    ibv_recv_wr receive{};
    receive.sg_list = &in;
    receive.num_sge = 1;
    ibv_recv_wr* bad = nullptr;
    REQUIRE(ibv_post_srq_recv(srq, &receive, &bad) == 0);
    REQUIRE(post(a, send_wr(IBV_WR_SEND, &out)) == 0);
    lab.wait_success(cq);
    lab.wait_success(cq);
    CHECK(std::memcmp(buffer.data(), buffer.data() + 64, 64) == 0);
  }

  CHECK(ibv_dealloc_pd(domain) == EBUSY);
  CHECK(ibv_destroy_qp(a) == 0);
  CHECK(ibv_destroy_qp(b) == 0);
  CHECK(ibv_destroy_srq(srq) == 0);
  CHECK(ibv_destroy_cq(cq) == 0);
  CHECK(heap.live.empty());
  CHECK(heap.freed == 4);
  CHECK(ibv_dealloc_pd(domain) == 0);
}

TEST_CASE("an allocator may leave it to the library, have nothing, or be wrong", "[verbs][pd]") {
  Lab lab;
  Heap heap;
  ibv_pd* domain = make_domain(lab, heap);
  heap.answer = Heap::Answer::kDefault;
  ibv_qp* qp = make_qp(domain, lab.cq());
  REQUIRE(qp != nullptr);
  CHECK(heap.asked == 1);
  CHECK(ibv_destroy_qp(qp) == 0);
  CHECK(heap.freed == 0);
  heap.answer = Heap::Answer::kNothing;
  errno = 0;
  CHECK(make_qp(domain, lab.cq()) == nullptr);
  CHECK(errno == ENOMEM);
  CHECK(make_cq(lab, domain) == nullptr);
  heap.answer = Heap::Answer::kMisaligned;
  errno = 0;
  CHECK(make_qp(domain, lab.cq()) == nullptr);
  CHECK(errno == EINVAL);
  CHECK(heap.live.empty());
  // A QP that is refused for another reason gives its memory back.
  heap.answer = Heap::Answer::kMemory;
  ibv_qp_init_attr attr{};
  attr.send_cq = attr.recv_cq = lab.cq();
  attr.qp_type = IBV_QPT_RC;
  attr.cap.max_send_wr = ~0u;
  CHECK(ibv_create_qp(domain, &attr) == nullptr);
  CHECK(heap.live.empty());
  CHECK(ibv_dealloc_pd(domain) == 0);
}

TEST_CASE("closing a context gives an allocator everything back", "[verbs][pd]") {
  Lab lab;
  ibv_context* context = ibv_open_device(lab.context()->device);
  REQUIRE(context != nullptr);
  Heap heap;
  ibv_parent_domain_init_attr attr{};
  attr.pd = ibv_alloc_pd(context);
  REQUIRE(attr.pd != nullptr);
  attr.comp_mask = IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS | IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT;
  attr.alloc = allocate;
  attr.free = release;
  attr.pd_context = &heap;
  ibv_pd* domain = ibv_alloc_parent_domain(context, &attr);
  REQUIRE(domain != nullptr);
  ibv_cq* cq = ibv_create_cq(context, 8, nullptr, nullptr, 0);
  REQUIRE(make_qp(domain, cq) != nullptr);
  CHECK(heap.live.size() == 1);
  CHECK(ibv_close_device(context) == 0);
  CHECK(heap.live.empty());
}

TEST_CASE("half an allocator, and a CQ in a domain that is no parent, are refused", "[verbs][pd]") {
  Lab lab;
  ibv_parent_domain_init_attr attr{};
  attr.pd = lab.pd();
  attr.comp_mask = IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS;
  attr.alloc = allocate;
  CHECK(ibv_alloc_parent_domain(lab.context(), &attr) == nullptr);
  CHECK(errno == EINVAL);
  CHECK(make_cq(lab, lab.pd()) == nullptr);
  CHECK(errno == EINVAL);
}
