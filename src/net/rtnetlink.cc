// Building and reading rtnetlink messages.
#include "net/rtnetlink.h"

#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace rocelab::net {

namespace {

constexpr std::size_t kAnswerBytes = 32'768;  // what the kernel puts in one datagram at most

/// A request with one fixed part and attributes behind it.
class Request {
 public:
  template <class Fixed>
  Request(std::uint16_t type, std::uint16_t flags, const Fixed& fixed) : bytes_(NLMSG_SPACE(sizeof fixed)) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    std::memcpy(bytes_.data(), &header, sizeof header);
    std::memcpy(bytes_.data() + NLMSG_HDRLEN, &fixed, sizeof fixed);
  }

  void add(std::uint16_t type, const void* data, std::size_t length) {
    rtattr attribute{};
    attribute.rta_type = type;
    attribute.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(length));
    const std::size_t at = bytes_.size();
    bytes_.resize(at + RTA_SPACE(length));
    std::memcpy(bytes_.data() + at, &attribute, sizeof attribute);
    std::memcpy(bytes_.data() + at + RTA_LENGTH(0), data, length);
  }
  void add(std::uint16_t type, const IpAddress& address) { add(type, address.bytes.data(), address.length); }

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// Calls `on_attribute(type, bytes)` for each attribute behind the fixed part.
template <class Fixed, class F>
void for_each_attribute(const nlmsghdr& message, F&& on_attribute) {
  const auto* const start = reinterpret_cast<const std::uint8_t*>(&message);
  std::size_t at = NLMSG_SPACE(sizeof(Fixed));
  while (at + sizeof(rtattr) <= message.nlmsg_len) {
    rtattr attribute;
    std::memcpy(&attribute, start + at, sizeof attribute);
    if (attribute.rta_len < sizeof attribute || at + attribute.rta_len > message.nlmsg_len) return;
    on_attribute(attribute.rta_type & NLA_TYPE_MASK,
                 std::span<const std::uint8_t>(start + at + RTA_LENGTH(0), attribute.rta_len - RTA_LENGTH(0)));
    at += RTA_ALIGN(attribute.rta_len);
  }
}

template <class Fixed>
bool read_fixed(const nlmsghdr& message, Fixed& fixed) {
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof fixed)) return false;
  std::memcpy(&fixed, reinterpret_cast<const std::byte*>(&message) + NLMSG_HDRLEN, sizeof fixed);
  return true;
}

unsigned read_u32(std::span<const std::uint8_t> bytes) {
  unsigned value = 0;
  if (bytes.size() >= sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

}  // namespace

IpAddress IpAddress::from_gid(const wire::Gid& gid) {
  const std::span<const std::uint8_t> all(gid.bytes);
  return from_bytes(gid.is_ipv4_mapped() ? all.last(4) : all);
}

IpAddress IpAddress::from_bytes(std::span<const std::uint8_t> bytes) {
  IpAddress address;
  address.length = bytes.size() >= 16 ? 16 : bytes.size() >= 4 ? 4 : 0;
  std::copy_n(bytes.begin(), address.length, address.bytes.begin());
  return address;
}

int IpAddress::family() const { return length == 4 ? AF_INET : AF_INET6; }

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(address.family(), address.bytes.data(), text, sizeof text);
  return text;
}

base::Result<RtnetlinkSocket> RtnetlinkSocket::open(bool neighbour_events) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (neighbour_events ? SOCK_NONBLOCK : 0), NETLINK_ROUTE);
  if (fd < 0) return base::fail(errno, "no rtnetlink socket");
  RtnetlinkSocket opened(fd);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = neighbour_events ? 1U << (RTNLGRP_NEIGH - 1) : 0;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return base::fail(errno, "the rtnetlink socket can't be bound");
  }
  return opened;
}

RtnetlinkSocket::RtnetlinkSocket(RtnetlinkSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), sequence_(other.sequence_) {}

RtnetlinkSocket::~RtnetlinkSocket() {
  if (fd_ >= 0) close(fd_);
}

base::Result<void> RtnetlinkSocket::ask(std::span<const std::byte> request,
                                        const std::function<void(const nlmsghdr&)>& on_message) {
  std::vector<std::byte> buffer(request.begin(), request.end());
  nlmsghdr header;
  std::memcpy(&header, buffer.data(), sizeof header);
  header.nlmsg_len = static_cast<std::uint32_t>(buffer.size());
  header.nlmsg_seq = ++sequence_;
  std::memcpy(buffer.data(), &header, sizeof header);
  const bool dump = (header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  if (send(fd_, buffer.data(), buffer.size(), 0) < 0)
    return base::fail(errno, "the kernel refused an rtnetlink request");

  buffer.resize(kAnswerBytes);
  for (;;) {
    const ssize_t got = recv(fd_, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail(errno, "no rtnetlink answer");
    auto left = static_cast<unsigned>(got);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_seq != sequence_) continue;  // of an earlier request that failed half-way
      if (message->nlmsg_type == NLMSG_DONE) return {};
      if (message->nlmsg_type == NLMSG_ERROR) {
        nlmsgerr error{};
        read_fixed(*message, error);
        if (error.error != 0) return base::fail(-error.error, "the kernel answered an rtnetlink request with an error");
        return {};
      }
      on_message(*message);
      if (!dump) return {};
    }
  }
}

base::Result<Route> RtnetlinkSocket::ask_route(const IpAddress& destination, const IpAddress& source,
                                               unsigned interface, unsigned flags) {
  rtmsg fixed{};
  fixed.rtm_family = static_cast<std::uint8_t>(destination.family());
  fixed.rtm_dst_len = static_cast<std::uint8_t>(destination.length * 8);
  fixed.rtm_flags = flags;
  if (source.length == destination.length) fixed.rtm_src_len = static_cast<std::uint8_t>(source.length * 8);
  Request request(RTM_GETROUTE, 0, fixed);
  request.add(RTA_DST, destination);
  if (source.length == destination.length) request.add(RTA_SRC, source);
  request.add(RTA_OIF, &interface, sizeof interface);

  Route route;
  route.next_hop = destination;
  std::uint8_t type = RTN_UNSPEC;
  const auto asked = ask(request.bytes(), [&](const nlmsghdr& message) {
    rtmsg answer{};
    if (message.nlmsg_type != RTM_NEWROUTE || !read_fixed(message, answer)) return;
    type = answer.rtm_type;
    for_each_attribute<rtmsg>(message, [&](int attribute, std::span<const std::uint8_t> bytes) {
      if (attribute == RTA_OIF) route.interface = read_u32(bytes);
      if (attribute == RTA_GATEWAY) route.next_hop = IpAddress::from_bytes(bytes);
      // A gateway of the other family: two bytes of family, then the address.
      if (attribute == RTA_VIA && bytes.size() > 2) route.next_hop = IpAddress::from_bytes(bytes.subspan(2));
    });
  });
  if (!asked) return tl::make_unexpected(asked.error());
  route.local = type == RTN_LOCAL;
  if (type != RTN_UNICAST && type != RTN_LOCAL) return base::fail(ENETUNREACH, "no unicast route to the destination");
  return route;
}

base::Result<Route> RtnetlinkSocket::route(const IpAddress& destination, const IpAddress& source, unsigned interface) {
  // Asked with an interface, the kernel takes a destination without any route to be on the link: so the first question
  // is whether the table has an entry at all.
  const auto entry = ask_route(destination, source, interface, RTM_F_FIB_MATCH);
  if (!entry) {
    const int code = entry.error().code;
    const bool no_way =
        code == EHOSTUNREACH || code == ENETUNREACH || code == EACCES || code == EINVAL || code == ENODEV;
    return base::fail(no_way ? ENETUNREACH : code, "no route to the destination by this interface");
  }
  auto found = ask_route(destination, source, interface, 0);
  if (!found) return base::fail(ENETUNREACH, "no route to the destination by this interface");
  if (!found->local && found->interface != interface) {
    return base::fail(ENETUNREACH, "the route to the destination leads through another interface");
  }
  return found;
}

base::Result<std::optional<NeighbourEntry>> RtnetlinkSocket::neighbour(const IpAddress& address, unsigned interface) {
  ndmsg fixed{};
  fixed.ndm_family = static_cast<std::uint8_t>(address.family());
  Request request(RTM_GETNEIGH, NLM_F_DUMP, fixed);
  request.add(NDA_IFINDEX, &interface, sizeof interface);

  std::optional<NeighbourEntry> found;
  const auto asked = ask(request.bytes(), [&](const nlmsghdr& message) {
    ndmsg answer{};
    if (message.nlmsg_type != RTM_NEWNEIGH || !read_fixed(message, answer)) return;
    if (answer.ndm_ifindex != static_cast<int>(interface)) return;  // kernels before 4.20 ignore the filter
    IpAddress theirs;
    NeighbourEntry entry;
    bool has_mac = false;
    for_each_attribute<ndmsg>(message, [&](int attribute, std::span<const std::uint8_t> bytes) {
      if (attribute == NDA_DST) theirs = IpAddress::from_bytes(bytes);
      if (attribute == NDA_LLADDR && bytes.size() == entry.mac.size()) {
        std::copy(bytes.begin(), bytes.end(), entry.mac.begin());
        has_mac = true;
      }
    });
    if (theirs != address) return;
    constexpr unsigned kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;
    if ((answer.ndm_state & kUsable) != 0 && has_mac) entry.state = NeighbourEntry::State::kUsable;
    if ((answer.ndm_state & NUD_FAILED) != 0) entry.state = NeighbourEntry::State::kFailed;
    found = entry;
  });
  if (!asked) return tl::make_unexpected(asked.error());
  return found;
}

void RtnetlinkSocket::discard_events() {
  std::byte bytes[4096];
  // ENOBUFS tells that events were lost, not that there are none.
  while (recv(fd_, bytes, sizeof bytes, 0) >= 0 || errno == EINTR || errno == ENOBUFS) {
  }
}

}  // namespace rocelab::net
