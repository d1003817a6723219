// Route, table, provocation, waiting: in that order.
#include "net/neighbour.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/rtnetlink.h"

namespace rocelab::net {

namespace {

using wire::MacAddress;

constexpr std::uint16_t kDiscardPort = 9;

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000L + now.tv_nsec;
}

base::Result<MacAddress> own_mac(const std::string& interface) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::memcpy(request.ifr_name, interface.c_str(), std::min(interface.size(), sizeof request.ifr_name - 1));
  const int result = ioctl(fd, SIOCGIFHWADDR, &request);
  const int error = errno;
  if (fd >= 0) close(fd);
  if (result != 0) return base::fail(error, "the interface's own address can't be read");
  MacAddress mac;
  std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
  return mac;
}

/// Makes the kernel ask for the neighbour: it has a packet to send there. Nobody listens to it at the other end.
base::Result<void> provoke(const IpAddress& neighbour, unsigned interface) {
  const int fd = socket(neighbour.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return base::fail(errno, "no socket to provoke the neighbour's answer");
  const unsigned index = htonl(interface);
  ssize_t sent = -1;
  if (neighbour.family() == AF_INET) {
    setsockopt(fd, IPPROTO_IP, IP_UNICAST_IF, &index, sizeof index);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(kDiscardPort);
    std::memcpy(&address.sin_addr, neighbour.bytes.data(), neighbour.length);
    sent = sendto(fd, "", 0, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } else {
    setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_IF, &index, sizeof index);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(kDiscardPort);
    address.sin6_scope_id = interface;
    std::memcpy(&address.sin6_addr, neighbour.bytes.data(), neighbour.length);
    sent = sendto(fd, "", 0, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  const int error = errno;
  close(fd);
  if (sent < 0 && error != EAGAIN && error != ENOBUFS) return base::fail(error, "nothing can be sent to the neighbour");
  return {};
}

/// Waits for the table to say yes or no about `neighbour`.
base::Result<MacAddress> ask(RtnetlinkSocket& table, const IpAddress& neighbour, unsigned interface,
                             base::Duration timeout) {
  const std::int64_t deadline_ns = now_ns() + timeout.count_ns();
  auto events = RtnetlinkSocket::open(true);
  if (!events) return tl::make_unexpected(events.error());
  if (const auto provoked = provoke(neighbour, interface); !provoked) return tl::make_unexpected(provoked.error());
  for (;;) {
    // Forget what was announced before looking at the table: what comes afterwards wakes us again.
    events->discard_events();
    const auto entry = table.neighbour(neighbour, interface);
    if (!entry) return tl::make_unexpected(entry.error());
    if (entry->has_value()) {
      if ((*entry)->state == NeighbourEntry::State::kUsable) return (*entry)->mac;
      if ((*entry)->state == NeighbourEntry::State::kFailed) {
        return base::fail(EHOSTUNREACH, "the kernel asked for the neighbour's address and nobody answered");
      }
    }
    const std::int64_t left_ns = deadline_ns - now_ns();
    if (left_ns <= 0) return base::fail(ETIMEDOUT, "no answer from the neighbour in time");
    pollfd wait{events->fd(), POLLIN, 0};
    poll(&wait, 1, static_cast<int>(std::min<std::int64_t>(left_ns / 1'000'000 + 1, 60'000)));
  }
}

/// Does the work; `next_hop` is filled in as soon as it is known.
base::Result<MacAddress> resolve(const NeighbourQuery& query, IpAddress& next_hop) {
  if (query.destination.is_zero() || query.destination.is_multicast()) {
    return base::fail(EINVAL, "not a unicast address");
  }
  const unsigned interface = query.interface.empty() ? 0 : if_nametoindex(query.interface.c_str());
  if (interface == 0) return base::fail(ENODEV, "no such interface");
  auto table = RtnetlinkSocket::open();
  if (!table) return tl::make_unexpected(table.error());
  const IpAddress source = query.source.is_zero() ? IpAddress{} : IpAddress::from_gid(query.source);
  const auto route = table->route(IpAddress::from_gid(query.destination), source, interface);
  if (!route) return tl::make_unexpected(route.error());
  if (route->local) return own_mac(query.interface);
  next_hop = route->next_hop;

  const auto known = table->neighbour(next_hop, interface);
  if (!known) return tl::make_unexpected(known.error());
  if (known->has_value() && (*known)->state == NeighbourEntry::State::kUsable) return (*known)->mac;
  if (query.timeout <= base::Duration()) return base::fail(ETIMEDOUT, "the neighbour's address is not known yet");
  return ask(*table, next_hop, interface, query.timeout);
}

}  // namespace

base::Result<MacAddress> resolve_neighbour(const NeighbourQuery& query) {
  IpAddress next_hop;
  return resolve(query, next_hop);
}

base::TextResult<MacAddress> resolve_neighbour_text(const NeighbourQuery& query) {
  IpAddress next_hop;
  const auto found = resolve(query, next_hop);
  if (found) return *found;
  std::string way = wire::to_string(query.destination);
  if (next_hop.length != 0 && next_hop != IpAddress::from_gid(query.destination)) {
    way += fmt::format(" (through the gateway {})", to_string(next_hop));
  }
  return base::fail_text(fmt::format("{} on interface {}: {}: {}", way, query.interface, found.error().what,
                                     std::strerror(found.error().code)));
}

}  // namespace rocelab::net
