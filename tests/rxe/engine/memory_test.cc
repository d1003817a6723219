// Memory regions and windows in use by traffic: rereg, dereg, windows of both types, fast registration, invalidation.
#include <cerrno>
#include <vector>

#include "rxe/vendor_error.h"
#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::MwType;
using rxe::QpState;
using rxe::VendorError;
using rxe::WcOpcode;
using rxe::WcStatus;

namespace {

struct Fixture {
  Pair pair;
  Connection c;
  Fixture() : c(pair) {
    REQUIRE(c.valid);
    c.a.memory.fill(1);
    c.b.memory.clear();
  }
  rxe::Device& b() { return pair.b.device; }
  void write_ok(Remote remote, std::uint64_t id = 50) {
    REQUIRE(c.a.post(Work::write(id, remote).with(c.a.sge(0, 8))));
    settle(pair);
    expect_sent(c.a, id);
  }
  void write_refused(Remote remote, std::uint64_t id = 60) {
    REQUIRE(c.a.post(Work::write(id, remote).with(c.a.sge(0, 8))));
    settle(pair);
    expect_sent(c.a, id, WcStatus::kRemAccessErr);
  }
  /// b binds [offset, offset + length) of its buffer to the window and returns its rkey.
  std::uint32_t bind(rxe::MwInfo mw, std::size_t offset, std::size_t length, std::uint32_t rights) {
    const auto key = b().next_mw_rkey(mw.id);
    REQUIRE(key.has_value());
    const rxe::SendRequest::Bind request{.mw = mw.id,
                                         .mr = c.b.memory.mr().id,
                                         .rkey = *key,
                                         .addr = c.b.memory.iova() + offset,
                                         .length = length,
                                         .access = rights};
    REQUIRE(c.b.post(Work::bind(70, request)));
    settle(pair);
    CHECK(expect_sent(c.b, 70).opcode == WcOpcode::kBindMw);
    return *key;
  }
};

constexpr std::uint32_t kWrite = rxe::access::kRemoteWrite;

}  // namespace

TEST_CASE("memory: a zero-based region is addressed from 0", "[rxe][mr]") {
  Fixture f;
  Region zero(f.b(), f.pair.b.pd, 64, kAllAccess | rxe::access::kZeroBased, 0);
  zero.clear();
  f.write_ok({16, zero.mr().rkey});
  CHECK(zero.holds(16, 8, 1, 0));
  CHECK(zero.zero(0, 16));
}

TEST_CASE("memory: relaxed ordering is accepted and changes nothing", "[rxe][mr]") {
  Fixture f;
  Region relaxed(f.b(), f.pair.b.pd, 64, kAllAccess | rxe::access::kRelaxedOrdering);
  f.write_ok(relaxed.remote(0));
  CHECK(relaxed.holds(0, 8, 1, 0));
}

TEST_CASE("memory: a deregistered region is out of reach at once", "[rxe][mr]") {
  Fixture f;
  f.write_ok(f.c.b.remote(0));
  f.c.b.memory.clear();
  REQUIRE(f.b().dereg_mr(f.c.b.memory.mr().id));
  f.write_refused(f.c.b.remote(0));
  CHECK(f.c.b.memory.zero(0, 64));
}

TEST_CASE("memory: deregistering in mid-message stops the rest of it", "[rxe][mr]") {
  Fixture f;
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 60'000))));
  REQUIRE(f.pair.drive_until([&] { return f.pair.count_sent('a', wire::Opcode::kRcRdmaWriteMiddle) >= 3; }));
  REQUIRE(f.b().dereg_mr(f.c.b.memory.mr().id));
  f.c.b.memory.clear();
  settle(f.pair);
  expect_sent(f.c.a, 1, WcStatus::kRemAccessErr);
  CHECK(f.c.b.memory.zero(0, f.c.b.memory.size()));
}

TEST_CASE("memory: local memory deregistered before its packets leave is a local protection error", "[rxe][mr]") {
  Fixture f;
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 60'000))));
  f.pair.a.transmit(2);
  REQUIRE(f.pair.a.device.dereg_mr(f.c.a.memory.mr().id));
  settle(f.pair);
  expect_sent(f.c.a, 1, WcStatus::kLocProtErr);
  CHECK(f.c.a.state() == QpState::kErr);
}

TEST_CASE("memory: a READ's answer for memory that is gone is not written anywhere", "[rxe][mr][read]") {
  Fixture f;
  f.c.a.memory.clear();
  f.pair.b_to_a.delay_if([](const wire::Packet&) { return true; }, base::Duration::us(50));
  REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 64))));
  f.pair.advance(base::Duration::us(20));
  REQUIRE(f.pair.a.device.dereg_mr(f.c.a.memory.mr().id));
  settle(f.pair);
  expect_sent(f.c.a, 1, WcStatus::kLocProtErr);
  CHECK(f.c.a.memory.zero(0, 64));
}

TEST_CASE("memory: rereg changes rights in place, and a new translation gets new keys", "[rxe][mr]") {
  Fixture f;
  std::vector<std::byte> other(4096);
  rxe::MrInit init{
      .pd = f.pair.b.pd, .host = other.data(), .length = other.size(), .iova = 0x7000, .access = kAllAccess};
  const auto info = f.b().rereg_mr(f.c.b.memory.mr().id, rxe::Device::ReregMask::kTranslation, init);
  REQUIRE(info.has_value());
  CHECK(info->id == f.c.b.memory.mr().id);
  f.write_ok({0x7000, info->rkey});
  CHECK(static_cast<int>(other[1]) == static_cast<int>(pattern(1, 1)));
  CHECK(f.c.b.memory.zero(0, 64));
  init.access = rxe::access::kRemoteRead;
  REQUIRE(f.b().rereg_mr(info->id, rxe::Device::ReregMask::kAccess, init));
  f.write_refused({0x7000, info->rkey});
}

TEST_CASE("memory: registering with bad rights, a bad PD or a wrapping range is EINVAL", "[rxe][mr]") {
  Fixture f;
  std::byte buffer[64];
  const auto code = [&](rxe::MrInit init) { return code_of(f.b().reg_mr(init)); };
  const rxe::MrInit good{.pd = f.pair.b.pd, .host = buffer, .length = 64, .iova = 0, .access = 0};
  rxe::MrInit bad = good;
  bad.access = kWrite;
  CHECK(code(bad) == EINVAL);
  bad = good;
  bad.pd = rxe::PdId{999};
  CHECK(code(bad) == EINVAL);
  bad = good;
  bad.iova = ~0ull;
  CHECK(code(bad) == EINVAL);
  CHECK(code(good) == 0);
}

TEST_CASE("memory: a PD in use is EBUSY, a region with bound windows too", "[rxe][mr][mw]") {
  Fixture f;
  CHECK(code_of(f.b().dealloc_pd(f.pair.b.pd)) == EBUSY);
  const auto mw = f.b().alloc_mw(f.pair.b.pd, MwType::k1);
  REQUIRE(mw.has_value());
  f.bind(*mw, 0, 64, kWrite);
  CHECK(code_of(f.b().dereg_mr(f.c.b.memory.mr().id)) == EBUSY);
  REQUIRE(f.b().dealloc_mw(mw->id));
  CHECK(f.b().dereg_mr(f.c.b.memory.mr().id).has_value());
  CHECK(code_of(f.b().dealloc_mw(mw->id)) == EINVAL);
}

TEST_CASE("memory: a bound window gives its range and rights and no more", "[rxe][mw]") {
  for (const MwType type : {MwType::k1, MwType::k2}) {
    Fixture f;
    const auto mw = f.b().alloc_mw(f.pair.b.pd, type);
    REQUIRE(mw.has_value());
    const std::uint32_t rkey = f.bind(*mw, 1000, 100, kWrite);
    f.write_ok({f.c.b.memory.iova() + 1092, rkey});
    CHECK(f.c.b.memory.holds(1092, 8, 1, 0));
    CHECK(f.c.b.memory.zero(0, 1092));
    f.write_refused({f.c.b.memory.iova() + 1093, rkey});
    CHECK(f.c.b.memory.zero(1100, 100));
  }
}

TEST_CASE("memory: a window without the right refuses", "[rxe][mw]") {
  Fixture f;
  const auto mw = f.b().alloc_mw(f.pair.b.pd, MwType::k2);
  const std::uint32_t rkey = f.bind(*mw, 0, 100, rxe::access::kRemoteRead);
  f.write_refused({f.c.b.memory.iova(), rkey});
}

TEST_CASE("memory: a type 2 window is refused to another QP of the same PD", "[rxe][mw]") {
  Fixture f;
  Connection other(f.pair);
  REQUIRE(other.valid);
  const auto mw = f.b().alloc_mw(f.pair.b.pd, MwType::k2);
  const std::uint32_t rkey = f.bind(*mw, 0, 100, kWrite);
  REQUIRE(other.a.post(Work::write(1, {f.c.b.memory.iova(), rkey}).with(other.a.sge(0, 8))));
  settle(f.pair);
  expect_sent(other.a, 1, WcStatus::kRemAccessErr);
  f.write_ok({f.c.b.memory.iova(), rkey});
}

TEST_CASE("memory: a type 1 window rebound answers to its new rkey only", "[rxe][mw]") {
  Fixture f;
  const auto mw = f.b().alloc_mw(f.pair.b.pd, MwType::k1);
  const std::uint32_t first = f.bind(*mw, 0, 100, kWrite);
  const std::uint32_t second = f.bind(*mw, 200, 100, kWrite);
  CHECK(first != second);
  f.write_ok({f.c.b.memory.iova() + 200, second});
  f.write_refused({f.c.b.memory.iova(), first});
}

TEST_CASE("memory: a bind that is refused is a MW_BIND_ERR completion and the QP fails", "[rxe][mw]") {
  Fixture f;
  const auto mw = f.b().alloc_mw(f.pair.b.pd, MwType::k2);
  const rxe::SendRequest::Bind beyond{.mw = mw->id,
                                      .mr = f.c.b.memory.mr().id,
                                      .rkey = *f.b().next_mw_rkey(mw->id),
                                      .addr = f.c.b.memory.iova(),
                                      .length = f.c.b.memory.size() + 1,
                                      .access = kWrite};
  REQUIRE(f.c.b.post(Work::bind(1, beyond)));
  settle(f.pair);
  CHECK(expect_sent(f.c.b, 1, WcStatus::kMwBindErr).vendor_err ==
        static_cast<std::uint32_t>(VendorError::kKeyOutOfRange));
  CHECK(f.c.b.state() == QpState::kErr);
}

TEST_CASE("memory: a local invalidation takes a type 2 window's rights away", "[rxe][mw][invalidate]") {
  Fixture f;
  const auto mw = f.b().alloc_mw(f.pair.b.pd, MwType::k2);
  const std::uint32_t rkey = f.bind(*mw, 0, 100, kWrite);
  f.write_ok({f.c.b.memory.iova(), rkey});
  REQUIRE(f.c.b.post(Work::local_inv(2, rkey)));
  settle(f.pair);
  CHECK(expect_sent(f.c.b, 2).opcode == WcOpcode::kLocalInv);
  f.write_refused({f.c.b.memory.iova(), rkey});
}

TEST_CASE("memory: invalidating a region of reg_mr is a LOC_QP_OP_ERR completion", "[rxe][invalidate]") {
  Fixture f;
  REQUIRE(f.c.b.post(Work::local_inv(1, f.c.b.memory.mr().rkey)));
  settle(f.pair);
  CHECK(expect_sent(f.c.b, 1, WcStatus::kLocQpOpErr).vendor_err ==
        static_cast<std::uint32_t>(VendorError::kKeyWrongKind));
}

TEST_CASE("memory: a SEND with invalidate delivers, invalidates and says so", "[rxe][invalidate]") {
  Fixture f;
  const auto mw = f.b().alloc_mw(f.pair.b.pd, MwType::k2);
  const std::uint32_t rkey = f.bind(*mw, 0, 100, kWrite);
  REQUIRE(f.c.b.recv(100, 4096, 4096));
  REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 2000)).invalidating(rkey)));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  const auto received = expect_received(f.c.b, 100);
  CHECK(received.byte_len == 2000);
  CHECK(received.flags == rxe::wc_flag::kWithInv);
  CHECK(received.immediate == rkey);
  CHECK(f.c.b.memory.holds(4096, 2000, 1, 0));
  f.write_refused({f.c.b.memory.iova(), rkey});
}

TEST_CASE("memory: a SEND that would invalidate what it may not fails and invalidates nothing", "[rxe][invalidate]") {
  Fixture f;
  Connection other(f.pair);
  REQUIRE(f.c.b.recv(100, 0, 64));
  REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 8)).invalidating(f.c.b.memory.mr().rkey)));
  settle(f.pair);
  expect_sent(f.c.a, 1, WcStatus::kRemAccessErr);
  CHECK(expect_received(f.c.b, 100, WcStatus::kLocAccessErr).vendor_err ==
        static_cast<std::uint32_t>(VendorError::kResponderAccess));
  CHECK(f.c.b.memory.zero(0, 64));
  REQUIRE(other.a.post(Work::write(2, f.c.b.remote(0)).with(other.a.sge(0, 8))));
  settle(f.pair);
  expect_sent(other.a, 2);
}

TEST_CASE("memory: a fast registration maps, is invalidated and maps anew", "[rxe][fast]") {
  Fixture f;
  std::vector<std::byte> bytes(4096);
  const auto mr = f.b().alloc_mr(f.pair.b.pd, 4096);
  REQUIRE(mr.has_value());
  for (std::uint8_t round = 1; round <= 3; ++round) {
    const rxe::SendRequest::Register request{.mr = mr->id,
                                             .key = (mr->rkey & ~0xffu) | round,
                                             .host = bytes.data(),
                                             .iova = 0x1000u * round,
                                             .length = 4096,
                                             .access = kAllAccess};
    REQUIRE(f.c.b.post(Work::reg_mr(1, request)));
    settle(f.pair);
    CHECK(expect_sent(f.c.b, 1).opcode == WcOpcode::kRegMr);
    f.write_ok({0x1000u * round + 8u * round, request.key});
    CHECK(static_cast<int>(bytes[8u * round + 3]) == static_cast<int>(pattern(1, 3)));
    REQUIRE(f.c.b.post(Work::local_inv(2, request.key)));
    settle(f.pair);
    expect_sent(f.c.b, 2);
  }
  f.write_refused({0x3000, (mr->rkey & ~0xffu) | 3});
}

TEST_CASE("memory: a fast registration on a mapped region fails its request and the QP", "[rxe][fast]") {
  Fixture f;
  std::vector<std::byte> bytes(4096);
  const auto mr = f.b().alloc_mr(f.pair.b.pd, 4096);
  const rxe::SendRequest::Register request{
      .mr = mr->id, .key = mr->rkey, .host = bytes.data(), .iova = 0, .length = 4096, .access = kAllAccess};
  REQUIRE(f.c.b.post(Work::reg_mr(1, request)));
  REQUIRE(f.c.b.post(Work::reg_mr(2, request)));
  settle(f.pair);
  expect_sent(f.c.b, 1);
  CHECK(expect_sent(f.c.b, 2, WcStatus::kLocQpOpErr).vendor_err == static_cast<std::uint32_t>(VendorError::kKeyBusy));
  CHECK(f.c.b.state() == QpState::kErr);
}

TEST_CASE("memory: binds and registrations complete in their place among other requests", "[rxe][mw]") {
  Fixture f;
  const auto mw = f.pair.a.device.alloc_mw(f.pair.a.pd, MwType::k2);
  const rxe::SendRequest::Bind bind{.mw = mw->id,
                                    .mr = f.c.a.memory.mr().id,
                                    .rkey = *f.pair.a.device.next_mw_rkey(mw->id),
                                    .addr = f.c.a.memory.iova(),
                                    .length = 64,
                                    .access = kWrite};
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 5000))));
  REQUIRE(f.c.a.post(Work::bind(2, bind)));
  REQUIRE(f.c.a.post(Work::write(3, f.c.b.remote(0)).with(f.c.a.sge(0, 8))));
  settle(f.pair);
  for (const std::uint64_t id : {1u, 2u, 3u}) expect_sent(f.c.a, id);
}

TEST_CASE("memory: when a QP is destroyed its type 2 windows die with it", "[rxe][mw]") {
  Fixture f;
  Connection other(f.pair);
  const auto mw = f.b().alloc_mw(f.pair.b.pd, MwType::k2);
  f.bind(*mw, 0, 100, kWrite);
  CHECK(code_of(f.b().dereg_mr(f.c.b.memory.mr().id)) == EBUSY);
  REQUIRE(f.b().destroy_qp(f.c.b.qpn));
  CHECK(f.b().dereg_mr(f.c.b.memory.mr().id).has_value());
}

}  // namespace rocelab::test
