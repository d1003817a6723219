// Who has which address, on the Ethernet of a NIC that has no kernel behind it: answers questions about its own
// addresses and asks for others'. ARP (RFC 826) and IPv6 neighbour discovery (RFC 4861, 7.2). Frames are hostile; only
// addresses that were asked for are learned, and a bounded number of them. No sockets here.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "wire/gid.h"
#include "wire/mac.h"

namespace rocelab::net::tap {

using FrameBytes = std::vector<std::byte>;

class Responder {
 public:
  static constexpr std::size_t kNeighboursMax = 1024;

  Responder(const wire::MacAddress& mac, std::vector<wire::Gid> addresses)
      : mac_(mac), addresses_(std::move(addresses)) {}

  /// The frame that answers the question in `frame`; empty: it is none.
  FrameBytes take(std::span<const std::byte> frame) const;
  /// Learns from an answer. False: the frame is no answer to an address of ours. Who has not asked learns nothing.
  bool hear(std::span<const std::byte> frame);
  /// The neighbour's MAC if it is known.
  std::optional<wire::MacAddress> find(const wire::Gid& neighbour) const;
  /// The frame that asks for it, as `source`; find() may know afterwards. Empty: not to be asked for.
  FrameBytes ask(const wire::Gid& neighbour, const wire::Gid& source);

 private:
  FrameBytes take_arp(std::span<const std::byte> frame) const;
  FrameBytes take_solicitation(std::span<const std::byte> frame) const;
  void learn(const wire::Gid& neighbour, const std::byte* mac);
  bool is_ours(const wire::Gid& gid) const;

  const wire::MacAddress mac_;
  const std::vector<wire::Gid> addresses_;
  std::map<wire::Gid, std::optional<wire::MacAddress>> neighbours_;  ///< nothing: asked for
};

}  // namespace rocelab::net::tap
