// Which MAC address a frame to an IP address must carry on a kernel interface: the kernel's routes and its neighbour
// table (ARP, IPv6 ND), read by rtnetlink. Off-link destinations get their gateway's. A missing entry is provoked by a
// datagram to the discard port and waited for. Control path only: blocks up to the timeout. Any thread; no privilege.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"
#include "wire/gid.h"
#include "wire/mac.h"

namespace rocelab::net {

struct NeighbourQuery {
  std::string interface;                          ///< the interface that frames leave by
  wire::Gid destination{};                        ///< unicast, IPv4-mapped or IPv6
  wire::Gid source{};                             ///< address of ours that the packets carry; zero: any
  base::Duration timeout = base::Duration::s(3);  ///< for the neighbour's answer; 0: only what is known now
};

/// Error codes: ENODEV no such interface; EINVAL not a unicast address; ENETUNREACH no route by this interface;
/// EHOSTUNREACH the kernel asked and nobody answered; ETIMEDOUT no answer within the timeout; others as the kernel
/// reported them. A destination that is one of this host's own addresses gets the interface's own MAC.
base::Result<wire::MacAddress> resolve_neighbour(const NeighbourQuery& query);

/// The same with a message for people, naming destination, interface and gateway.
base::TextResult<wire::MacAddress> resolve_neighbour_text(const NeighbourQuery& query);

}  // namespace rocelab::net
