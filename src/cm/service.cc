// See service.h.
#include "cm/service.h"

#include <algorithm>

#include "wire/bytes.h"

namespace rocelab::cm {

namespace {

using wire::load_be;
using wire::load_u8;
using wire::store_be;
using wire::store_u8;

constexpr std::size_t kSourceAt = 4, kDestinationAt = 20, kGidBytes = 16, kIpv4At = 12;

wire::Gid load_address(const std::byte* p, bool is_ipv4) {
  if (is_ipv4) return wire::Gid::from_ipv4(load_be<std::uint32_t>(p + kIpv4At));
  wire::Gid gid;
  std::transform(p, p + kGidBytes, gid.bytes.begin(), [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
  return gid;
}

void store_address(std::byte* p, const wire::Gid& gid, bool is_ipv4) {
  for (std::size_t i = 0; i < kGidBytes; ++i) p[i] = std::byte{is_ipv4 && i < kIpv4At ? std::uint8_t{0} : gid.bytes[i]};
}

}  // namespace

std::optional<IpHeader> IpHeader::parse(std::span<const std::byte> private_data) {
  if (private_data.size() < kSize) return std::nullopt;
  const std::byte* p = private_data.data();
  IpHeader header;
  header.ip_version = load_u8(p + 1) >> 4;
  if (load_u8(p) != 0 || (header.ip_version != 4 && header.ip_version != 6)) return std::nullopt;
  header.source_port = load_be<std::uint16_t>(p + 2);
  header.source = load_address(p + kSourceAt, header.ip_version == 4);
  header.destination = load_address(p + kDestinationAt, header.ip_version == 4);
  return header;
}

void IpHeader::emit(std::span<std::byte> bytes) const {
  std::byte* p = bytes.data();
  store_u8(p, 0);
  store_u8(p + 1, static_cast<std::uint8_t>(ip_version << 4));
  store_be(p + 2, source_port);
  store_address(p + kSourceAt, source, ip_version == 4);
  store_address(p + kDestinationAt, destination, ip_version == 4);
}

unsigned fit(const Service& service, std::uint64_t id, std::span<const std::byte> private_data) {
  if ((service.id & service.mask) != (id & service.mask)) return 0;
  const bool any_family = service.family == Service::Family::kAny;
  if (!service.address && any_family) return 1;
  if (!has_ip_header(id)) return service.address ? 0 : 1;
  const auto header = IpHeader::parse(private_data);
  if (!header) return 0;
  if (service.address) return *service.address == header->destination ? 3 : 0;
  const auto family = header->ip_version == 4 ? Service::Family::kIpv4 : Service::Family::kIpv6;
  return service.family == family ? 2 : 0;
}

}  // namespace rocelab::cm
