// mm::RegionTable: fast registration, local and remote invalidation (IBTA vol 1, 10.6.4, 10.6.5).
#include <array>
#include <cerrno>

#include "mm/region_table.h"
#include "tests/support/catch.h"

namespace rocelab::mm {

namespace {

struct Fixture {
  RegionTable table{RegionTable::Limits{}};
  std::array<std::byte, 4096> memory{};
  std::uint32_t region = *table.allocate_fast(1, 4096);

  RegionTable::FastMapping mapping(std::uint8_t variant = 0x55) {
    return {.region = region >> 8,
            .pd = 1,
            .key = (region & ~0xffu) | variant,
            .host = memory.data(),
            .iova = 0x9000,
            .length = 1000,
            .access = access::kLocalWrite | access::kRemoteWrite | access::kRemoteRead | access::kMwBind};
  }
  AccessFault remote(std::uint32_t key, std::uint64_t addr, std::uint64_t length) {
    return table.check_remote(key, 1, 7, addr, length, access::kRemoteRead).fault;
  }
};

}  // namespace

TEST_CASE("fast registration: the region gives no access until it is mapped", "[mm][fast]") {
  Fixture f;
  CHECK(f.remote(f.region, 0, 1) == AccessFault::kNotValid);
  CHECK(f.table.check_local(f.region, 1, 0, 1, 0).fault == AccessFault::kNotValid);
}

TEST_CASE("fast registration: a mapping gives its range under the key that it chose", "[mm][fast]") {
  Fixture f;
  const auto mapping = f.mapping();
  REQUIRE(f.table.map_fast(mapping) == AccessFault::kNone);
  CHECK(f.table.check_remote(mapping.key, 1, 7, 0x9000, 1000, access::kRemoteRead).host == f.memory.data());
  CHECK(f.remote(mapping.key, 0x9000, 1001) == AccessFault::kOutOfRange);
  CHECK(f.remote(f.region, 0x9000, 1) == AccessFault::kUnknownKey);
}

TEST_CASE("fast registration: a mapped region must be invalidated before it is mapped again", "[mm][fast]") {
  Fixture f;
  REQUIRE(f.table.map_fast(f.mapping(1)) == AccessFault::kNone);
  CHECK(f.table.map_fast(f.mapping(2)) == AccessFault::kBusy);
  REQUIRE(f.table.invalidate_local(f.mapping(1).key, 1) == AccessFault::kNone);
  CHECK(f.remote(f.mapping(1).key, 0x9000, 1) == AccessFault::kNotValid);
  CHECK(f.table.map_fast(f.mapping(2)) == AccessFault::kNone);
}

TEST_CASE("fast registration: what a mapping asks for is checked and a refusal changes nothing", "[mm][fast]") {
  Fixture f;
  const auto refused = [&](auto change) {
    auto mapping = f.mapping();
    change(mapping);
    return f.table.map_fast(mapping);
  };
  using M = RegionTable::FastMapping;
  const std::uint32_t pinned =
      *f.table.register_region({.pd = 1, .host = f.memory.data(), .length = 8, .iova = 0, .access = 0});
  CHECK(refused([](M& m) { m.region = 9999; }) == AccessFault::kUnknownKey);
  CHECK(refused([](M& m) { m.key += 0x100; }) == AccessFault::kUnknownKey);
  CHECK(refused([&](M& m) {
          m.region = pinned >> 8;
          m.key = pinned;
        }) == AccessFault::kWrongKind);
  CHECK(refused([](M& m) { m.pd = 2; }) == AccessFault::kWrongPd);
  CHECK(refused([](M& m) { m.length = 4097; }) == AccessFault::kOutOfRange);
  CHECK(refused([](M& m) { m.iova = ~0ull; }) == AccessFault::kOutOfRange);
  CHECK(refused([](M& m) { m.access = access::kRemoteWrite; }) == AccessFault::kNoRight);
  CHECK(refused([](M& m) { m.access = 1u << 15; }) == AccessFault::kNoRight);
  CHECK(f.table.map_fast(f.mapping()) == AccessFault::kNone);
}

TEST_CASE("invalidation: regions of the verbs call and type 1 windows are refused", "[mm][invalidate]") {
  Fixture f;
  const std::uint32_t pinned = *f.table.register_region(
      {.pd = 1, .host = f.memory.data(), .length = 8, .iova = 0, .access = access::kRemoteRead});
  const std::uint32_t window = *f.table.allocate_window(1, WindowType::k1);
  for (const std::uint32_t key : {pinned, window}) {
    CHECK(f.table.invalidate_local(key, 1) == AccessFault::kWrongKind);
    CHECK(f.table.invalidate_remote(key, 1, 7) == AccessFault::kWrongKind);
  }
  CHECK(f.remote(pinned, 0, 1) == AccessFault::kNone);
}

TEST_CASE("invalidation: a wrong PD, a stale key and a second time are refused", "[mm][invalidate]") {
  Fixture f;
  const std::uint32_t key = f.mapping().key;
  REQUIRE(f.table.map_fast(f.mapping()) == AccessFault::kNone);
  CHECK(f.table.invalidate_local(key, 2) == AccessFault::kWrongPd);
  CHECK(f.table.invalidate_local(key ^ 1, 1) == AccessFault::kUnknownKey);
  CHECK(f.table.invalidate_local(key, 1) == AccessFault::kNone);
  CHECK(f.table.invalidate_local(key, 1) == AccessFault::kNotValid);
}

TEST_CASE("invalidation: by a peer it needs a region with remote rights", "[mm][invalidate]") {
  Fixture f;
  auto local_only = f.mapping();
  local_only.access = access::kLocalWrite;
  REQUIRE(f.table.map_fast(local_only) == AccessFault::kNone);
  CHECK(f.table.invalidate_remote(local_only.key, 1, 7) == AccessFault::kNoRight);
  REQUIRE(f.table.invalidate_local(local_only.key, 1) == AccessFault::kNone);
  REQUIRE(f.table.map_fast(f.mapping()) == AccessFault::kNone);
  CHECK(f.table.may_invalidate_remote(f.mapping().key, 1, 7) == AccessFault::kNone);
  CHECK(f.remote(f.mapping().key, 0x9000, 1) == AccessFault::kNone);
  CHECK(f.table.invalidate_remote(f.mapping().key, 1, 7) == AccessFault::kNone);
  CHECK(f.remote(f.mapping().key, 0x9000, 1) == AccessFault::kNotValid);
}

TEST_CASE("invalidation: by a peer it reaches a type 2 window only through the QP it is bound at", "[mm][invalidate]") {
  Fixture f;
  REQUIRE(f.table.map_fast(f.mapping()) == AccessFault::kNone);
  const std::uint32_t window = *f.table.allocate_window(1, WindowType::k2);
  const std::uint32_t key = *f.table.next_window_key(window >> 8);
  REQUIRE(f.table.bind({.window = window >> 8,
                        .region = f.region >> 8,
                        .pd = 1,
                        .qpn = 7,
                        .key = key,
                        .addr = 0x9000,
                        .length = 10,
                        .access = access::kRemoteRead}) == AccessFault::kNone);
  CHECK(f.table.invalidate_local(f.mapping().key, 1) == AccessFault::kBusy);
  CHECK(f.table.invalidate_remote(key, 1, 8) == AccessFault::kWrongQp);
  CHECK(f.table.invalidate_remote(key, 1, 7) == AccessFault::kNone);
  CHECK(f.table.invalidate_local(f.mapping().key, 1) == AccessFault::kNone);
}

TEST_CASE("fast registration: rereg is refused, deregistration gives the slot back", "[mm][fast]") {
  Fixture f;
  CHECK(f.table.reregister(f.region >> 8, RegionTable::kReregPd, {.pd = 2}).error().code == EINVAL);
  CHECK(f.table.allocate_fast(1, 0).error().code == EINVAL);
  CHECK(f.table.deregister(f.region >> 8).has_value());
  CHECK(f.table.region_count() == 0);
}

}  // namespace rocelab::mm
