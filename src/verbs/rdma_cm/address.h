// Addresses as rdma_cm takes them: IPv4, IPv6 or InfiniBand, as values; and what follows from them: the GID, the
// service id that a listener has, the multicast group. Values only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "cm/service.h"
#include "wire/gid.h"

namespace rocelab::verbs::rdma_cm {

struct Address {
  enum class Kind : std::uint8_t { kNone, kIpv4, kIpv6, kIb };

  Kind kind = Kind::kNone;
  wire::Gid gid;                   ///< IPv4 as ::ffff:a.b.c.d
  std::uint16_t port = 0;          ///< host order; not of kIb
  std::uint32_t flow_info = 0;     ///< as it came
  std::uint32_t scope_id = 0;      ///< IPv6: an interface's index
  std::uint16_t pkey = 0xffff;     ///< kIb
  std::uint64_t service_id = 0;    ///< kIb
  std::uint64_t service_mask = 0;  ///< kIb

  bool is_ip() const { return kind == Kind::kIpv4 || kind == Kind::kIpv6; }
  bool is_any() const { return gid.is_zero() || (kind == Kind::kIpv4 && gid.ipv4() == 0); }
  bool is_loopback() const;
  bool is_link_local() const { return gid.bytes[0] == 0xfe && (gid.bytes[1] & 0xc0) == 0x80; }

  friend bool operator==(const Address&, const Address&) = default;
};

/// A sockaddr of exactly `bytes.size()` bytes. EINVAL: that is not its family's size; EAFNOSUPPORT: a family that
/// rdma_cm has not. Family 0 is kNone if `may_be_none`.
base::Result<Address> read_address(std::span<const std::byte> bytes);
/// One at the beginning of `bytes` (the old commands carry room for the largest and no size). Family 0 is kNone.
base::Result<Address> read_address_within(std::span<const std::byte> bytes);
/// Writes the sockaddr to `out` and returns its size: 0 for kNone. `out` has room for every family.
std::size_t write_address(const Address& address, void* out);

Address any_address(Address::Kind kind);
/// The Address of a GID that is an address of the given kind.
Address with_gid(Address::Kind kind, const wire::Gid& gid, std::uint16_t port);

/// What a peer that wants to talk to the address asks for.
std::uint64_t service_of(const Address& address, cm::PortSpace space);

/// The group that QPs are attached to on RoCE v2. EINVAL: no address.
base::Result<wire::Gid> multicast_group(const Address& address);

}  // namespace rocelab::verbs::rdma_cm
