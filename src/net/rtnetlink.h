// Questions to the kernel's routing and neighbour tables (rtnetlink(7)), as values: what neighbour.cc needs and no
// more. One socket each; not thread-safe; no privilege.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "wire/gid.h"
#include "wire/mac.h"

struct nlmsghdr;

namespace rocelab::net {

/// An address as the kernel's tables have it: 4 or 16 bytes, network order.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t length = 0;

  static IpAddress from_gid(const wire::Gid& gid);
  static IpAddress from_bytes(std::span<const std::uint8_t> bytes);
  int family() const;  ///< AF_INET or AF_INET6
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

std::string to_string(const IpAddress& address);

struct Route {
  unsigned interface = 0;  ///< index of the one that packets leave by
  bool local = false;      ///< an address of this host
  IpAddress next_hop;      ///< the gateway, or the destination itself
};

struct NeighbourEntry {
  enum class State : std::uint8_t { kUsable, kBeingAsked, kFailed };
  State state = State::kBeingAsked;
  wire::MacAddress mac{};
};

/// Closes with its owner.
class RtnetlinkSocket {
 public:
  /// With `neighbour_events` the socket hears about changes of the neighbour table instead of asking.
  static base::Result<RtnetlinkSocket> open(bool neighbour_events = false);
  RtnetlinkSocket(RtnetlinkSocket&& other) noexcept;
  RtnetlinkSocket& operator=(RtnetlinkSocket&&) = delete;
  ~RtnetlinkSocket();

  int fd() const { return fd_; }
  /// The route to `destination` by that interface; `source` may be empty (length 0). ENETUNREACH: none.
  base::Result<Route> route(const IpAddress& destination, const IpAddress& source, unsigned interface);
  /// The table's entry; nothing when there is none.
  base::Result<std::optional<NeighbourEntry>> neighbour(const IpAddress& address, unsigned interface);
  /// Reads whatever has been announced, and forgets it.
  void discard_events();

 private:
  explicit RtnetlinkSocket(int fd) : fd_(fd) {}
  base::Result<void> ask(std::span<const std::byte> request,
                         const std::function<void(const nlmsghdr& message)>& on_message);
  base::Result<Route> ask_route(const IpAddress& destination, const IpAddress& source, unsigned interface,
                                unsigned flags);

  int fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace rocelab::net
