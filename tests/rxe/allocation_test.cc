// No allocation on the data path: this program counts every call of operator new while two engines exchange all kinds
// of messages over a coupling that allocates nothing itself. And what an idle device and an idle QP of a simulation
// take.
#include <malloc.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "tests/rxe/harness/datagram.h"
#include "tests/rxe/harness/direct.h"
#include "tests/rxe/harness/expect.h"

namespace {
bool counting = false;
std::uint64_t allocations = 0;
std::int64_t live_bytes = 0;  ///< of all that is allocated, as the allocator rounds it up

[[gnu::noinline]] void* counted(void* memory) {
  if (memory == nullptr) std::abort();
  live_bytes += static_cast<std::int64_t>(malloc_usable_size(memory));
  return memory;
}
[[gnu::noinline]] void freed(void* memory) {
  live_bytes -= static_cast<std::int64_t>(malloc_usable_size(memory));
  std::free(memory);
}
}  // namespace

void* operator new(std::size_t size) {
  if (counting) ++allocations;
  return counted(std::malloc(size == 0 ? 1 : size));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  if (counting) ++allocations;
  const auto align = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(align, (size + align - 1) / align * align));
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return operator new(size, alignment); }
void operator delete(void* memory) noexcept { freed(memory); }
void operator delete(void* memory, std::size_t) noexcept { freed(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { freed(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { freed(memory); }
void operator delete[](void* memory) noexcept { freed(memory); }
void operator delete[](void* memory, std::size_t) noexcept { freed(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { freed(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { freed(memory); }

namespace rocelab::test {

namespace {

/// What is counted between construction and `count()`.
struct Counted {
  Counted() {
    allocations = 0;
    counting = true;
  }
  std::uint64_t count() {
    counting = false;
    return allocations;
  }
};

class Exchange {
 public:
  explicit Exchange(rxe::CongestionControl control)
      : direct_(options(1, control), options(2, control)),
        rc_(direct_, {}),
        uc_(direct_, of(rxe::QpType::kUc)),
        ud_(direct_, of(rxe::QpType::kUd)) {
    const auto ah = direct_.a.device.create_ah(direct_.a.pd, route_to(2, kGidV2Ipv4));
    REQUIRE((rc_.valid && uc_.valid && ud_.valid && ah));
    ah_ = *ah;
    for (Endpoint* e : {&rc_.a, &rc_.b, &uc_.a, &uc_.b, &ud_.a, &ud_.b}) sge_.push_back(e->sge(0, 8192));
    requests_.push_back(Work::send(1).with(rc_.a.sge(0, 3000)));
    requests_.push_back(Work::write(2, rc_.b.remote(0)).with(rc_.a.sge(0, 64)));
    requests_.push_back(Work::write(3, rc_.b.remote(0)).with(rc_.a.sge(0, 5000)).imm(7));
    requests_.push_back(Work::read(4, rc_.b.remote(0)).with(rc_.a.sge(9000, 5000)));
    requests_.push_back(Work::fetch_add(5, rc_.b.remote(0), 1).with(rc_.a.sge(8, 8)));
    requests_.push_back(Work::compare_swap(6, rc_.b.remote(0), 1, 2).with(rc_.a.sge(16, 8)));
    requests_.push_back(Work::send(7).inlined(this, 100));
    uc_requests_.push_back(Work::send(1).with(uc_.a.sge(0, 3000)));
    uc_requests_.push_back(Work::write(2, uc_.b.remote(0)).with(uc_.a.sge(0, 3000)).imm(1));
    ud_requests_.push_back(Work::send(1).to(ah_, ud_.b.qpn, ud_.b.options.qkey).with(ud_.a.sge(0, 1000)));
    for (auto* list : {&requests_, &uc_requests_, &ud_requests_}) {
      for (Work& work : *list) static_cast<void>(work.request());
    }
  }

  /// One of everything; true when all calls succeeded. Allocates nothing itself.
  bool round() {
    bool fine = true;
    for (int i = 0; i < 3; ++i) fine = fine && receive(rc_.b, sge_[1]);
    for (int i = 0; i < 2; ++i) fine = fine && receive(uc_.b, sge_[3]);
    fine = fine && receive(ud_.b, sge_[5]);
    for (Work& work : requests_) fine = fine && rc_.a.post(work).has_value();
    for (Work& work : uc_requests_) fine = fine && uc_.a.post(work).has_value();
    for (Work& work : ud_requests_) fine = fine && ud_.a.post(work).has_value();
    fine = fine && direct_.a.device.req_notify_cq(rc_.a.send_cq, false).has_value();
    fine = fine && direct_.drive();
    while (direct_.a.device.poll_event()) {
    }
    for (Endpoint* e : {&rc_.a, &rc_.b, &uc_.a, &uc_.b, &ud_.a, &ud_.b}) {
      rxe::Completion batch[16];
      for (const rxe::CqId cq : {e->send_cq, e->recv_cq}) {
        while (const std::size_t n = e->side.device.poll_cq(cq, batch)) completions_ += n;
      }
    }
    return fine;
  }
  void lose_every(std::uint64_t n) { direct_.drop_every = n; }
  std::uint64_t completions() const { return completions_; }

 private:
  static rxe::DeviceOptions options(std::uint64_t seed, rxe::CongestionControl control) {
    rxe::DeviceOptions made = device_options(seed);
    made.congestion_control = control;
    return made;
  }
  static QpOptions of(rxe::QpType type) {
    QpOptions made;
    made.type = type;
    return made;
  }
  static bool receive(Endpoint& e, const rxe::Sge& sge) {
    const auto posted = e.recv(1, std::span(&sge, 1));
    return posted.has_value() || posted.error().code == ENOMEM;  // UC and UD lose messages, not receives
  }

  Direct direct_;
  DirectConnection rc_, uc_, ud_;
  rxe::AhId ah_{};
  std::vector<rxe::Sge> sge_;
  std::vector<Work> requests_, uc_requests_, ud_requests_;
  std::uint64_t completions_ = 0;
};

}  // namespace

TEST_CASE("allocation: the counter counts", "[rxe][allocation]") {
  Counted counted;
  std::unique_ptr<int> one(new int(1));
  std::vector<int> two(100);
  CHECK(counted.count() == 2);
  CHECK(*one + two[5] == 1);
}

TEST_CASE("allocation: after warm-up posting, transmitting, receiving and polling allocate nothing",
          "[rxe][allocation]") {
  for (const auto control : {rxe::CongestionControl::kNone, rxe::CongestionControl::kDcqcn}) {
    Exchange exchange(control);
    for (int i = 0; i < 5; ++i) REQUIRE(exchange.round());
    bool fine = true;
    Counted counted;
    for (int i = 0; i < 200; ++i) fine = fine && exchange.round();
    CHECK(counted.count() == 0);
    CHECK(fine);
    CHECK(exchange.completions() >= 200 * 15);
  }
}

TEST_CASE("allocation: losses, NAKs, retries and replays allocate nothing either", "[rxe][allocation]") {
  Exchange exchange(rxe::CongestionControl::kNone);
  exchange.lose_every(17);
  for (int i = 0; i < 5; ++i) REQUIRE(exchange.round());
  bool fine = true;
  Counted counted;
  for (int i = 0; i < 200; ++i) fine = fine && exchange.round();
  CHECK(counted.count() == 0);
  CHECK(fine);
}

namespace {

/// As a simulated host makes its device.
rxe::DeviceOptions small_options() {
  rxe::DeviceOptions options = device_options(1);
  options.queues_grow = true;
  options.limits.max_sge = options.limits.max_srq_sge = 4;
  return options;
}

}  // namespace

TEST_CASE("memory: an idle device of a simulation takes at most 4 KiB", "[rxe][allocation]") {
  const std::int64_t before = live_bytes;
  const auto device = std::make_unique<rxe::Device>(small_options());
  rxe::GidEntry entry;
  entry.gid = gid_of(1, kGidV2Ipv4);
  entry.valid = true;
  REQUIRE(device->set_gid(0, entry));
  const auto pd = device->alloc_pd();
  REQUIRE(pd);
  REQUIRE(device->create_cq(1 << 16, nullptr));
  REQUIRE(device->reg_mr({*pd, nullptr, 1ull << 40, 0, rxe::access::kLocalWrite | rxe::access::kRemoteWrite}));
  INFO(live_bytes - before << " bytes");
  CHECK(live_bytes - before <= 4096);
}

TEST_CASE("memory: an idle connected QP takes at most 2 KiB, whatever its queues could hold", "[rxe][allocation]") {
  for (const auto control :
       {rxe::CongestionControl::kNone, rxe::CongestionControl::kDcqcn, rxe::CongestionControl::kHpcc,
        rxe::CongestionControl::kTimely, rxe::CongestionControl::kSwift}) {
    rxe::DeviceOptions options = small_options();
    options.congestion_control = control;
    options.loss_recovery = rxe::LossRecovery::kSelectiveRepeat;  // the larger of the two
    options.entropy = rxe::Entropy::kRecycled;
    Side side(1, options);
    const auto cq = side.device.create_cq(1 << 16, nullptr);
    REQUIRE(cq);
    constexpr int kQps = 256;
    const std::int64_t before = live_bytes;
    for (int i = 0; i < kQps; ++i) {
      rxe::QpInit init;
      init.pd = side.pd;
      init.send_cq = init.recv_cq = *cq;
      init.cap = {.max_send_wr = 1024, .max_recv_wr = 1024, .max_send_sge = 1, .max_recv_sge = 1, .max_inline_data = 0};
      const auto qpn = side.device.create_qp(init);
      REQUIRE(qpn);
      rxe::QpAttr attr;
      attr.state = rxe::QpState::kInit;
      namespace mask = rxe::qp_attr;
      REQUIRE(side.device.modify_qp(side.now, *qpn, attr,
                                    mask::kState | mask::kPkeyIndex | mask::kPort | mask::kAccessFlags));
      attr.state = rxe::QpState::kRtr;
      attr.av = route_to(2, kGidV2Ipv4);
      attr.max_dest_rd_atomic = 16;
      REQUIRE(side.device.modify_qp(side.now, *qpn, attr,
                                    mask::kState | mask::kAv | mask::kPathMtu | mask::kDestQpn | mask::kRqPsn |
                                        mask::kMaxDestRdAtomic | mask::kMinRnrTimer));
      attr.state = rxe::QpState::kRts;
      attr.max_rd_atomic = 16;
      REQUIRE(side.device.modify_qp(
          side.now, *qpn, attr,
          mask::kState | mask::kSqPsn | mask::kTimeout | mask::kRetryCnt | mask::kRnrRetry | mask::kMaxQpRdAtomic));
    }
    const std::int64_t each = (live_bytes - before) / kQps;
    INFO(each << " bytes a QP, congestion control " << static_cast<int>(control));
    CHECK(each <= 2048);
    CHECK(each >= 256);  // it was counted at all
  }
}

}  // namespace rocelab::test
