// One UDP socket of a port: an address of ours or a multicast group, bound to port 4791 and set up so that the kernel
// writes the headers that the ICRC expects and tells what the receiver needs. Owned by the port.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "base/result.h"
#include "net/udp/steering.h"
#include "net/udp/udp_port.h"
#include "wire/gid.h"

namespace rocelab::net::udp {

inline constexpr std::uint8_t kUsualHopLimit = 64;  ///< what the socket writes without being asked

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  /// Port 4791 of `gid`. `interface_index`: the scope of a link-local address.
  static SocketAddress of(const wire::Gid& gid, unsigned interface_index);
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// The address in a name that the kernel has filled in.
wire::Gid gid_of(const sockaddr_storage& name);
std::uint16_t port_of(const sockaddr_storage& name);

class UdpSocket {
 public:
  UdpSocket() = default;
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  /// An address of ours, alone or with the other processes of the host.
  base::TextResult<void> open(const UdpAddress& address, const UdpOptions& options);
  /// A group, on the interface with that index. Every process of the machine may listen.
  base::Result<void> open_group(const wire::Gid& group, const UdpAddress& address);

  int fd() const { return fd_; }
  const wire::Gid& gid() const { return address_.gid; }
  unsigned interface_index() const { return address_.interface_index; }
  bool is_ipv4() const { return address_.gid.is_ipv4_mapped(); }
  bool is_group() const { return address_.gid.is_multicast(); }
  bool may_segment() const { return may_segment_; }
  void never_segment() { may_segment_ = false; }

  /// True: the datagram was a probe (steering.h).
  bool take_probe(std::span<const std::byte> datagram);
  /// A packet for another process has come.
  void note_stray();
  void abandon() noexcept;

 private:
  base::Result<void> make(bool group);
  base::TextResult<void> bind_with_others(const UdpOptions& options);
  /// The kernel joins packets only when all of them are for this process.
  void choose_joining();

  int fd_ = -1;
  UdpAddress address_;
  bool may_segment_ = false;  ///< outgoing
  bool may_join_ = false;     ///< incoming
  Steering steering_;
};

}  // namespace rocelab::net::udp
