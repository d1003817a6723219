// Atomic WRITE and FLUSH (IBTA vol 1 release 1.5): both take their turn like READs and are confirmed by an empty READ
// response.
#include <cerrno>
#include <cstring>

#include "tests/rxe/harness/craft.h"
#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::EventType;
using rxe::QpState;
using rxe::QpType;
using rxe::SendOpcode;
using rxe::WcOpcode;
using rxe::WcStatus;
using wire::Feth;
using wire::Opcode;

namespace {

constexpr std::uint32_t kFlushes = rxe::access::kFlushGlobal | rxe::access::kFlushPersistent;

QpOptions options() {
  QpOptions made;
  made.access |= kFlushes;
  return made;
}

Work atomic_write(std::uint64_t id, Remote remote) { return Work(id, SendOpcode::kAtomicWrite).at(remote); }

rxe::SendRequest flush(std::uint64_t id, Remote remote, std::uint32_t length, std::uint8_t placement = Feth::kGlobal,
                       std::uint8_t selectivity = Feth::kRange) {
  rxe::SendRequest request = Work(id, SendOpcode::kFlush).at(remote).request();
  request.sges = {};
  request.flush = {length, placement, selectivity};
  return request;
}

base::Result<void> post(Endpoint& from, const rxe::SendRequest& request) {
  return from.side.device.post_send(from.side.now, from.qpn, request);
}

/// Memory at `e`'s side that may be flushed.
struct Flushable {
  explicit Flushable(Endpoint& e, std::uint32_t rights = kFlushes)
      : region(e.side.device, e.side.pd, 4096, kAllAccess | rights) {}
  Region region;
};

}  // namespace

TEST_CASE("atomic write: eight bytes from a piece, inline or by value, confirmed by an empty response",
          "[rxe][atomic_write]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  c.b.memory.clear();
  const std::uint64_t inlined = 0x1122334455667788, value = 0x99aabbccddeeff00;
  REQUIRE(c.a.post(atomic_write(1, c.b.remote(0)).with(c.a.sge(0, 8))));
  REQUIRE(c.a.post(atomic_write(2, c.b.remote(8)).inlined(&inlined, 8)));
  rxe::SendRequest by_value = atomic_write(3, c.b.remote(16)).request();
  by_value.sges = {};
  by_value.compare_add = value;
  REQUIRE(post(c.a, by_value));
  settle(pair);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    const rxe::Completion completion = expect_sent(c.a, id);
    CHECK(completion.opcode == WcOpcode::kAtomicWrite);
    CHECK(completion.byte_len == 8);
  }
  CHECK(c.b.memory.holds(0, 8, 1, 0));
  CHECK(std::memcmp(c.b.memory.data() + 8, &inlined, 8) == 0);
  CHECK(std::memcmp(c.b.memory.data() + 16, &value, 8) == 0);
  CHECK(pair.count_sent('a', Opcode::kRcAtomicWrite) == 3);
  CHECK(pair.count_sent('b', Opcode::kRcRdmaReadResponseOnly) == 3);
  CHECK(pair.count_sent('b', Opcode::kRcAcknowledge) == 0);
  for (const Recorded& sent : pair.sent) CHECK(sent.packet.header().payload.length == (sent.from == 'a' ? 8 : 0));
  expect_nothing(c.b);
  expect_guards(c);
}

TEST_CASE("atomic write: not eight bytes, an odd address, a right that is missing", "[rxe][atomic_write]") {
  Pair pair;
  SECTION("the length, at once") {
    Connection c(pair);
    REQUIRE(c.valid);
    CHECK(code_of(c.a.post(atomic_write(1, c.b.remote(0)).with(c.a.sge(0, 4)))) == EINVAL);
    CHECK(code_of(c.a.post(atomic_write(1, c.b.remote(0)).flag(rxe::send_flag::kInline))) == EINVAL);
  }
  SECTION("the address is the responder's to refuse") {
    Connection c(pair);
    REQUIRE(c.valid);
    REQUIRE(c.a.post(atomic_write(1, c.b.remote(4)).with(c.a.sge(0, 8))));
    settle(pair);
    expect_sent(c.a, 1, WcStatus::kRemInvReqErr);
    CHECK(pair.b.count_events(EventType::kQpReqErr, &c.b) == 1);
  }
  SECTION("it is a WRITE as to rights") {
    QpOptions reads = options();
    reads.access = rxe::access::kRemoteRead | rxe::access::kRemoteAtomic;
    Connection c(pair, options(), reads);
    REQUIRE(c.valid);
    REQUIRE(c.a.post(atomic_write(1, c.b.remote(0)).with(c.a.sge(0, 8))));
    settle(pair);
    expect_sent(c.a, 1, WcStatus::kRemAccessErr);
  }
  SECTION("RC alone has it") {
    for (const QpType type : {QpType::kUc, QpType::kUd, QpType::kXrcSend}) {
      QpOptions other;
      other.type = type;
      Connection c(pair, other);
      REQUIRE(c.valid);
      CHECK(code_of(c.a.post(atomic_write(1, c.b.remote(0)).with(c.a.sge(0, 8)))) == EINVAL);
    }
  }
  SECTION("without READs there are none") {
    QpOptions none = options();
    none.max_rd_atomic = 0;
    Connection c(pair, none, options());
    REQUIRE(c.valid);
    CHECK(code_of(c.a.post(atomic_write(1, c.b.remote(0)).with(c.a.sge(0, 8)))) == EINVAL);
    CHECK(code_of(post(c.a, flush(1, c.b.remote(0), 8))) == EINVAL);
  }
}

TEST_CASE("atomic write: one whose confirmation is lost is repeated and not executed again",
          "[rxe][atomic_write][loss]") {
  Pair pair;
  Connection c(pair);
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  pair.b_to_a.drop_if([](const wire::Packet& p) { return p.bth.opcode == Opcode::kRcRdmaReadResponseOnly; }, 1);
  REQUIRE(c.a.post(atomic_write(1, c.b.remote(0)).with(c.a.sge(0, 8))));
  pair.advance(base::Duration::us(100));
  CHECK(c.b.memory.holds(0, 8, 1, 0));
  c.b.memory.clear();  // what is written here meanwhile must stay
  settle(pair);
  expect_sent(c.a, 1);
  CHECK(pair.count_sent('a', Opcode::kRcAtomicWrite) == 2);
  std::uint64_t word = 1;
  std::memcpy(&word, c.b.memory.data(), 8);
  CHECK(word == 0);
}

TEST_CASE("flush: completes behind the WRITEs before it, for a range or the whole region", "[rxe][flush]") {
  Pair pair;
  Connection c(pair, options());
  REQUIRE(c.valid);
  c.a.memory.fill(1);
  Flushable there(c.b);
  const Remote remote = there.region.remote(0);
  REQUIRE(c.a.post(Work::write(1, remote).with(c.a.sge(0, 3000))));
  REQUIRE(post(c.a, flush(2, remote, 3000)));
  REQUIRE(post(c.a, flush(3, remote, 0, Feth::kGlobal | Feth::kPersistent, Feth::kRegion)));
  settle(pair);
  expect_sent(c.a, 1);
  CHECK(expect_sent(c.a, 2).opcode == WcOpcode::kFlush);
  expect_sent(c.a, 3);
  CHECK(there.region.holds(0, 3000, 1, 0));
  std::size_t seen = 0;
  for (const Recorded& sent : pair.sent) {
    const wire::Packet& packet = sent.packet.header();
    if (packet.bth.opcode != Opcode::kRcFlush) continue;
    CHECK(packet.feth == (seen == 0 ? Feth{Feth::kGlobal, Feth::kRange} : Feth{3, Feth::kRegion}));
    CHECK(packet.reth.dma_length == (seen == 0 ? 3000 : 0));
    ++seen;
  }
  CHECK(seen == 2);
  CHECK(pair.count_sent('b', Opcode::kRcRdmaReadResponseOnly) == 2);
}

TEST_CASE("flush: an unknown placement or selectivity is invalid, a missing right an access error", "[rxe][flush]") {
  struct Case {
    std::uint8_t placement, selectivity;
    std::uint32_t region_rights, qp_rights, length;
    WcStatus status;
  };
  const Case each =
      GENERATE(Case{0, 0, kFlushes, kFlushes, 8, WcStatus::kRemInvReqErr},
               Case{4, 0, kFlushes, kFlushes, 8, WcStatus::kRemInvReqErr},
               Case{1, 2, kFlushes, kFlushes, 8, WcStatus::kRemInvReqErr},
               Case{1, 0, 0, kFlushes, 8, WcStatus::kRemAccessErr}, Case{1, 0, kFlushes, 0, 8, WcStatus::kRemAccessErr},
               Case{3, 0, rxe::access::kFlushGlobal, kFlushes, 8, WcStatus::kRemAccessErr},
               Case{2, 0, kFlushes, rxe::access::kFlushGlobal, 8, WcStatus::kRemAccessErr},
               Case{1, 0, kFlushes, kFlushes, 5000, WcStatus::kRemAccessErr});
  Pair pair;
  QpOptions receiving;
  receiving.access |= each.qp_rights;
  Connection c(pair, QpOptions{}, receiving);
  REQUIRE(c.valid);
  Flushable there(c.b, each.region_rights);
  REQUIRE(post(c.a, flush(1, there.region.remote(0), each.length, each.placement, each.selectivity)));
  settle(pair);
  expect_sent(c.a, 1, each.status);
}

TEST_CASE("flush: one whose confirmation is lost is confirmed again, and takes a place among the READs",
          "[rxe][flush]") {
  Pair pair;
  QpOptions one = options();
  one.max_rd_atomic = 1;
  Connection c(pair, one);
  REQUIRE(c.valid);
  Flushable there(c.b);
  pair.b_to_a.drop_if([](const wire::Packet& p) { return p.bth.opcode == Opcode::kRcRdmaReadResponseOnly; }, 1);
  REQUIRE(post(c.a, flush(1, there.region.remote(0), 8)));
  REQUIRE(post(c.a, flush(2, there.region.remote(0), 8)));
  pair.advance(base::Duration::us(100));
  CHECK(pair.count_sent('a', Opcode::kRcFlush) == 1);  // the second waits for the first's confirmation
  settle(pair);
  expect_sent(c.a, 1);
  expect_sent(c.a, 2);
  CHECK(pair.count_sent('a', Opcode::kRcFlush) == 3);
}

TEST_CASE("flush: a confirmation with bytes in it is a bad response", "[rxe][flush][hostile]") {
  Pair pair;
  Connection c(pair, options());
  REQUIRE(c.valid);
  Flushable there(c.b);
  pair.b.out = [&, inner = pair.b.out](const wire::Packet& packet) {
    static constexpr std::byte kBytes[8] = {};
    wire::Packet changed = packet;
    if (packet.bth.opcode == Opcode::kRcRdmaReadResponseOnly) changed.payload = {kBytes, 8, {}};
    inner(changed);
  };
  REQUIRE(post(c.a, flush(1, there.region.remote(0), 8)));
  settle(pair);
  expect_sent(c.a, 1, WcStatus::kBadRespErr);
}

}  // namespace rocelab::test
