// The opcode table: one row per opcode, compared with tests/wire/golden/opcodes.txt, so that a changed property is a
// visible difference; and what must hold between properties.
#include "wire/opcode.h"

#include <fmt/format.h>

#include <set>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/golden.h"

namespace rocelab::wire {

namespace {

std::string row(Opcode op) {
  std::string text = fmt::format("{:#04x} {}", static_cast<unsigned>(op), name(op));
  const auto say = [&text](bool yes, const char* what) {
    if (yes) text += std::string(" ") + what;
  };
  say(is_request(op), "request");
  say(is_response(op), "response");
  say(is_send(op), "send");
  say(is_write(op), "write");
  say(is_read_response(op), "read_response");
  say(is_atomic(op), "atomic");
  say(starts_message(op), "starts");
  say(ends_message(op), "ends");
  text += " |";
  say(has_xrceth(op), "XRCETH");
  say(has_deth(op), "DETH");
  say(has_feth(op), "FETH");
  say(has_reth(op), "RETH");
  say(has_atomic_eth(op), "AtomicETH");
  say(has_aeth(op), "AETH");
  say(has_atomic_ack_eth(op), "AtomicAckETH");
  say(has_immediate(op), "ImmDt");
  say(has_ieth(op), "IETH");
  say(has_payload(op), "payload");
  return text + "\n";
}

template <class Visit>
void for_each_opcode(Visit visit) {
  for (unsigned value = 0; value < 256; ++value) {
    if (is_valid(static_cast<Opcode>(value))) visit(static_cast<Opcode>(value));
  }
}

}  // namespace

TEST_CASE("opcodes: every property of every opcode is the golden one", "[wire][opcode][golden]") {
  std::string text;
  for_each_opcode([&text](Opcode op) { text += row(op); });
  CHECK(test::differs_from_golden(text, "tests/wire/golden/opcodes.txt") == "");
}

TEST_CASE(
    "opcodes: 25 of RC, 12 of UC, 2 of UD, 23 of XRC, the CNP and 23 of selective repeat, each with a name of its own",
    "[wire][opcode]") {
  unsigned count[8] = {};
  std::set<std::string> names;
  for_each_opcode([&](Opcode op) {
    ++count[static_cast<unsigned>(transport_of(op))];
    names.insert(std::string(name(op)));
  });
  CHECK(count[static_cast<unsigned>(Transport::kRc)] == 25);
  CHECK(count[static_cast<unsigned>(Transport::kUc)] == 12);
  CHECK(count[static_cast<unsigned>(Transport::kRd)] == 0);
  CHECK(count[static_cast<unsigned>(Transport::kUd)] == 2);
  CHECK(count[static_cast<unsigned>(Transport::kXrc)] == 23);
  CHECK(count[static_cast<unsigned>(Transport::kCnp)] == 1);
  CHECK(count[static_cast<unsigned>(Transport::kSelective)] == 23);
  CHECK(count[7] == 0);
  CHECK(names.size() == 86);
  CHECK(names.count("UNKNOWN") == 0);
  CHECK(name(static_cast<Opcode>(0xff)) == "UNKNOWN");
}

TEST_CASE("opcodes: transport and operation make the opcode", "[wire][opcode]") {
  for_each_opcode(
      [](Opcode op) { CHECK(opcode_value(transport_of(op), operation_of(op)) == static_cast<std::uint8_t>(op)); });
  CHECK(opcode_value(Transport::kUd, Operation::kSendOnly) == 0x64);
  CHECK(opcode_value(Transport::kXrc, Operation::kSendOnlyWithInvalidate) == 0xb7);
}

TEST_CASE("opcodes: a packet is a request or a response, and an XRC request names its receive queue",
          "[wire][opcode]") {
  for_each_opcode([](Opcode op) {
    INFO(name(op));
    CHECK(is_request(op) + is_response(op) == (op == Opcode::kCnp ? 0 : 1));
    CHECK(has_xrceth(op) == (transport_of(op) == Transport::kXrc && is_request(op)));
    CHECK(has_deth(op) == (transport_of(op) == Transport::kUd));
    CHECK((has_immediate(op) || has_ieth(op)) <= ends_message(op));
    CHECK(is_send(op) + is_write(op) + is_read_response(op) + is_atomic(op) <= 1);
  });
}

}  // namespace rocelab::wire
