// mm::RegionTable: registration by verbs calls, keys, and the checks of local and remote accesses.
#include "mm/region_table.h"

#include <array>
#include <cerrno>
#include <set>

#include "tests/support/catch.h"

namespace rocelab::mm {

namespace {

constexpr std::uint32_t kRw = access::kLocalWrite | access::kRemoteWrite | access::kRemoteRead;

struct Fixture {
  RegionTable table{RegionTable::Limits{}};
  std::array<std::byte, 4096> memory{};

  std::uint32_t add(std::uint64_t iova, std::uint64_t length, std::uint32_t rights = kRw, std::uint32_t pd = 1) {
    const auto key =
        table.register_region({.pd = pd, .host = memory.data(), .length = length, .iova = iova, .access = rights});
    REQUIRE(key.has_value());
    return *key;
  }
  AccessFault local(std::uint32_t key, std::uint64_t addr, std::uint64_t length, std::uint32_t need = 0) {
    return table.check_local(key, 1, addr, length, need).fault;
  }
  AccessFault remote(std::uint32_t key, std::uint64_t addr, std::uint64_t length,
                     std::uint32_t need = access::kRemoteRead) {
    return table.check_remote(key, 1, 7, addr, length, need).fault;
  }
};

int code(const base::Result<std::uint32_t>& result) { return result ? 0 : result.error().code; }
int code(const base::Result<void>& result) { return result ? 0 : result.error().code; }

}  // namespace

TEST_CASE("mm: an access inside the region translates to the host's byte", "[mm]") {
  Fixture f;
  const std::uint32_t key = f.add(0x10000, 4096);
  CHECK(f.table.check_local(key, 1, 0x10000, 4096, access::kLocalWrite).host == f.memory.data());
  CHECK(f.table.check_remote(key, 1, 7, 0x10000 + 100, 1, access::kRemoteWrite).host == f.memory.data() + 100);
}

TEST_CASE("mm: an access that leaves the region by one byte on either side is out of range", "[mm]") {
  Fixture f;
  const std::uint32_t key = f.add(0x10000, 4096);
  for (const auto check : {&Fixture::local, &Fixture::remote}) {
    CHECK((f.*check)(key, 0x10000, 4096, 0) == AccessFault::kNone);
    CHECK((f.*check)(key, 0x10000 + 4095, 1, 0) == AccessFault::kNone);
    CHECK((f.*check)(key, 0x10000, 4097, 0) == AccessFault::kOutOfRange);
    CHECK((f.*check)(key, 0x10000 + 4096, 1, 0) == AccessFault::kOutOfRange);
    CHECK((f.*check)(key, 0x10000 - 1, 1, 0) == AccessFault::kOutOfRange);
    CHECK((f.*check)(key, 0x10000 - 1, 2, 0) == AccessFault::kOutOfRange);
    CHECK((f.*check)(key, 0x10000 + 4095, 2, 0) == AccessFault::kOutOfRange);
  }
}

TEST_CASE("mm: lengths and addresses near 2^64 do not wrap around the check", "[mm]") {
  Fixture f;
  const std::uint32_t key = f.add(0x10000, 4096);
  CHECK(f.remote(key, ~0ull, 1) == AccessFault::kOutOfRange);
  CHECK(f.remote(key, ~0ull, ~0ull) == AccessFault::kOutOfRange);
  CHECK(f.remote(key, 0x10000 + 1, ~0ull) == AccessFault::kOutOfRange);
  CHECK(f.remote(key, 0x10000 + 16, ~0ull - 15) == AccessFault::kOutOfRange);
  CHECK(f.remote(key, 0, ~0ull) == AccessFault::kOutOfRange);
}

TEST_CASE("mm: a region may end at 2^64 but not beyond", "[mm]") {
  Fixture f;
  const std::uint32_t key = f.add(0ull - 4096, 4096);
  CHECK(f.remote(key, ~0ull, 1) == AccessFault::kNone);
  CHECK(f.remote(key, ~0ull, 2) == AccessFault::kOutOfRange);
  const RegionTable::Registration beyond{
      .pd = 1, .host = f.memory.data(), .length = 4096, .iova = 0ull - 4095, .access = kRw};
  CHECK(code(f.table.register_region(beyond)) == EINVAL);
}

TEST_CASE("mm: a zero-length access is not checked at all", "[mm]") {
  Fixture f;
  CHECK(f.local(0xdead'beef, 1, 0) == AccessFault::kNone);
  CHECK(f.remote(0, ~0ull, 0, access::kRemoteWrite) == AccessFault::kNone);
}

TEST_CASE("mm: an unknown key, a key of another variant and key 0 name nothing", "[mm]") {
  Fixture f;
  const std::uint32_t key = f.add(0x10000, 4096);
  CHECK(f.remote(key ^ 1, 0x10000, 1) == AccessFault::kUnknownKey);
  CHECK(f.remote(key + 0x100, 0x10000, 1) == AccessFault::kUnknownKey);
  CHECK(f.remote(0xffff'ffff, 0x10000, 1) == AccessFault::kUnknownKey);
  CHECK(f.remote(0, 0x10000, 1) == AccessFault::kUnknownKey);
  CHECK(f.local(0, 0x10000, 1) == AccessFault::kUnknownKey);
}

TEST_CASE("mm: a region of another protection domain is refused", "[mm]") {
  Fixture f;
  const std::uint32_t key = f.add(0, 64, kRw, 2);
  CHECK(f.local(key, 0, 1) == AccessFault::kWrongPd);
  CHECK(f.remote(key, 0, 1) == AccessFault::kWrongPd);
}

TEST_CASE("mm: each right is needed for its own kind of access", "[mm]") {
  Fixture f;
  const std::uint32_t read_only = f.add(0, 64, access::kRemoteRead);
  CHECK(f.remote(read_only, 0, 8, access::kRemoteRead) == AccessFault::kNone);
  CHECK(f.remote(read_only, 0, 8, access::kRemoteWrite) == AccessFault::kNoRight);
  CHECK(f.remote(read_only, 0, 8, access::kRemoteAtomic) == AccessFault::kNoRight);
  CHECK(f.local(read_only, 0, 8, 0) == AccessFault::kNone);
  CHECK(f.local(read_only, 0, 8, access::kLocalWrite) == AccessFault::kNoRight);
  const std::uint32_t atomic = f.add(0, 64, access::kLocalWrite | access::kRemoteAtomic);
  CHECK(f.remote(atomic, 0, 8, access::kRemoteAtomic) == AccessFault::kNone);
  CHECK(f.remote(atomic, 0, 8, access::kRemoteRead) == AccessFault::kNoRight);
}

TEST_CASE("mm: remote write and remote atomic need local write", "[mm]") {
  Fixture f;
  for (const std::uint32_t rights : {access::kRemoteWrite, access::kRemoteAtomic}) {
    CHECK(code(f.table.register_region({.pd = 1, .host = f.memory.data(), .length = 8, .iova = 0, .access = rights})) ==
          EINVAL);
  }
}

TEST_CASE("mm: unknown access bits are refused, relaxed ordering and on-demand are accepted", "[mm]") {
  Fixture f;
  CHECK(code(f.table.register_region({.pd = 1, .host = nullptr, .length = 8, .iova = 0, .access = 1u << 12})) ==
        EINVAL);
  f.add(0, 64, access::kLocalWrite | access::kRelaxedOrdering | access::kOnDemand | access::kHugeTlb);
}

TEST_CASE("mm: a zero-based region starts at address 0 whatever iova says", "[mm]") {
  Fixture f;
  const std::uint32_t key = f.add(0x5000, 64, kRw | access::kZeroBased);
  CHECK(f.table.check_remote(key, 1, 7, 3, 1, access::kRemoteRead).host == f.memory.data() + 3);
  CHECK(f.remote(key, 0x5000, 1) == AccessFault::kOutOfRange);
}

TEST_CASE("mm: elided memory is checked but translates to nothing", "[mm]") {
  Fixture f;
  const auto key = f.table.register_region({.pd = 1, .host = nullptr, .length = 1ull << 31, .iova = 0, .access = kRw});
  REQUIRE(key.has_value());
  const Translation inside = f.table.check_remote(*key, 1, 7, 1ull << 30, 4096, access::kRemoteWrite);
  CHECK(inside.ok());
  CHECK(inside.host == nullptr);
  CHECK(f.remote(*key, 1ull << 31, 1) == AccessFault::kOutOfRange);
}

TEST_CASE("mm: the key of a deregistered region is stale, also after its slot has a new owner", "[mm]") {
  Fixture f;
  const std::uint32_t old_key = f.add(0, 64);
  REQUIRE(f.table.deregister(old_key >> 8).has_value());
  CHECK(f.remote(old_key, 0, 1) == AccessFault::kUnknownKey);
  const std::uint32_t new_key = f.add(0, 64);
  CHECK(new_key >> 8 == old_key >> 8);
  CHECK(new_key != old_key);
  CHECK(f.remote(old_key, 0, 1) == AccessFault::kUnknownKey);
  CHECK(f.remote(new_key, 0, 1) == AccessFault::kNone);
}

TEST_CASE("mm: freed slots are reused oldest first", "[mm]") {
  Fixture f;
  const std::uint32_t a = f.add(0, 8), b = f.add(0, 8), c = f.add(0, 8);
  for (const std::uint32_t key : {b, a, c}) REQUIRE(f.table.deregister(key >> 8).has_value());
  CHECK(f.add(0, 8) >> 8 == b >> 8);
  CHECK(f.add(0, 8) >> 8 == a >> 8);
  CHECK(f.add(0, 8) >> 8 == c >> 8);
}

TEST_CASE("mm: a slot must be reused 256 times before a stale key could match again", "[mm]") {
  Fixture f;
  std::set<std::uint32_t> keys;
  std::uint32_t key = f.add(0, 8);
  for (int i = 0; i < 256; ++i) {
    CHECK(keys.insert(key).second);
    REQUIRE(f.table.deregister(key >> 8).has_value());
    key = f.add(0, 8);
  }
  CHECK(keys.contains(key));
}

TEST_CASE("mm: the same calls give the same keys", "[mm]") {
  Fixture f, g;
  for (int i = 0; i < 20; ++i) CHECK(f.add(0, 8) == g.add(0, 8));
}

TEST_CASE("mm: the limits of regions and of their length hold", "[mm]") {
  RegionTable table({.regions_max = 2, .windows_max = 1, .length_max = 100});
  const RegionTable::Registration one{.pd = 1, .host = nullptr, .length = 100, .iova = 0, .access = 0};
  CHECK(table.register_region(one).has_value());
  RegionTable::Registration longer = one;
  longer.length = 101;
  CHECK(code(table.register_region(longer)) == EINVAL);
  CHECK(table.register_region(one).has_value());
  CHECK(code(table.register_region(one)) == ENOMEM);
  CHECK(table.region_count() == 2);
  REQUIRE(table.allocate_window(1, WindowType::k1).has_value());
  CHECK(code(table.allocate_window(1, WindowType::k2)) == ENOMEM);
}

TEST_CASE("mm: deregistering what does not exist, or a window, is EINVAL", "[mm]") {
  Fixture f;
  const std::uint32_t key = f.add(0, 8);
  const auto window = f.table.allocate_window(1, WindowType::k1);
  CHECK(code(f.table.deregister(0)) == EINVAL);
  CHECK(code(f.table.deregister(999)) == EINVAL);
  CHECK(code(f.table.deregister(*window >> 8)) == EINVAL);
  REQUIRE(f.table.deregister(key >> 8).has_value());
  CHECK(code(f.table.deregister(key >> 8)) == EINVAL);
}

TEST_CASE("mm: rereg changes rights and PD in place and gives a new key for a new translation", "[mm]") {
  Fixture f;
  const std::uint32_t key = f.add(0, 64);
  const RegionTable::Registration change{
      .pd = 2, .host = f.memory.data() + 64, .length = 32, .iova = 0x100, .access = access::kRemoteRead};
  auto result = f.table.reregister(key >> 8, RegionTable::kReregAccess, change);
  REQUIRE(result.has_value());
  CHECK(*result == key);
  CHECK(f.remote(key, 0, 8, access::kRemoteWrite) == AccessFault::kNoRight);
  result = f.table.reregister(key >> 8, RegionTable::kReregPd, change);
  CHECK(*result == key);
  CHECK(f.remote(key, 0, 8) == AccessFault::kWrongPd);
  result = f.table.reregister(key >> 8, RegionTable::kReregTranslation, change);
  REQUIRE(result.has_value());
  CHECK(*result != key);
  CHECK(f.table.check_remote(key, 2, 7, 0x100, 1, access::kRemoteRead).fault == AccessFault::kUnknownKey);
  CHECK(f.table.check_remote(*result, 2, 7, 0x100, 32, access::kRemoteRead).host == f.memory.data() + 64);
}

TEST_CASE("mm: a rereg that fails has changed nothing", "[mm]") {
  Fixture f;
  const std::uint32_t key = f.add(0, 64);
  const RegionTable::Registration bad{
      .pd = 2, .host = f.memory.data(), .length = 64, .iova = 0ull - 8, .access = access::kRemoteWrite};
  for (const std::uint32_t mask : {0u, 8u, RegionTable::kReregAccess, RegionTable::kReregTranslation, 7u}) {
    CHECK(code(f.table.reregister(key >> 8, mask, bad)) == EINVAL);
    CHECK(f.remote(key, 0, 64, access::kRemoteWrite) == AccessFault::kNone);
  }
  CHECK(code(f.table.reregister(77, RegionTable::kReregPd, bad)) == EINVAL);
}

TEST_CASE("mm: every fault has a name of its own", "[mm]") {
  std::set<std::string_view> names;
  for (unsigned fault = 0; fault <= static_cast<unsigned>(AccessFault::kBusy); ++fault) {
    CHECK(names.insert(name(static_cast<AccessFault>(fault))).second);
  }
  CHECK_FALSE(names.contains("?"));
}

}  // namespace rocelab::mm
