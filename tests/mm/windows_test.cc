// mm::RegionTable: memory windows of types 1 and 2 (IBTA vol 1, 10.6.7).
#include <array>
#include <cerrno>

#include "mm/region_table.h"
#include "tests/support/catch.h"

namespace rocelab::mm {

namespace {

constexpr std::uint32_t kOwner = access::kLocalWrite | access::kMwBind;
constexpr std::uint32_t kRead = access::kRemoteRead;
constexpr std::uint32_t kWrite = access::kRemoteWrite;

struct Fixture {
  RegionTable table{RegionTable::Limits{}};
  std::array<std::byte, 4096> memory{};
  std::uint32_t region = add(kOwner);

  std::uint32_t add(std::uint32_t rights, std::uint32_t pd = 1) {
    return *table.register_region({.pd = pd, .host = memory.data(), .length = 4096, .iova = 0x1000, .access = rights});
  }
  std::uint32_t window(WindowType type, std::uint32_t pd = 1) { return *table.allocate_window(pd, type); }
  /// A binding of [0x1000 + 100, + 200) for QP 7.
  RegionTable::Binding binding(std::uint32_t window_key, std::uint32_t rights = kRead | kWrite) {
    return {.window = window_key >> 8,
            .region = region >> 8,
            .pd = 1,
            .qpn = 7,
            .key = *table.next_window_key(window_key >> 8),
            .addr = 0x1000 + 100,
            .length = 200,
            .access = rights};
  }
  AccessFault remote(std::uint32_t key, std::uint64_t addr, std::uint64_t length, std::uint32_t need = kRead,
                     std::uint32_t qpn = 7) {
    return table.check_remote(key, 1, qpn, addr, length, need).fault;
  }
};

}  // namespace

TEST_CASE("window: allocated but not bound it gives no access", "[mm][window]") {
  Fixture f;
  CHECK(f.remote(f.window(WindowType::k1), 0, 1) == AccessFault::kNotValid);
  CHECK(f.remote(f.window(WindowType::k2), 0, 1) == AccessFault::kNotValid);
}

TEST_CASE("window: bound it gives exactly its range with its rights", "[mm][window]") {
  Fixture f;
  for (const WindowType type : {WindowType::k1, WindowType::k2}) {
    const RegionTable::Binding bind = f.binding(f.window(type), kRead);
    REQUIRE(f.table.bind(bind) == AccessFault::kNone);
    CHECK(f.table.check_remote(bind.key, 1, 7, bind.addr, 200, kRead).host == f.memory.data() + 100);
    CHECK(f.remote(bind.key, bind.addr - 1, 1) == AccessFault::kOutOfRange);
    CHECK(f.remote(bind.key, bind.addr, 201) == AccessFault::kOutOfRange);
    CHECK(f.remote(bind.key, bind.addr, 1, kWrite) == AccessFault::kNoRight);
  }
}

TEST_CASE("window: its rkey is no lkey", "[mm][window]") {
  Fixture f;
  const RegionTable::Binding bind = f.binding(f.window(WindowType::k1));
  REQUIRE(f.table.bind(bind) == AccessFault::kNone);
  CHECK(f.table.check_local(bind.key, 1, bind.addr, 1, 0).fault == AccessFault::kUnknownKey);
}

TEST_CASE("window: type 1 serves every QP of the PD, type 2 only the one it was bound at", "[mm][window]") {
  Fixture f;
  const auto one = f.binding(f.window(WindowType::k1)), two = f.binding(f.window(WindowType::k2));
  REQUIRE(f.table.bind(one) == AccessFault::kNone);
  REQUIRE(f.table.bind(two) == AccessFault::kNone);
  CHECK(f.remote(one.key, one.addr, 1, kRead, 8) == AccessFault::kNone);
  CHECK(f.remote(two.key, two.addr, 1, kRead, 8) == AccessFault::kWrongQp);
  CHECK(f.table.check_remote(one.key, 2, 7, one.addr, 1, kRead).fault == AccessFault::kWrongPd);
}

TEST_CASE("window: type 1 is rebound at will and its former rkey dies", "[mm][window]") {
  Fixture f;
  const std::uint32_t window = f.window(WindowType::k1);
  const auto first = f.binding(window);
  REQUIRE(f.table.bind(first) == AccessFault::kNone);
  auto second = f.binding(window);
  second.addr += 1000;
  REQUIRE(f.table.bind(second) == AccessFault::kNone);
  CHECK(f.remote(first.key, first.addr, 1) == AccessFault::kUnknownKey);
  CHECK(f.remote(second.key, second.addr, 1) == AccessFault::kNone);
  CHECK(f.table.find_region(f.region >> 8)->windows == 1);
}

TEST_CASE("window: type 1 is unbound by a bind of length 0", "[mm][window]") {
  Fixture f;
  const std::uint32_t window = f.window(WindowType::k1);
  REQUIRE(f.table.bind(f.binding(window)) == AccessFault::kNone);
  auto unbind = f.binding(window);
  unbind.length = 0;
  unbind.region = 0;
  REQUIRE(f.table.bind(unbind) == AccessFault::kNone);
  CHECK(f.remote(unbind.key, unbind.addr, 1) == AccessFault::kNotValid);
  CHECK(f.table.find_region(f.region >> 8)->windows == 0);
}

TEST_CASE("window: type 2 must be invalidated before it is bound again", "[mm][window]") {
  Fixture f;
  const std::uint32_t window = f.window(WindowType::k2);
  const auto first = f.binding(window);
  REQUIRE(f.table.bind(first) == AccessFault::kNone);
  CHECK(f.table.bind(f.binding(window)) == AccessFault::kBusy);
  REQUIRE(f.table.invalidate_local(first.key, 1) == AccessFault::kNone);
  CHECK(f.remote(first.key, first.addr, 1) == AccessFault::kNotValid);
  CHECK(f.table.bind(f.binding(window)) == AccessFault::kNone);
}

TEST_CASE("window: type 2 may be zero-based, type 1 may not", "[mm][window]") {
  Fixture f;
  const auto one = f.binding(f.window(WindowType::k1), kRead | access::kZeroBased);
  CHECK(f.table.bind(one) == AccessFault::kWrongKind);
  const auto two = f.binding(f.window(WindowType::k2), kRead | access::kZeroBased);
  REQUIRE(f.table.bind(two) == AccessFault::kNone);
  CHECK(f.table.check_remote(two.key, 1, 7, 0, 200, kRead).host == f.memory.data() + 100);
  CHECK(f.remote(two.key, two.addr, 1) == AccessFault::kOutOfRange);
}

TEST_CASE("window: local write may be asked for and grants nothing", "[mm][window]") {
  Fixture f;
  const auto bind = f.binding(f.window(WindowType::k2), kRead | access::kLocalWrite);
  REQUIRE(f.table.bind(bind) == AccessFault::kNone);
  CHECK(f.table.find_window(bind.key >> 8)->access == kRead);
}

TEST_CASE("window: what a bind asks for is checked against window, region and QP", "[mm][window]") {
  Fixture f;
  const std::uint32_t window = f.window(WindowType::k2);
  const auto good = f.binding(window);
  const auto refused = [&](auto change) {
    auto bind = good;
    change(bind);
    return f.table.bind(bind);
  };
  using B = RegionTable::Binding;
  CHECK(refused([](B& b) { b.window = 9999; }) == AccessFault::kUnknownKey);
  CHECK(refused([&](B& b) { b.window = f.region >> 8; }) == AccessFault::kWrongKind);
  CHECK(refused([](B& b) { b.key += 0x100; }) == AccessFault::kUnknownKey);
  CHECK(refused([&](B& b) { b.key = window; }) == AccessFault::kUnknownKey);
  CHECK(refused([](B& b) { b.pd = 2; }) == AccessFault::kWrongPd);
  CHECK(refused([](B& b) { b.length = 0; }) == AccessFault::kOutOfRange);
  CHECK(refused([](B& b) { b.length = 4097 - 100; }) == AccessFault::kOutOfRange);
  CHECK(refused([](B& b) { b.addr = 0xfff; }) == AccessFault::kOutOfRange);
  CHECK(refused([](B& b) { b.length = ~0ull; }) == AccessFault::kOutOfRange);
  CHECK(refused([](B& b) { b.region = 9999; }) == AccessFault::kUnknownKey);
  CHECK(refused([](B& b) { b.access = access::kMwBind; }) == AccessFault::kNoRight);
  CHECK(refused([&](B& b) { b.region = f.add(access::kLocalWrite) >> 8; }) == AccessFault::kNoRight);
  CHECK(refused([&](B& b) { b.region = f.add(access::kMwBind) >> 8; }) == AccessFault::kNoRight);
  CHECK(refused([&](B& b) { b.region = f.add(kOwner, 2) >> 8; }) == AccessFault::kWrongPd);
  CHECK(refused([&](B& b) { b.region = f.add(kOwner | access::kZeroBased) >> 8; }) == AccessFault::kWrongKind);
  CHECK(f.table.bind(good) == AccessFault::kNone);
}

TEST_CASE("window: a region with bound windows is neither deregistered nor changed", "[mm][window]") {
  Fixture f;
  const std::uint32_t window = f.window(WindowType::k1);
  REQUIRE(f.table.bind(f.binding(window)) == AccessFault::kNone);
  CHECK(f.table.deregister(f.region >> 8).error().code == EBUSY);
  CHECK(f.table.reregister(f.region >> 8, RegionTable::kReregPd, {.pd = 2}).error().code == EBUSY);
  REQUIRE(f.table.deallocate_window(window >> 8).has_value());
  CHECK(f.table.deregister(f.region >> 8).has_value());
}

TEST_CASE("window: when its QP goes, type 2 windows lose their rights and type 1 keep them", "[mm][window]") {
  Fixture f;
  const auto one = f.binding(f.window(WindowType::k1)), two = f.binding(f.window(WindowType::k2));
  auto other = f.binding(f.window(WindowType::k2));
  other.qpn = 8;
  for (const auto& bind : {one, two, other}) REQUIRE(f.table.bind(bind) == AccessFault::kNone);
  f.table.release_qp(7);
  CHECK(f.remote(one.key, one.addr, 1) == AccessFault::kNone);
  CHECK(f.remote(two.key, two.addr, 1) == AccessFault::kNotValid);
  CHECK(f.remote(other.key, other.addr, 1, kRead, 8) == AccessFault::kNone);
  CHECK(f.table.find_region(f.region >> 8)->windows == 2);
}

TEST_CASE("window: an unknown type and unknown ids are EINVAL", "[mm][window]") {
  Fixture f;
  CHECK(f.table.allocate_window(1, static_cast<WindowType>(3)).error().code == EINVAL);
  CHECK(f.table.deallocate_window(f.region >> 8).error().code == EINVAL);
  CHECK(f.table.next_window_key(f.region >> 8).error().code == EINVAL);
  CHECK(f.table.find_window(f.region >> 8) == nullptr);
  CHECK(f.table.find_region(f.window(WindowType::k1) >> 8) == nullptr);
}

}  // namespace rocelab::mm
