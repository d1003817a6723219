// ICRC of RoCE v2: which bits of the headers a router may change (IBTA annex A17.3.2).
#include "wire/icrc.h"
#include "roce_v2/encapsulation.h"
#include "wire/bth.h"

namespace rocelab::roce_v2 {

namespace {

constexpr auto kIpv4Mask = [] {
  wire::IcrcMask<kIpv4HeaderBytes + wire::Bth::kSize> mask;
  mask.mask(1);                                                // TOS
  mask.mask(8);                                                // TTL
  mask.mask(10).mask(11);                                      // header checksum
  mask.mask(kIpv4HeaderBytes - 2).mask(kIpv4HeaderBytes - 1);  // UDP checksum
  mask.mask(kIpv4HeaderBytes + 4);                             // BTH: FECN, BECN, reserved
  return mask;
}();

constexpr auto kIpv6Mask = [] {
  wire::IcrcMask<kIpv6HeaderBytes + wire::Bth::kSize> mask;
  mask.mask(0, 0x0f);                                          // traffic class, upper half
  mask.mask(1).mask(2).mask(3);                                // traffic class, lower half; flow label
  mask.mask(7);                                                // hop limit
  mask.mask(kIpv6HeaderBytes - 2).mask(kIpv6HeaderBytes - 1);  // UDP checksum
  mask.mask(kIpv6HeaderBytes + 4);                             // BTH: FECN, BECN, reserved
  return mask;
}();

}  // namespace

std::uint32_t icrc_ipv4(const std::byte* ip, std::size_t bytes_before_icrc) {
  return kIpv4Mask.icrc(ip, bytes_before_icrc);
}

std::uint32_t icrc_ipv6(const std::byte* ip, std::size_t bytes_before_icrc) {
  return kIpv6Mask.icrc(ip, bytes_before_icrc);
}

}  // namespace rocelab::roce_v2
