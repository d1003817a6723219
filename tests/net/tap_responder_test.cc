// ARP and IPv6 neighbour discovery of a NIC without a kernel (net/tap/responder.h): two of them talk to each other, and
// to whoever sends nonsense.
#include <algorithm>

#include "base/rng.h"
#include "net/tap/responder.h"
#include "tests/support/catch.h"
#include "wire/bytes.h"

namespace rocelab::net::tap {

namespace {

constexpr wire::MacAddress kHere{0x02, 0, 0, 0, 0, 1}, kThere{0x02, 0, 0, 0, 0, 2};
const wire::Gid kHere4 = wire::Gid::from_ipv4(0x0a580001), kThere4 = wire::Gid::from_ipv4(0x0a580002);
const wire::Gid kHere6 = wire::parse_gid("fd00:88::1").value(), kThere6 = wire::parse_gid("fd00:88::2").value();

struct Two {
  Responder here{kHere, {kHere4, kHere6}}, there{kThere, {kThere4, kThere6}};
};

/// RFC 1071 over the ICMPv6 message and its pseudo-header: 0xffff when it is right.
std::uint32_t icmp_sum(const FrameBytes& frame) {
  const std::byte* const ip = frame.data() + 14;
  const std::size_t bytes = wire::load_be<std::uint16_t>(ip + 4);
  std::uint32_t sum = static_cast<std::uint32_t>(bytes) + 58;
  for (std::size_t i = 8; i < 40 + bytes; i += 2) sum += wire::load_be<std::uint16_t>(ip + i);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

}  // namespace

TEST_CASE("tap: a neighbour that is asked for answers, and is known from then on", "[net][tap]") {
  Two two;
  for (const auto& [own, other] : {std::pair(kHere4, kThere4), std::pair(kHere6, kThere6)}) {
    CHECK_FALSE(two.here.find(other));
    const FrameBytes question = two.here.ask(other, own);
    REQUIRE_FALSE(question.empty());
    CHECK_FALSE(two.here.find(other));
    const FrameBytes answer = two.there.take(question);
    REQUIRE_FALSE(answer.empty());
    CHECK(std::equal(kHere.begin(), kHere.end(), reinterpret_cast<const std::uint8_t*>(answer.data())));
    CHECK(two.here.take(answer).empty());
    CHECK(two.here.hear(answer));
    CHECK(two.here.find(other) == kThere);
    if (!other.is_ipv4_mapped()) {
      CHECK(icmp_sum(question) == 0xffff);
      CHECK(icmp_sum(answer) == 0xffff);
    }
  }
}

TEST_CASE("tap: others' questions are not answered, and answers that nobody asked for are not believed", "[net][tap]") {
  Two two;
  Responder third(wire::MacAddress{0x02, 0, 0, 0, 0, 3}, {wire::Gid::from_ipv4(0x0a580003)});
  for (const auto& [own, other] : {std::pair(kHere4, kThere4), std::pair(kHere6, kThere6)}) {
    const FrameBytes question = two.here.ask(other, own);
    CHECK(third.take(question).empty());
    const FrameBytes answer = two.there.take(question);
    CHECK_FALSE(third.hear(answer));  // it is not for this one
    CHECK_FALSE(third.find(other));
    Responder twin(kHere, {kHere4, kHere6});  // has not asked
    CHECK(twin.hear(answer));
    CHECK_FALSE(twin.find(other));
  }
  CHECK(two.here.ask(wire::Gid::from_ipv4(0xe0000001), kHere4).empty());
  CHECK(two.here.ask(kThere6, kHere4).empty());
  CHECK(two.here.ask(wire::Gid{}, kHere6).empty());
}

TEST_CASE("tap: who checks for a duplicate of our address is told, by way of all nodes", "[net][tap]") {
  Two two;
  FrameBytes question = two.here.ask(kThere6, kHere6);
  std::fill_n(question.begin() + 14 + 8, 16, std::byte{0});  // no address yet
  const FrameBytes answer = two.there.take(question);
  REQUIRE_FALSE(answer.empty());
  CHECK(icmp_sum(answer) == 0xffff);
  CHECK(wire::load_be<std::uint16_t>(answer.data() + 14 + 24) == 0xff02);
}

TEST_CASE("tap: any bytes may come, cut anywhere and damaged anywhere", "[net][tap]") {
  base::Rng rng(1, "responder");
  Two two;
  for (const auto& [own, other] : {std::pair(kHere4, kThere4), std::pair(kHere6, kThere6)}) {
    const FrameBytes question = two.here.ask(other, own);
    const FrameBytes answer = two.there.take(question);
    for (const FrameBytes& good : {question, answer}) {
      for (std::size_t bytes = 0; bytes < good.size(); ++bytes) {
        const FrameBytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(bytes));
        two.there.take(cut);
        two.here.hear(cut);
      }
      for (int round = 0; round < 2000; ++round) {
        FrameBytes damaged = good;
        damaged[rng.next() % damaged.size()] ^= static_cast<std::byte>(1u << rng.next() % 8);
        two.there.take(damaged);
        two.here.hear(damaged);
      }
    }
  }
  for (std::uint32_t i = 0; i < 3 * Responder::kNeighboursMax; ++i) {
    REQUIRE_FALSE(two.here.ask(wire::Gid::from_ipv4(0x0a000001 + i), kHere4).empty());
  }
}

}  // namespace rocelab::net::tap
