// Large messages: the maximum of 2 GiB over elided memory, tens of megabytes over real memory, and what is too long.
#include <cerrno>

#include "rxe/vendor_error.h"
#include "tests/rxe/harness/direct.h"
#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::WcStatus;

namespace {

constexpr std::uint32_t kMost = 1u << 31;

/// Memory without bytes at [0x1000, 0x1000 + 4 GiB).
rxe::MrInfo elided(Side& side) {
  const auto info =
      side.device.reg_mr({.pd = side.pd, .host = nullptr, .length = 1ull << 32, .iova = 0x1000, .access = kAllAccess});
  REQUIRE(info.has_value());
  return *info;
}

struct Fixture {
  Direct direct;
  DirectConnection c;
  rxe::MrInfo here, there;
  explicit Fixture(rxe::PathMtu mtu = rxe::PathMtu::k4096)
      : c(direct, {.mtu = mtu}), here(elided(direct.a)), there(elided(direct.b)) {
    REQUIRE(c.valid);
  }
  rxe::Sge sge(std::uint32_t length) const { return {0x1000, length, here.lkey}; }
  Remote remote() const { return {0x1000, there.rkey}; }
};

}  // namespace

TEST_CASE("large: a WRITE of 2 GiB arrives whole", "[rxe][large]") {
  Fixture f;
  REQUIRE(f.c.a.post(Work::write(1, f.remote()).with(f.sge(kMost))));
  REQUIRE(f.direct.drive());
  expect_sent(f.c.a, 1);
  CHECK(f.direct.b.device.counters().rcvd_bytes == kMost);
  CHECK(f.direct.a.device.counters().sent_bytes == kMost);
}

TEST_CASE("large: a SEND of 2 GiB fills a receive of 2 GiB", "[rxe][large]") {
  Fixture f;
  const rxe::Sge sink{0x1000, kMost, f.there.lkey};
  REQUIRE(f.c.b.recv(100, std::span(&sink, 1)));
  REQUIRE(f.c.a.post(Work::send(1).with(f.sge(kMost / 2)).with(f.sge(kMost / 2))));
  REQUIRE(f.direct.drive());
  expect_sent(f.c.a, 1);
  CHECK(expect_received(f.c.b, 100).byte_len == kMost);
}

TEST_CASE("large: a READ of 2 GiB with losses comes whole", "[rxe][large]") {
  Fixture f;
  f.direct.drop_every = 100'003;
  REQUIRE(f.c.a.post(Work::read(1, f.remote()).with(f.sge(kMost))));
  REQUIRE(f.direct.drive());
  CHECK(expect_sent(f.c.a, 1).byte_len == kMost);
}

TEST_CASE("large: one byte more than 2 GiB is refused", "[rxe][large]") {
  Fixture f;
  const auto posted = f.c.a.post(Work::write(1, f.remote()).with(f.sge(kMost)).with(f.sge(1)));
  REQUIRE(f.direct.drive());
  if (posted) {
    CHECK(expect_sent(f.c.a, 1, WcStatus::kLocLenErr).vendor_err ==
          static_cast<std::uint32_t>(rxe::VendorError::kMessageTooLong));
  } else {
    CHECK(posted.error().code == EINVAL);
  }
  CHECK(f.direct.b.device.counters().rcvd_bytes == 0);
}

TEST_CASE("large: a message may take more PSNs than half of their circle", "[rxe][large][psn]") {
  Fixture f(rxe::PathMtu::k256);  // 2 GiB are 2^23 packets
  REQUIRE(f.c.a.post(Work::write(1, f.remote()).with(f.sge(kMost))));
  REQUIRE(f.c.a.post(Work::write(2, f.remote()).with(f.sge(1000))));
  REQUIRE(f.c.a.post(Work::read(3, f.remote()).with(f.sge(1u << 30))));
  REQUIRE(f.direct.drive());
  for (const std::uint64_t id : {1u, 2u, 3u}) expect_sent(f.c.a, id);
  CHECK(f.direct.b.device.counters().rcvd_bytes == std::uint64_t{kMost} + 1000);
}

TEST_CASE("large: 64 MiB of real memory arrive byte by byte, with losses", "[rxe][large]") {
  constexpr std::size_t kBytes = 64u << 20;
  Direct direct;
  DirectConnection c(direct, {.mtu = rxe::PathMtu::k4096});
  REQUIRE(c.valid);
  Region source(direct.a.device, direct.a.pd, kBytes), target(direct.b.device, direct.b.pd, kBytes),
      back(direct.a.device, direct.a.pd, kBytes);
  source.fill(7);
  target.clear();
  direct.drop_every = 1009;
  REQUIRE(c.a.post(
      Work::write(1, target.remote(0)).with(source.sge(0, kBytes / 2)).with(source.sge(kBytes / 2, kBytes / 2))));
  REQUIRE(c.a.post(Work::read(2, target.remote(0)).with(back.sge(0, kBytes)).fenced()));
  REQUIRE(direct.drive());
  expect_sent(c.a, 1);
  expect_sent(c.a, 2);
  CHECK(target.holds(0, kBytes, 7, 0));
  CHECK(back.holds(0, kBytes, 7, 0));
  CHECK(target.guards_intact());
  CHECK(back.guards_intact());
}

}  // namespace rocelab::test
