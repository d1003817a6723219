// Who the devices of a host are: names, MAC addresses, GUIDs and GID tables. Everything follows from the configuration,
// the machine and the run directory, so that all processes of a host agree without talking, today and tomorrow.
//
// Without an interface a device's MAC is drawn from (machine, run directory, index), its GIDs are
//   0, 1  the link-local address of the MAC (EUI-64), RoCE v1 and v2
//   2, 3  an IPv4 address of 198.18.0.0/15 (RFC 2544: never routed), RoCE v1 and v2
// With sockets (port udp) they are the addresses of the interface, or the configured ones, as RoCE v2 alone.
// At a TAP interface the MAC is drawn too, and the addresses are the configured ones.
// With another interface, MAC and addresses are the interface's, followed by those of the VLAN interfaces above it.
// Configured addresses take the place of all but the link-local one. The order (v1 before v2) is that of Linux.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/config.h"
#include "runtime/local_device.h"
#include "wire/gid.h"
#include "wire/mac.h"

namespace rocelab::runtime {

/// One address that an interface (or a VLAN interface above it) has.
struct InterfaceAddress {
  wire::Gid gid;
  std::uint32_t interface_index = 0;
  bool has_vlan = false;
  std::uint16_t vlan_id = 0;
};

/// What the kernel says about the uplink's interface.
struct InterfaceFacts {
  std::uint32_t index = 0;
  wire::MacAddress mac{};
  std::uint32_t mtu_bytes = 0;              ///< of its IP packets
  std::vector<InterfaceAddress> addresses;  ///< IPv4 first, then IPv6, then those of VLAN interfaces
};
/// `loopback_too`: the interface need not carry Ethernet; its MAC may be zero then.
base::TextResult<InterfaceFacts> read_interface(const std::string& name, bool loopback_too = false);
/// The interface that has this address: "lo" for all of 127.0.0.0/8; empty: none.
std::string interface_of(const wire::Gid& address);

/// The id of this machine: /etc/machine-id, or where there is none the host's name and boot.
std::string machine_id();

/// All devices of the host. Reads the interface when there is one. Fails when it does not exist, is no Ethernet, or
/// carries packets too short for the configured MTU.
base::TextResult<std::vector<DeviceDescription>> describe_devices(const Config& config, std::string_view machine);

std::array<std::uint8_t, 8> eui64(const wire::MacAddress& mac);
/// fe80::/64 with the EUI-64 of the MAC.
wire::Gid link_local_gid(const wire::MacAddress& mac);
/// The MAC whose link_local_gid this is, or nothing.
bool is_link_local_of_mac(const wire::Gid& gid, wire::MacAddress& mac);

/// Bytes of an IP packet besides the path MTU's payload, at most: IPv6 or GRH 40, UDP 8, BTH 12, XRCETH 4, RETH 16,
/// ImmDt 4, ICRC 4.
inline constexpr std::uint32_t kIpOverheadBytesMax = 88;

}  // namespace rocelab::runtime
