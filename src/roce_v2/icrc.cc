// ICRC of RoCE v2: the headers up to the BTH are copied and masked (at most 60 bytes), everything behind is read where
// it lies.
#include <cstring>

#include "roce_v2/encapsulation.h"
#include "wire/bth.h"
#include "wire/icrc.h"

namespace rocelab::roce_v2 {

namespace {

constexpr std::byte kOnes{0xff};

template <std::size_t kHeaderBytes, class Mask>
std::uint32_t icrc(const std::byte* ip, std::size_t bytes_before_icrc, Mask mask) {
  constexpr std::size_t kMasked = kHeaderBytes + wire::Bth::kSize;
  std::byte header[kMasked];
  std::memcpy(header, ip, kMasked);
  mask(header);
  header[kHeaderBytes - 2] = header[kHeaderBytes - 1] = kOnes;  // UDP checksum
  header[kHeaderBytes + 4] = kOnes;                             // BTH: FECN, BECN, reserved
  const std::uint32_t crc = wire::crc32_continue(wire::kIcrcStart, header, kMasked);
  return wire::crc32_continue(crc, ip + kMasked, bytes_before_icrc - kMasked);
}

}  // namespace

std::uint32_t icrc_ipv4(const std::byte* ip, std::size_t bytes_before_icrc) {
  return icrc<kIpv4HeaderBytes>(ip, bytes_before_icrc, [](std::byte* header) {
    header[1] = kOnes;                // TOS
    header[8] = kOnes;                // TTL
    header[10] = header[11] = kOnes;  // header checksum
  });
}

std::uint32_t icrc_ipv6(const std::byte* ip, std::size_t bytes_before_icrc) {
  return icrc<kIpv6HeaderBytes>(ip, bytes_before_icrc, [](std::byte* header) {
    header[0] |= std::byte{0x0f};               // traffic class, upper half
    header[1] = header[2] = header[3] = kOnes;  // traffic class, lower half; flow label
    header[7] = kOnes;                          // hop limit
  });
}

}  // namespace rocelab::roce_v2
