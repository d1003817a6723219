// RoCE v2 over plain UDP sockets on port 4791: a port that needs no privilege at all (DESIGN: rootless). The kernel
// routes, finds neighbours and writes the IP headers; datagram.h has what this means for the ICRC. One socket for each
// address of ours, and one for each multicast group that somebody listens to.
//
// Packets leave from port 4791 too, whatever source port their frame names: firewalls and address translation then see
// one flow in both directions, as they expect of UDP. Paths that a network chooses by the source port (ECMP) are not
// spread. Frames that are not RoCE v2 without a VLAN tag, and from one of our addresses, are dropped and counted.
//
// As net::Port says, the owner serialises calls. A process's ports end with close(); in a child of fork() abandon()
// lets go of the sockets, which would go on taking the parent's packets otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/port.h"
#include "wire/gid.h"

namespace rocelab::net::udp {

inline constexpr std::size_t kAddressesMax = 32;

struct UdpAddress {
  wire::Gid gid;                 ///< IPv4-mapped or IPv6, unicast, of this machine
  unsigned interface_index = 0;  ///< where it is; needed for link-local addresses and for groups
};

/// Large sends and receives in one system call of several packets (UDP_SEGMENT, UDP_GRO).
enum class Batching : std::uint8_t {
  kSegments,   ///< the kernel cuts runs of equally long packets; needs Linux 5.0, else as below
  kDatagrams,  ///< one message a packet (sendmmsg, recvmmsg)
};

struct UdpOptions {
  std::string name;                   ///< of the port: the interface's, or an address
  std::vector<UdpAddress> addresses;  ///< 1..kAddressesMax
  std::size_t frame_bytes_max = 0;    ///< 0: kFrameBytesMax
  std::string shared_directory;       ///< where the host's processes agree on places (steering.h); empty: there is one
  std::uint32_t process = 0;          ///< which of them we are: the high byte of our QPNs
  Batching batching = Batching::kSegments;
};

class UdpPort {
 public:
  static base::TextResult<std::unique_ptr<Port>> create(const UdpOptions& options);
};

}  // namespace rocelab::net::udp
