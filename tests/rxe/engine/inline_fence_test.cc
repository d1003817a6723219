// Inline data and fences.
#include <array>
#include <cerrno>
#include <vector>

#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::WcStatus;
using wire::Opcode;

namespace {

struct Fixture {
  Pair pair;
  Connection c;
  explicit Fixture(const QpOptions& options = {}) : c(pair, options) {
    REQUIRE(c.valid);
    c.b.memory.clear();
  }
};

}  // namespace

TEST_CASE("inline: bytes are copied when posted, so the buffer may change at once", "[rxe][inline]") {
  Fixture f;
  std::array<std::byte, 200> buffer;
  for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i] = pattern(9, i);
  REQUIRE(f.c.b.recv(100, 1000, 200));
  REQUIRE(f.c.a.post(Work::send(1).inlined(buffer.data(), 200)));
  REQUIRE(f.c.a.post(Work::write(2, f.c.b.remote(3000)).inlined(buffer.data(), 100).inlined(buffer.data() + 100, 3)));
  buffer.fill(std::byte{0xee});
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_sent(f.c.a, 2);
  CHECK(expect_received(f.c.b, 100).byte_len == 200);
  CHECK(f.c.b.memory.holds(1000, 200, 9, 0));
  CHECK(f.c.b.memory.holds(3000, 103, 9, 0));
}

TEST_CASE("inline: no key is needed, up to max_inline_data bytes, one more is refused", "[rxe][inline]") {
  Fixture f;
  const std::uint32_t most = f.pair.a.device.query_qp(f.c.a.qpn)->cap.max_inline_data;
  CHECK(most >= 256);
  std::vector<std::byte> buffer(most + 1, std::byte{7});
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).inlined(buffer.data(), most)));
  const int refused = code_of(f.c.a.post(Work::write(2, f.c.b.remote(0)).inlined(buffer.data(), most + 1)));
  CHECK((refused == EINVAL || refused == ENOMEM));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_nothing(f.c.a);
  CHECK(static_cast<int>(f.c.b.memory.data()[most - 1]) == 7);
}

TEST_CASE("inline: a lost packet is repeated from the copy", "[rxe][inline][loss]") {
  Fixture f({.mtu = rxe::PathMtu::k256});
  std::array<std::byte, 250> buffer;
  for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i] = pattern(9, i);
  f.pair.a_to_b.drop_nth(1);
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).inlined(buffer.data(), 250)));
  f.pair.advance(base::Duration::us(10));
  buffer.fill(std::byte{0});
  settle(f.pair);
  expect_sent(f.c.a, 1);
  CHECK(f.c.b.memory.holds(0, 250, 9, 0));
}

TEST_CASE("inline: a full queue of inline requests keeps each one's bytes", "[rxe][inline]") {
  Fixture f;
  for (std::uint64_t id = 0; id < 64; ++id) {
    std::array<std::byte, 64> buffer;
    for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i] = pattern(id, i);
    REQUIRE(f.c.a.post(Work::write(id, f.c.b.remote(id * 64)).inlined(buffer.data(), 64)));
  }
  settle(f.pair);
  for (std::uint64_t id = 0; id < 64; ++id) CHECK(f.c.b.memory.holds(id * 64, 64, id, 0));
}

TEST_CASE("fence: a fenced request waits for the READs and ATOMICs before it", "[rxe][fence]") {
  for (const bool atomic : {false, true}) {
    Fixture f;
    f.pair.b_to_a.delay_if([](const wire::Packet&) { return true; }, base::Duration::us(30));
    if (atomic) {
      REQUIRE(f.c.a.post(Work::fetch_add(1, f.c.b.remote(0), 1).with(f.c.a.sge(0, 8))));
    } else {
      REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 8))));
    }
    REQUIRE(f.c.a.post(Work::write(2, f.c.b.remote(64)).with(f.c.a.sge(0, 8)).fenced()));
    REQUIRE(f.c.a.post(Work::write(3, f.c.b.remote(72)).with(f.c.a.sge(0, 8))));
    f.pair.advance(base::Duration::us(20));
    CHECK(f.pair.count_sent('a', Opcode::kRcRdmaWriteOnly) == 0);
    settle(f.pair);
    CHECK(f.pair.count_sent('a', Opcode::kRcRdmaWriteOnly) == 2);
    for (const std::uint64_t id : {1u, 2u, 3u}) expect_sent(f.c.a, id);
  }
}

TEST_CASE("fence: what a fenced WRITE sends is what the READ before it has brought", "[rxe][fence]") {
  Fixture f;
  f.c.b.memory.set_word(0, 0xabcdef);
  f.c.a.memory.set_word(0, 1);
  REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 8))));
  REQUIRE(f.c.a.post(Work::write(2, f.c.b.remote(64)).with(f.c.a.sge(0, 8)).fenced()));
  settle(f.pair);
  CHECK(f.c.b.memory.word(64) == 0xabcdef);
}

TEST_CASE("fence: without it a request does not wait", "[rxe][fence]") {
  Fixture f;
  f.pair.b_to_a.delay_if([](const wire::Packet&) { return true; }, base::Duration::us(30), 100);
  REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 8))));
  REQUIRE(f.c.a.post(Work::write(2, f.c.b.remote(64)).with(f.c.a.sge(512, 8))));
  f.pair.advance(base::Duration::us(20));
  CHECK(f.pair.count_sent('a', Opcode::kRcRdmaWriteOnly) == 1);
}

TEST_CASE("fence: writes before it are not waited for, and with nothing before it it goes at once", "[rxe][fence]") {
  Fixture f;
  f.pair.b_to_a.delay_if([](const wire::Packet&) { return true; }, base::Duration::us(30));
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 8)).fenced()));
  REQUIRE(f.c.a.post(Work::write(2, f.c.b.remote(64)).with(f.c.a.sge(0, 8)).fenced()));
  f.pair.advance(base::Duration::us(5));
  CHECK(f.pair.count_sent('a', Opcode::kRcRdmaWriteOnly) == 2);
}

}  // namespace rocelab::test
