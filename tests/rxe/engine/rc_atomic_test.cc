// RC atomics: compare-and-swap and fetch-and-add.
#include <cerrno>

#include "tests/rxe/harness/expect.h"
#include "tests/rxe/harness/solo.h"

namespace rocelab::test {

using rxe::QpState;
using rxe::WcOpcode;
using rxe::WcStatus;
using wire::Opcode;

namespace {

struct Fixture {
  Pair pair;
  Connection c;
  explicit Fixture(const QpOptions& options = {}) : c(pair, options) {
    REQUIRE(c.valid);
    c.a.memory.clear();
    c.b.memory.set_word(64, 1000);
  }
};

}  // namespace

TEST_CASE("rc atomic: compare-and-swap that matches swaps and returns the original", "[rxe][rc][atomic]") {
  Fixture f;
  REQUIRE(f.c.a.post(Work::compare_swap(1, f.c.b.remote(64), 1000, 77).with(f.c.a.sge(8, 8))));
  settle(f.pair);
  const auto completion = expect_sent(f.c.a, 1);
  CHECK(completion.opcode == WcOpcode::kCompSwap);
  CHECK(completion.byte_len == 8);
  CHECK(f.c.b.memory.word(64) == 77);
  CHECK(f.c.a.memory.word(8) == 1000);
  CHECK(f.c.a.memory.word(0) == 0);
  CHECK(f.c.a.memory.word(16) == 0);
  CHECK(f.pair.count_sent('b', Opcode::kRcAtomicAcknowledge) == 1);
}

TEST_CASE("rc atomic: compare-and-swap that does not match only returns the original", "[rxe][rc][atomic]") {
  Fixture f;
  REQUIRE(f.c.a.post(Work::compare_swap(1, f.c.b.remote(64), 999, 77).with(f.c.a.sge(8, 8))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  CHECK(f.c.b.memory.word(64) == 1000);
  CHECK(f.c.a.memory.word(8) == 1000);
}

TEST_CASE("rc atomic: fetch-and-add adds and returns the original, wrapping at 64 bits", "[rxe][rc][atomic]") {
  Fixture f;
  REQUIRE(f.c.a.post(Work::fetch_add(1, f.c.b.remote(64), 5).with(f.c.a.sge(8, 8))));
  REQUIRE(f.c.a.post(Work::fetch_add(2, f.c.b.remote(64), ~0ull - 1004).with(f.c.a.sge(16, 8))));
  REQUIRE(f.c.a.post(Work::fetch_add(3, f.c.b.remote(64), 2).with(f.c.a.sge(24, 8))));
  settle(f.pair);
  CHECK(expect_sent(f.c.a, 1).opcode == WcOpcode::kFetchAdd);
  expect_sent(f.c.a, 2);
  expect_sent(f.c.a, 3);
  CHECK(f.c.a.memory.word(8) == 1000);
  CHECK(f.c.a.memory.word(16) == 1005);
  CHECK(f.c.a.memory.word(24) == 0);
  CHECK(f.c.b.memory.word(64) == 2);
}

TEST_CASE("rc atomic: those of two QPs on one word all count", "[rxe][rc][atomic]") {
  Pair pair;
  Connection c(pair), d(pair);
  REQUIRE((c.valid && d.valid));
  c.b.memory.set_word(0, 0);
  for (std::uint64_t id = 0; id < 30; ++id) {
    REQUIRE(c.a.post(Work::fetch_add(id, c.b.remote(0), 1).with(c.a.sge(8, 8))));
    REQUIRE(d.a.post(Work::fetch_add(id, c.b.remote(0), 1).with(d.a.sge(8, 8))));
  }
  settle(pair);
  CHECK(c.b.memory.word(0) == 60);
}

TEST_CASE("rc atomic: what the peer does not allow is a remote access error", "[rxe][rc][atomic][access]") {
  Fixture f;
  Region plain(f.pair.b.device, f.pair.b.pd, 64,
               rxe::access::kLocalWrite | rxe::access::kRemoteWrite | rxe::access::kRemoteRead);
  plain.set_word(0, 5);
  REQUIRE(f.c.a.post(Work::fetch_add(1, plain.remote(0), 1).with(f.c.a.sge(8, 8))));
  settle(f.pair);
  expect_sent(f.c.a, 1, WcStatus::kRemAccessErr);
  CHECK(plain.word(0) == 5);
  CHECK(f.c.a.memory.word(8) == 0);
}

TEST_CASE("rc atomic: a word that leaves the region is refused", "[rxe][rc][atomic][access]") {
  Fixture f;
  Region odd(f.pair.b.device, f.pair.b.pd, 12, kAllAccess, 0x1000);
  REQUIRE(f.c.a.post(Work::fetch_add(1, odd.remote(8), 1).with(f.c.a.sge(8, 8))));
  settle(f.pair);
  expect_sent(f.c.a, 1, WcStatus::kRemAccessErr);
  CHECK(odd.guards_intact());
  CHECK(odd.holds(0, 12, 0, 0));
}

TEST_CASE("rc atomic: an address that is no multiple of 8 is an invalid request", "[rxe][rc][atomic][responder]") {
  Solo solo;
  SoloQp qp(solo);
  REQUIRE(qp.ready);
  qp.memory.fill(1);
  CHECK(solo.exchange(solo.from_peer(qp, Opcode::kRcFetchAdd, kPeerPsn).atomic(qp.remote(4), 1)) ==
        Lines{"RC_ACKNOWLEDGE psn 5000 nak 1 msn 0"});
  CHECK(qp.memory.holds(0, 64, 1, 0));
  CHECK(qp.state() == QpState::kErr);
}

TEST_CASE("rc atomic: a misaligned remote address is refused at posting or by the peer, never executed",
          "[rxe][rc][atomic]") {
  Fixture f;
  const std::uint64_t before = f.c.b.memory.word(64);
  const auto posted = f.c.a.post(Work::fetch_add(1, f.c.b.remote(66), 1).with(f.c.a.sge(8, 8)));
  settle(f.pair);
  if (posted) {
    expect_sent(f.c.a, 1, WcStatus::kRemInvReqErr);
  } else {
    CHECK(posted.error().code == EINVAL);
  }
  CHECK(f.c.b.memory.word(64) == before);
}

TEST_CASE("rc atomic: a result that has no room for 8 bytes is refused before it is executed", "[rxe][rc][atomic]") {
  Fixture f;
  const auto posted = f.c.a.post(Work::fetch_add(1, f.c.b.remote(64), 1).with(f.c.a.sge(8, 4)));
  settle(f.pair);
  if (posted) {
    const auto completion = f.c.a.poll(f.c.a.send_cq);
    REQUIRE(completion.has_value());
    CHECK(completion->status != WcStatus::kSuccess);
  } else {
    CHECK(posted.error().code == EINVAL);
  }
  CHECK(f.c.b.memory.word(64) == 1000);
  CHECK(f.c.a.memory.word(8) == 0);
}

TEST_CASE("rc atomic: the result's memory without LOCAL_WRITE is a local protection error", "[rxe][rc][atomic]") {
  Fixture f;
  Region read_only(f.pair.a.device, f.pair.a.pd, 64, rxe::access::kRemoteRead);
  REQUIRE(f.c.a.post(Work::fetch_add(1, f.c.b.remote(64), 1).with(read_only.sge(0, 8))));
  settle(f.pair);
  expect_sent(f.c.a, 1, WcStatus::kLocProtErr);
  CHECK(read_only.holds(0, 64, 0, 0));
}

TEST_CASE("rc atomic: reads and atomics share max_rd_atomic", "[rxe][rc][atomic]") {
  Fixture f({.max_rd_atomic = 2, .max_dest_rd_atomic = 2});
  for (std::uint64_t id = 0; id < 12; ++id) {
    if (id % 2 == 0) {
      REQUIRE(f.c.a.post(Work::fetch_add(id, f.c.b.remote(64), 1).with(f.c.a.sge(8 + id * 8, 8))));
    } else {
      REQUIRE(f.c.a.post(Work::read(id, f.c.b.remote(64)).with(f.c.a.sge(8 + id * 8, 8))));
    }
  }
  settle(f.pair);
  for (std::uint64_t id = 0; id < 12; ++id) {
    expect_sent(f.c.a, id);
    const std::uint64_t seen = f.c.a.memory.word(8 + id * 8), before = 1000 + (id + 1) / 2;
    // An atomic may pass the data phase of a READ before it unless fenced (IBTA vol 1, 10.8.3.3).
    CHECK((seen == before || (id % 2 == 1 && seen == before + 1)));
  }
}

}  // namespace rocelab::test
