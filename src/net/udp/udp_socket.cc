// See udp_socket.h.
#include "net/udp/udp_socket.h"

#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "wire/udp.h"

namespace rocelab::net::udp {

namespace {

constexpr int kBufferBytes = 8 << 20;  // the kernel gives what net.core.rmem_max and wmem_max allow

bool is_link_local(const wire::Gid& gid) { return gid.bytes[0] == 0xfe && (gid.bytes[1] & 0xc0) == 0x80; }

bool set(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value) == 0; }

base::Error error_of(const char* what) { return {errno, what}; }

}  // namespace

SocketAddress SocketAddress::of(const wire::Gid& gid, unsigned interface_index) {
  SocketAddress address;
  if (gid.is_ipv4_mapped()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(wire::kRoceV2Port);
    in.sin_addr.s_addr = htonl(gid.ipv4());
    std::memcpy(&address.storage, &in, sizeof in);
    address.length = sizeof in;
    return address;
  }
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(wire::kRoceV2Port);
  std::memcpy(&in.sin6_addr, gid.bytes.data(), gid.bytes.size());
  if (is_link_local(gid) || gid.is_multicast()) in.sin6_scope_id = interface_index;
  std::memcpy(&address.storage, &in, sizeof in);
  address.length = sizeof in;
  return address;
}

wire::Gid gid_of(const sockaddr_storage& name) {
  if (name.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &name, sizeof in);
    return wire::Gid::from_ipv4(ntohl(in.sin_addr.s_addr));
  }
  wire::Gid gid;
  sockaddr_in6 in{};
  std::memcpy(&in, &name, sizeof in);
  std::memcpy(gid.bytes.data(), &in.sin6_addr, gid.bytes.size());
  return gid;
}

std::uint16_t port_of(const sockaddr_storage& name) {
  // At the same place in both.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&name)->sin_port);
}

UdpSocket::~UdpSocket() {
  if (fd_ < 0) return;
  close(fd_);
  if (!steering_.is_open()) return;
  // Our place is another's now.
  if (steering_.has_company()) {
    const SocketAddress self = SocketAddress::of(address_.gid, address_.interface_index);
    steering_.ask_for_places(self.get(), self.length, -1);
  }
}

base::Result<void> UdpSocket::make(bool group) {
  const bool ipv4 = address_.gid.is_ipv4_mapped();
  fd_ = socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return tl::make_unexpected(error_of("cannot make a UDP socket"));
  // Don't-fragment, and not connected: Linux then sends identification 0, which the ICRC relies on.
  bool good = true;
  if (ipv4) {
    good = set(fd_, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE) && set(fd_, IPPROTO_IP, IP_RECVTOS, 1) &&
           set(fd_, IPPROTO_IP, IP_RECVTTL, 1) && set(fd_, IPPROTO_IP, IP_TTL, kUsualHopLimit) &&
           set(fd_, IPPROTO_IP, IP_MULTICAST_TTL, kUsualHopLimit) && set(fd_, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    ip_mreqn interface {};
    interface.imr_ifindex = static_cast<int>(address_.interface_index);
    setsockopt(fd_, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface);
  } else {
    good = set(fd_, IPPROTO_IPV6, IPV6_V6ONLY, 1) && set(fd_, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE) &&
           set(fd_, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) && set(fd_, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
           set(fd_, IPPROTO_IPV6, IPV6_UNICAST_HOPS, kUsualHopLimit) &&
           set(fd_, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, kUsualHopLimit);
    set(fd_, IPPROTO_IPV6, IPV6_FREEBIND, 1);  // an address that is still being checked for duplicates will do
    set(fd_, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(address_.interface_index));
  }
  if (!good) return tl::make_unexpected(error_of("cannot set the UDP socket up"));
  set(fd_, SOL_SOCKET, SO_RCVBUF, kBufferBytes);
  if (!group) set(fd_, SOL_SOCKET, SO_SNDBUF, kBufferBytes);
  return {};
}

base::TextResult<void> UdpSocket::open(const UdpAddress& address, const UdpOptions& options) {
  address_ = address;
  const auto failed = [&](const std::string& why) {
    return base::fail_text(fmt::format("UDP port {} of {}: {}", wire::kRoceV2Port, wire::to_string(address.gid), why));
  };
  if (auto made = make(false); !made) {
    return failed(fmt::format("{}: {}", made.error().what, std::strerror(made.error().code)));
  }
  if (auto bound = bind_with_others(options); !bound) return failed(bound.error());
  if (options.batching == Batching::kSegments) {
    may_segment_ = may_join_ = true;
    choose_joining();
  }
  if (steering_.is_open() && steering_.has_company()) {
    const SocketAddress self = SocketAddress::of(address_.gid, address_.interface_index);
    steering_.ask_for_places(self.get(), self.length, fd_);
  }
  return {};
}

base::TextResult<void> UdpSocket::bind_with_others(const UdpOptions& options) {
  const SocketAddress self = SocketAddress::of(address_.gid, address_.interface_index);
  const auto bound = [&](int fd) -> base::TextResult<void> {
    if (bind(fd, self.get(), self.length) == 0) return {};
    if (errno == EADDRINUSE) {
      return base::fail_text("another program has it (another run directory, another user, or the kernel's rdma_rxe)");
    }
    if (errno == EADDRNOTAVAIL) return base::fail_text("this machine does not have the address");
    return base::fail_text(std::strerror(errno));
  };
  if (options.shared_directory.empty()) return bound(fd_);

  std::string name = options.shared_directory + "/udp-";
  for (const std::uint8_t byte : address_.gid.bytes) name += fmt::format("{:02x}", byte);
  if (auto opened = steering_.open(name, options.process); !opened) return opened;
  const auto alone = steering_.begin_to_bind();
  if (!alone) return base::fail_text(alone.error());
  // SO_REUSEPORT lets every process of the user in. Only those of this host are to be: the first makes sure that nobody
  // has the port yet.
  base::TextResult<void> done;
  if (*alone) {
    const int trial = socket(self.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (!is_ipv4()) {
      set(trial, IPPROTO_IPV6, IPV6_V6ONLY, 1);
      set(trial, IPPROTO_IPV6, IPV6_FREEBIND, 1);
    }
    done = bound(trial);
    close(trial);
  }
  if (done && !set(fd_, SOL_SOCKET, SO_REUSEPORT, 1)) done = base::fail_text(std::strerror(errno));
  if (done) done = bound(fd_);
  steering_.end_to_bind();
  return done;
}

base::Result<void> UdpSocket::open_group(const wire::Gid& group, const UdpAddress& address) {
  address_ = {group, address.interface_index};
  if (auto made = make(true); !made) return made;
  const SocketAddress self = SocketAddress::of(group, address.interface_index);
  set(fd_, SOL_SOCKET, SO_REUSEADDR, 1);
  set(fd_, SOL_SOCKET, SO_REUSEPORT, 1);
  if (bind(fd_, self.get(), self.length) != 0) return tl::make_unexpected(error_of("cannot bind to the group"));
  if (is_ipv4()) {
    ip_mreqn membership{};
    membership.imr_multiaddr.s_addr = htonl(group.ipv4());
    membership.imr_ifindex = static_cast<int>(address.interface_index);
    if (address.gid.is_ipv4_mapped()) membership.imr_address.s_addr = htonl(address.gid.ipv4());
    if (setsockopt(fd_, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership) == 0) return {};
  } else {
    ipv6_mreq membership{};
    std::memcpy(&membership.ipv6mr_multiaddr, group.bytes.data(), group.bytes.size());
    membership.ipv6mr_interface = address.interface_index;
    if (setsockopt(fd_, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &membership, sizeof membership) == 0) return {};
  }
  return tl::make_unexpected(error_of("cannot join the group"));
}

bool UdpSocket::take_probe(std::span<const std::byte> datagram) {
  if (!steering_.take_probe(datagram, fd_)) return false;
  choose_joining();
  return true;
}

void UdpSocket::note_stray() {
  if (!steering_.is_open() || !steering_.note_stray()) return;
  const SocketAddress self = SocketAddress::of(address_.gid, address_.interface_index);
  steering_.ask_for_places(self.get(), self.length, fd_);
}

void UdpSocket::choose_joining() {
  const bool join = may_join_ && !(steering_.is_open() && steering_.has_company());
  set(fd_, IPPROTO_UDP, UDP_GRO, join ? 1 : 0);
}

void UdpSocket::abandon() noexcept {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  steering_.abandon();
}

}  // namespace rocelab::net::udp
