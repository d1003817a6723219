// See icrc_change.h. The register of the CRC is a polynomial over GF(2) with its highest power in the lowest bit. Going
// on by one zero byte multiplies it by x^8, modulo the CRC's polynomial; two bytes of the packet enter in its lower
// half. So the effect of a difference is a product with x^(8 * distance), and x has an inverse.
#include "roce_v2/icrc_change.h"

#include <array>

namespace rocelab::roce_v2 {

namespace {

constexpr std::uint32_t kPolynomial = 0xedb88320;  // of Ethernet's CRC-32 (IBTA vol 1, 7.8.1), without x^32
constexpr std::uint32_t kOne = 0x8000'0000;        // x^0

constexpr std::uint32_t times_x(std::uint32_t a) { return a >> 1 ^ (kPolynomial & (0 - (a & 1))); }
constexpr std::uint32_t over_x(std::uint32_t a) { return (a & kOne) != 0 ? (a ^ kPolynomial) << 1 | 1 : a << 1; }

using Powers = std::array<std::uint32_t, kIcrcChangeBytesMax / 4 + 1>;
template <std::uint32_t (*kStep)(std::uint32_t)>
constexpr Powers make_powers() {
  Powers powers{};
  std::uint32_t power = kOne;
  for (std::uint32_t& entry : powers) {
    entry = power;
    for (int bit = 0; bit < 32; ++bit) power = kStep(power);
  }
  return powers;
}
constexpr Powers kForward = make_powers<times_x>();  // x^(32 i)
constexpr Powers kBackward = make_powers<over_x>();  // x^(-32 i)

std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (int bit = 0; bit < 32; ++bit) {
    product ^= b & (0 - (a >> 31));
    a <<= 1;
    b = times_x(b);
  }
  return product;
}

/// In the order in which the CRC takes them: the first byte lowest.
constexpr std::uint32_t swapped(std::uint32_t half) { return (half & 0xff) << 8 | half >> 8; }

}  // namespace

std::uint32_t icrc_change(std::uint16_t difference, std::size_t distance) {
  return multiply(swapped(difference), kForward[distance / 4]);
}

std::optional<std::uint16_t> explain_icrc_change(std::uint32_t change, std::size_t distance) {
  const std::uint32_t before = multiply(change, kBackward[distance / 4]);
  if (before > 0xffff) return std::nullopt;
  return static_cast<std::uint16_t>(swapped(before));
}

}  // namespace rocelab::roce_v2
