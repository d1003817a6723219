// Selective repeat between two engines (DeviceOptions::loss_recovery): what comes out of order is placed at once, what
// is lost is sent again and nothing else, messages complete in order.
#include <algorithm>
#include <vector>

#include "tests/rxe/harness/expect.h"

namespace rocelab::test {

using rxe::WcStatus;
using wire::Operation;

namespace {

PairOptions selective_options(std::uint32_t reorder_packets = 1) {
  PairOptions options;
  for (rxe::DeviceOptions* device : {&options.a, &options.b}) {
    device->loss_recovery = rxe::LossRecovery::kSelectiveRepeat;
    device->selective.reorder_packets = reorder_packets;
  }
  return options;
}

FaultyLink::Match psn_is(std::uint32_t psn) {
  return [psn](const wire::Packet& packet) { return packet.bth.psn.value() == psn; };
}
FaultyLink::Match is(Operation operation) {
  return [operation](const wire::Packet& packet) { return wire::operation_of(packet.bth.opcode) == operation; };
}

struct Fixture {
  Pair pair;
  Connection c;
  explicit Fixture(const QpOptions& options = {}, const PairOptions& pair_options = selective_options())
      : pair(pair_options), c(pair, options) {
    REQUIRE(c.valid);
    c.a.memory.fill(1);
    c.b.memory.clear();
  }
  std::size_t sent(char from) const {
    return static_cast<std::size_t>(
        std::count_if(pair.sent.begin(), pair.sent.end(), [from](const Recorded& r) { return r.from == from; }));
  }
  std::size_t times_sent(char from, std::uint32_t psn) const {
    return static_cast<std::size_t>(std::count_if(pair.sent.begin(), pair.sent.end(), [&](const Recorded& r) {
      return r.from == from && r.packet.header().bth.psn.value() == psn;
    }));
  }
  bool same(std::size_t a_offset, std::size_t b_offset, std::size_t length) {
    const std::byte* from = c.a.memory.data() + a_offset;
    return std::equal(from, from + length, c.b.memory.data() + b_offset);
  }
};

}  // namespace

TEST_CASE("selective: each packet of a WRITE says where it goes", "[rxe][selective]") {
  Fixture f;
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 3000))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  CHECK(f.same(0, 0, 3000));
  REQUIRE(f.sent('a') == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const wire::Packet& packet = f.pair.sent[i].packet.header();
    CHECK(wire::transport_of(packet.bth.opcode) == wire::Transport::kSelective);
    CHECK(packet.reth.virtual_address == f.c.b.remote(0).addr + 1024 * i);
    CHECK(packet.reth.dma_length == (i == 2 ? 3000 : 3000 - 1024 * i));
  }
}

TEST_CASE("selective: of a message that loses any one packet that packet alone is sent again", "[rxe][selective]") {
  for (const bool send : {false, true}) {
    for (std::uint32_t lost = 0; lost < 9; ++lost) {
      INFO((send ? "SEND" : "WRITE") << ", packet " << lost << " of 10 lost");
      Fixture f;
      REQUIRE(f.c.b.recv(100, 0, 16'384));
      f.pair.a_to_b.drop_if(psn_is(1000 + lost));
      REQUIRE(f.c.a.post(send ? Work::send(1).with(f.c.a.sge(0, 10'000))
                              : Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 10'000))));
      settle(f.pair);
      expect_sent(f.c.a, 1);
      if (send) CHECK(expect_received(f.c.b, 100).byte_len == 10'000);
      CHECK(f.same(0, 0, 10'000));
      CHECK(f.sent('a') == 11);
      CHECK(f.times_sent('a', 1000 + lost) == 2);
      CHECK(f.pair.a.device.counters().resent_pkts == 1);
    }
  }
}

TEST_CASE("selective: several losses are repaired in one round, without a timeout", "[rxe][selective]") {
  Fixture f;
  for (const std::uint32_t lost : {1003u, 1004u, 1011u}) f.pair.a_to_b.drop_if(psn_is(lost));
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 16'384))));
  const base::TimePoint begin = f.pair.now();
  settle(f.pair);
  expect_sent(f.c.a, 1);
  CHECK(f.same(0, 0, 16'384));
  CHECK(f.sent('a') == 19);
  CHECK(f.pair.now() - begin < f.pair.a.device.options().selective.rto_low);
}

TEST_CASE("selective: a lost tail is found by the retransmission timeout", "[rxe][selective]") {
  Fixture f;
  for (const std::uint32_t lost : {1014u, 1015u}) f.pair.a_to_b.drop_if(psn_is(lost));
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 16'384))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  CHECK(f.same(0, 0, 16'384));
  CHECK(f.sent('a') == 19);  // the oldest, which had arrived, and the two
}

TEST_CASE("selective: messages that arrive in any order complete in order, each in its own receive",
          "[rxe][selective]") {
  Fixture f;
  for (std::size_t i = 0; i < 6; ++i) REQUIRE(f.c.b.recv(100 + i, 4096 * i, 4096));
  f.pair.a_to_b.delay_if(psn_is(1000), base::Duration::us(20));
  f.pair.a_to_b.delay_if(psn_is(1003), base::Duration::us(10));
  for (std::size_t i = 0; i < 6; ++i) {
    Work work = i == 2 ? Work::write(1 + i, f.c.b.remote(40'960)).with(f.c.a.sge(40'960, 1500))
                       : Work::send(1 + i).with(f.c.a.sge(4096 * i, 1500 + i));
    REQUIRE(f.c.a.post(work.imm(static_cast<std::uint32_t>(i))));
  }
  settle(f.pair);
  for (std::size_t i = 0; i < 6; ++i) expect_sent(f.c.a, 1 + i);
  for (std::size_t i = 0; i < 6; ++i) {
    const rxe::Completion received = expect_received(f.c.b, 100 + i);
    CHECK(received.immediate == i);
    CHECK(received.byte_len == (i == 2 ? 1500 : 1500 + i));
    if (i != 2) CHECK(f.same(4096 * i, 4096 * i, 1500 + i));
  }
  CHECK(f.same(40'960, 40'960, 1500));
  expect_nothing(f.c.b);
}

TEST_CASE("selective: lost READ responses are asked for again, and only they", "[rxe][selective]") {
  for (std::uint32_t lost = 0; lost < 10; ++lost) {
    INFO("response " << lost << " of 10 lost");
    Fixture f;
    f.c.b.memory.fill(2);
    f.pair.b_to_a.drop_if(psn_is(1000 + lost));
    REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 10'000))));
    settle(f.pair);
    expect_sent(f.c.a, 1);
    CHECK(f.same(0, 0, 10'000));
    CHECK(f.sent('b') == 11);
  }
}

TEST_CASE("selective: READs, atomics and WRITEs behind them keep their order over a link that reorders",
          "[rxe][selective]") {
  Fixture f;
  f.pair.a_to_b.faults.reorder = f.pair.b_to_a.faults.reorder = 300;
  f.pair.a_to_b.faults.loss = f.pair.b_to_a.faults.loss = 50;
  f.c.b.memory.fill(2);
  const std::vector<std::byte> old(f.c.b.memory.data(), f.c.b.memory.data() + 4000);
  REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 4000))));
  REQUIRE(f.c.a.post(Work::write(2, f.c.b.remote(0)).with(f.c.a.sge(8000, 4000))));
  REQUIRE(f.c.a.post(Work::fetch_add(3, f.c.b.remote(16'000), 5).with(f.c.a.sge(16'000, 8))));
  REQUIRE(f.c.a.post(Work::read(4, f.c.b.remote(0)).with(f.c.a.sge(20'000, 4000))));
  settle(f.pair);
  for (const std::uint64_t wr_id : {1u, 2u, 3u, 4u}) expect_sent(f.c.a, wr_id);
  const std::byte* memory = f.c.a.memory.data();
  CHECK(std::equal(old.begin(), old.end(), memory));
  CHECK(std::equal(memory + 8000, memory + 12'000, memory + 20'000));
}

TEST_CASE("selective: without a receive the peer waits, and the message comes whole in the end", "[rxe][selective]") {
  Fixture f;
  f.pair.a_to_b.delay_if(psn_is(1000), base::Duration::us(5));
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 3000)).imm(7)));
  REQUIRE(f.c.a.post(Work::send(2).with(f.c.a.sge(4096, 3000))));
  f.pair.advance(base::Duration::us(300));
  REQUIRE(f.c.b.recv(100, 8192, 4096));
  REQUIRE(f.c.b.recv(101, 4096, 4096));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_sent(f.c.a, 2);
  CHECK(expect_received(f.c.b, 100).byte_len == 3000);
  CHECK(expect_received(f.c.b, 101).byte_len == 3000);
  CHECK(f.same(0, 0, 3000));
  CHECK(f.same(4096, 4096, 3000));
}

TEST_CASE("selective: an access that is refused is refused in its turn, and receives are flushed once",
          "[rxe][selective]") {
  Fixture f;
  for (std::size_t i = 0; i < 4; ++i) REQUIRE(f.c.b.recv(100 + i, 4096 * i, 4096));
  Remote wrong = f.c.b.remote(0);
  wrong.rkey ^= 0x100;
  f.pair.a_to_b.delay_if(psn_is(1000), base::Duration::us(5));
  REQUIRE(f.c.a.post(Work::send(1).with(f.c.a.sge(0, 100))));
  REQUIRE(f.c.a.post(Work::write(2, wrong).with(f.c.a.sge(0, 3000))));
  REQUIRE(f.c.a.post(Work::send(3).with(f.c.a.sge(0, 100))));
  settle(f.pair);
  expect_sent(f.c.a, 1);
  expect_sent(f.c.a, 2, WcStatus::kRemAccessErr);
  expect_sent(f.c.a, 3, WcStatus::kWrFlushErr);
  expect_received(f.c.b, 100);
  for (std::uint64_t i = 1; i < 4; ++i) expect_received(f.c.b, 100 + i, WcStatus::kWrFlushErr);
  expect_nothing(f.c.b);
}

TEST_CASE("selective: with a reorder tolerance a sprayed link repeats nothing", "[rxe][selective]") {
  for (const std::uint32_t tolerance : {1u, 100u}) {
    Fixture f({}, selective_options(tolerance));
    f.pair.a_to_b.faults.reorder = 500;
    REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 65'536))));
    settle(f.pair);
    expect_sent(f.c.a, 1);
    CHECK(f.same(0, 0, 65'536));
    CHECK((f.pair.a.device.counters().resent_pkts == 0) == (tolerance == 100));
  }
}

TEST_CASE("selective: a peer that does not answer ends in RETRY_EXC, with longer and longer waits",
          "[rxe][selective]") {
  Fixture f;
  f.pair.a_to_b.drop_all(true);
  REQUIRE(f.c.a.post(Work::write(1, f.c.b.remote(0)).with(f.c.a.sge(0, 3000))));
  settle(f.pair);
  expect_sent(f.c.a, 1, WcStatus::kRetryExcErr);
  CHECK(f.sent('a') == 3 + 3);
}

TEST_CASE("selective: an acknowledgement that claims READ data does not stand for it", "[rxe][selective]") {
  Fixture f;
  f.pair.b_to_a.drop_if(is(Operation::kRdmaReadResponseFirst));
  REQUIRE(f.c.a.post(Work::read(1, f.c.b.remote(0)).with(f.c.a.sge(0, 4000))));
  REQUIRE(f.pair.drive_until([&] { return f.sent('a') == 1; }));
  wire::Packet ack = f.pair.sent[0].packet.header();
  std::swap(ack.path.source_gid, ack.path.destination_gid);
  ack.payload = {};
  ack.bth.destination_qpn = f.c.a.qpn;
  ack.bth.opcode = static_cast<wire::Opcode>(wire::opcode_value(wire::Transport::kSelective, Operation::kAcknowledge));
  ack.bth.psn = wire::Psn(1003);
  ack.aeth = wire::Aeth::nak(wire::NakCode::kPsnSequenceError, 1000);
  ack.atomic_ack_eth.original = ~0ull;
  f.pair.inject(f.pair.a, ack);
  CHECK_FALSE(f.c.a.poll(f.c.a.send_cq).has_value());
  settle(f.pair);
  expect_sent(f.c.a, 1);
  CHECK(f.same(0, 0, 4000));
}

}  // namespace rocelab::test
