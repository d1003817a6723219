// See naive_icrc.h. The description (IBTA vol 1, 7.8.1 and annex A17.3.2), step by step:
//  1. In front of the packet stand eight bytes of ones, in place of InfiniBand's local routing header.
//  2. In the packet, from the IP header or GRH on, fields that change on the way are replaced by ones: traffic class,
//     flow label and hop limit; of IPv4 also the header checksum; the UDP checksum; the BTH's byte between P_Key and
//     destination QP (Resv8a, later FECN and BECN).
//  3. The generator is x^32 + x^26 + x^23 + x^22 + x^16 + x^12 + x^11 + x^10 + x^8 + x^7 + x^5 + x^4 + x^2 + x + 1; the
//     remainder starts as ones; bits enter byte by byte, each byte's least significant bit first.
//  4. The remainder's complement is sent with its highest power first, again into least significant bits first.
#include "tests/support/naive_icrc.h"

#include <cstdint>
#include <vector>

namespace rocelab::test {

namespace {

enum class Kind { kIpv4, kIpv6, kGrh };

unsigned at(std::span<const std::byte> bytes, std::size_t offset) { return std::to_integer<unsigned>(bytes[offset]); }
std::size_t word(std::span<const std::byte> bytes, std::size_t offset) {
  return at(bytes, offset) * 256 + at(bytes, offset + 1);
}

struct Layout {
  Kind kind;
  std::size_t network;  // offset of the IP header or GRH
  std::size_t icrc;     // offset of the ICRC
};

Layout layout_of(std::span<const std::byte> frame) {
  std::size_t type_at = 12;
  if (word(frame, type_at) == 0x8100) type_at += 4;
  const std::size_t network = type_at + 2;
  switch (word(frame, type_at)) {
    case 0x0800:
      return {Kind::kIpv4, network, network + word(frame, network + 2) - 4};
    case 0x86dd:
      return {Kind::kIpv6, network, network + 40 + word(frame, network + 4) - 4};
    default:
      return {Kind::kGrh, network, network + 40 + word(frame, network + 4) - 4};
  }
}

class Remainder {
 public:
  void add(std::byte byte) {
    for (unsigned bit = 0; bit < 8; ++bit) add_bit((std::to_integer<unsigned>(byte) >> bit & 1) != 0);
  }
  IcrcBytes sent() const {
    IcrcBytes bytes{};
    for (unsigned power = 0; power < 32; ++power) {
      const bool one = coefficient_[31 - power];
      if (!one) bytes[power / 8] |= std::byte{1} << power % 8;  // the complement
    }
    return bytes;
  }

 private:
  void add_bit(bool in) {
    const bool feedback = coefficient_[31] != in;
    for (std::size_t power = 31; power > 0; --power) coefficient_[power] = coefficient_[power - 1];
    coefficient_[0] = false;
    if (!feedback) return;
    for (const std::size_t power : {26u, 23u, 22u, 16u, 12u, 11u, 10u, 8u, 7u, 5u, 4u, 2u, 1u, 0u}) {
      coefficient_[power] = !coefficient_[power];
    }
  }

  std::array<bool, 32> coefficient_ = [] {
    std::array<bool, 32> ones;
    ones.fill(true);
    return ones;
  }();
};

}  // namespace

std::size_t icrc_offset(std::span<const std::byte> frame) { return layout_of(frame).icrc; }

IcrcBytes naive_icrc(std::span<const std::byte> frame) {
  const Layout layout = layout_of(frame);
  std::vector<std::byte> bytes(frame.begin() + static_cast<std::ptrdiff_t>(layout.network),
                               frame.begin() + static_cast<std::ptrdiff_t>(layout.icrc));
  const auto ones = [&bytes](std::size_t offset, unsigned bits = 0xff) {
    bytes[offset] |= static_cast<std::byte>(bits);
  };
  std::size_t bth = 40;
  if (layout.kind == Kind::kIpv4) {
    ones(1);  // type of service
    ones(8);  // time to live
    ones(10), ones(11);
    ones(26), ones(27);  // UDP checksum
    bth = 28;
  } else {
    ones(0, 0x0f), ones(1, 0xf0);              // traffic class
    ones(1, 0x0f), ones(2), ones(3), ones(7);  // flow label, hop limit
    if (layout.kind == Kind::kIpv6) {
      ones(46), ones(47);  // UDP checksum
      bth = 48;
    }
  }
  ones(bth + 4);
  Remainder remainder;
  for (unsigned i = 0; i < 8; ++i) remainder.add(std::byte{0xff});
  for (const std::byte byte : bytes) remainder.add(byte);
  return remainder.sent();
}

}  // namespace rocelab::test
