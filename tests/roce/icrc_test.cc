// The ICRC of every encapsulation against a second implementation (tests/support/naive_icrc.h) that goes bit by bit,
// and what it must and must not cover.
#include <algorithm>
#include <string>
#include <vector>

#include "base/rng.h"
#include "net/frame_codec.h"
#include "roce_v1/encapsulation.h"
#include "roce_v2/encapsulation.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/naive_icrc.h"
#include "tests/support/random_packet.h"

namespace rocelab {

using test::FrameBytes;
using wire::Encapsulation;
using wire::Opcode;

namespace {

test::IcrcBytes sent_icrc(const FrameBytes& frame) {
  test::IcrcBytes bytes{};
  const auto at = static_cast<std::ptrdiff_t>(test::icrc_offset(frame));
  std::copy_n(frame.begin() + at, bytes.size(), bytes.begin());
  return bytes;
}

constexpr std::size_t kNetwork = 14;  // offset of the network header in an untagged frame

std::uint32_t icrc(Encapsulation encapsulation, const FrameBytes& frame) {
  const std::byte* network = frame.data() + kNetwork;
  const std::size_t bytes = frame.size() - kNetwork - net::kIcrcBytes;
  switch (encapsulation) {
    case Encapsulation::kRoceV1:
      return roce_v1::icrc(network, bytes);
    case Encapsulation::kRoceV2Ipv4:
      return roce_v2::icrc_ipv4(network, bytes);
    case Encapsulation::kRoceV2Ipv6:
      return roce_v2::icrc_ipv6(network, bytes);
  }
  return 0;
}

/// Bits of each byte, from the network header on, that a router may change: the specification's list once more.
std::vector<std::uint8_t> variant_bits(Encapsulation encapsulation) {
  std::vector<std::uint8_t> bits(120, 0);
  std::size_t bth = 0;
  if (encapsulation == Encapsulation::kRoceV2Ipv4) {
    bits[1] = bits[8] = bits[10] = bits[11] = 0xff;
    bth = 28;
  } else {
    bits[0] = 0x0f;
    bits[1] = bits[2] = bits[3] = bits[7] = 0xff;
    bth = encapsulation == Encapsulation::kRoceV1 ? 40 : 48;
  }
  if (encapsulation != Encapsulation::kRoceV1) bits[bth - 1] = bits[bth - 2] = 0xff;
  bits[bth + 4] = 0xff;
  return bits;
}

}  // namespace

TEST_CASE("ICRC: the naive one agrees with every packet of Linux's rxe", "[roce][icrc][golden]") {
  for (const auto& frame : test::golden_frames()) {
    INFO(frame.origin);
    REQUIRE(test::naive_icrc(frame.bytes) == sent_icrc(frame.bytes));
  }
}

TEST_CASE("ICRC: the naive one agrees on every opcode and encapsulation, tagged or not", "[roce][icrc]") {
  base::Rng rng(1, "roce.icrc.opcodes");
  for (const Encapsulation encapsulation : test::kEncapsulations) {
    for (const bool vlan : {false, true}) {
      for (const Opcode opcode : test::all_opcodes()) {
        for (const std::size_t bytes : {0u, 1u, 4u, 15u, 28u, 29u, 32u, 33u, 100u}) {
          const auto frame = test::encoded(test::random_packet(rng, encapsulation, vlan, opcode, bytes).packet);
          INFO(name(opcode) << ", " << bytes << " bytes, encapsulation " << static_cast<int>(encapsulation));
          REQUIRE(test::naive_icrc(frame) == sent_icrc(frame));
        }
      }
    }
  }
}

TEST_CASE("ICRC: the naive one agrees on thousands of random packets", "[roce][icrc]") {
  base::Rng rng(2, "roce.icrc.random");
  for (unsigned i = 0; i < 5000; ++i) {
    const auto frame = test::encoded(test::random_packet(rng).packet);
    INFO("packet " << i);
    REQUIRE(test::naive_icrc(frame) == sent_icrc(frame));
  }
}

TEST_CASE("ICRC: it covers every bit but those that a router may change", "[roce][icrc]") {
  base::Rng rng(3, "roce.icrc.coverage");
  for (const Encapsulation encapsulation : test::kEncapsulations) {
    const auto frame =
        test::encoded(test::random_packet(rng, encapsulation, false, Opcode::kRcRdmaWriteOnly, 40).packet);
    const std::uint32_t expected = icrc(encapsulation, frame);
    const auto variant = variant_bits(encapsulation);
    for (std::size_t at = kNetwork; at < frame.size() - net::kIcrcBytes; ++at) {
      const unsigned may_change = at - kNetwork < variant.size() ? variant[at - kNetwork] : 0u;
      for (unsigned bit = 0; bit < 8; ++bit) {
        auto changed = frame;
        changed[at] ^= std::byte{1} << bit;
        INFO("encapsulation " << static_cast<int>(encapsulation) << " byte " << at - kNetwork << " bit " << bit);
        REQUIRE((icrc(encapsulation, changed) == expected) == ((may_change >> bit & 1) != 0));
      }
    }
  }
}

TEST_CASE("ICRC: the two encapsulations over the same addresses differ", "[roce][icrc]") {
  base::Rng rng(4, "roce.icrc.differ");
  const auto v1 = test::random_packet(rng, Encapsulation::kRoceV1, false, Opcode::kRcSendOnly, 40);
  auto v2 = v1.packet;
  v2.path.encapsulation = Encapsulation::kRoceV2Ipv6;
  CHECK(sent_icrc(test::encoded(v1.packet)) != sent_icrc(test::encoded(v2)));
}

}  // namespace rocelab
