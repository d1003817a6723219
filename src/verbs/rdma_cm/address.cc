// See address.h.
#include "verbs/rdma_cm/address.h"

#include <endian.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "verbs/rdma_cm/abi.h"

namespace rocelab::verbs::rdma_cm {

namespace {

constexpr std::uint32_t kLoopbackNet = 127;

std::size_t size_of_family(std::uint16_t family) {
  switch (family) {
    case AF_INET:
      return sizeof(sockaddr_in);
    case AF_INET6:
      return sizeof(sockaddr_in6);
    case kFamilyIb:
      return sizeof(SockaddrIb);
    default:
      return 0;
  }
}

template <class T>
T load(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

Address from_ipv4(const sockaddr_in& in) {
  Address address;
  address.kind = Address::Kind::kIpv4;
  address.gid = wire::Gid::from_ipv4(ntohl(in.sin_addr.s_addr));
  address.port = ntohs(in.sin_port);
  return address;
}

Address from_ipv6(const sockaddr_in6& in) {
  Address address;
  address.kind = Address::Kind::kIpv6;
  std::memcpy(address.gid.bytes.data(), &in.sin6_addr, sizeof(in.sin6_addr));
  address.port = ntohs(in.sin6_port);
  address.flow_info = in.sin6_flowinfo;
  address.scope_id = in.sin6_scope_id;
  return address;
}

Address from_ib(const SockaddrIb& in) {
  Address address;
  address.kind = Address::Kind::kIb;
  std::memcpy(address.gid.bytes.data(), in.gid, sizeof(in.gid));
  address.flow_info = in.flow_info;
  address.pkey = be16toh(in.pkey);
  address.service_id = be64toh(in.service_id);
  address.service_mask = be64toh(in.service_mask);
  return address;
}

}  // namespace

bool Address::is_loopback() const {
  if (kind == Kind::kIpv4) return gid.ipv4() >> 24 == kLoopbackNet;
  wire::Gid one;
  one.bytes[15] = 1;
  return gid == one;
}

base::Result<Address> read_address(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(std::uint16_t)) return base::fail(EINVAL, "the address is too short");
  const auto family = load<std::uint16_t>(bytes);
  const std::size_t size = size_of_family(family);
  if (size == 0) return base::fail(EAFNOSUPPORT, "no family of rdma_cm");
  if (bytes.size() != size) return base::fail(EINVAL, "the size is not that of the address family");
  if (family == AF_INET) return from_ipv4(load<sockaddr_in>(bytes));
  if (family == AF_INET6) return from_ipv6(load<sockaddr_in6>(bytes));
  return from_ib(load<SockaddrIb>(bytes));
}

base::Result<Address> read_address_within(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(std::uint16_t)) return base::fail(EINVAL, "the address is too short");
  const auto family = load<std::uint16_t>(bytes);
  if (family == 0) return Address{};
  const std::size_t size = size_of_family(family);
  if (size > bytes.size()) return base::fail(EINVAL, "the address is too short");
  return read_address(bytes.first(size == 0 ? bytes.size() : size));
}

std::size_t write_address(const Address& address, void* out) {
  switch (address.kind) {
    case Address::Kind::kNone:
      return 0;
    case Address::Kind::kIpv4: {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(address.port);
      to.sin_addr.s_addr = htonl(address.gid.ipv4());
      std::memcpy(out, &to, sizeof(to));
      return sizeof(to);
    }
    case Address::Kind::kIpv6: {
      sockaddr_in6 to{};
      to.sin6_family = AF_INET6;
      to.sin6_port = htons(address.port);
      to.sin6_flowinfo = address.flow_info;
      to.sin6_scope_id = address.scope_id;
      std::memcpy(&to.sin6_addr, address.gid.bytes.data(), sizeof(to.sin6_addr));
      std::memcpy(out, &to, sizeof(to));
      return sizeof(to);
    }
    case Address::Kind::kIb: {
      SockaddrIb to{};
      to.family = kFamilyIb;
      to.pkey = htobe16(address.pkey);
      to.flow_info = address.flow_info;
      std::memcpy(to.gid, address.gid.bytes.data(), sizeof(to.gid));
      to.service_id = htobe64(address.service_id);
      to.service_mask = htobe64(address.service_mask);
      std::memcpy(out, &to, sizeof(to));
      return sizeof(to);
    }
  }
  return 0;
}

Address any_address(Address::Kind kind) {
  Address address;
  address.kind = kind;
  if (kind == Address::Kind::kIpv4) address.gid = wire::Gid::from_ipv4(0);
  return address;
}

Address with_gid(Address::Kind kind, const wire::Gid& gid, std::uint16_t port) {
  Address address;
  address.kind = kind;
  address.gid = gid;
  address.port = port;
  return address;
}

std::uint64_t service_of(const Address& address, cm::PortSpace space) {
  return address.kind == Address::Kind::kIb ? address.service_id : cm::service_id(space, address.port);
}

base::Result<wire::Gid> multicast_group(const Address& address) {
  if (address.kind == Address::Kind::kNone || address.is_any()) return base::fail(EINVAL, "no address to join");
  return address.gid;  // the IPv6 address itself, or the IPv4 address mapped, as on every RoCE v2 port
}

}  // namespace rocelab::verbs::rdma_cm
