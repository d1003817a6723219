// RoCE frames on a TAP interface: the kernel's end of the cable is a network interface (which may be in a bridge, or
// routed, or a virtual machine's), ours is this port, a NIC with a MAC and addresses of its own. The port answers for
// its addresses (ARP, IPv6 neighbour solicitations) and hands everything that may be RoCE to its owner.
//
// An interface that belongs to the user (`ip tuntap add NAME mode tap user NAME`) needs no capability; making one takes
// CAP_NET_ADMIN. With `multi_queue` several processes may share it. As net::Port says, the owner serialises calls.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/port.h"
#include "wire/gid.h"
#include "wire/mac.h"

namespace rocelab::net::tap {

struct TapOptions {
  std::string interface;             ///< kernel name; made when it is not there and the right to make it is
  wire::MacAddress mac{};            ///< ours, not the interface's
  std::vector<wire::Gid> addresses;  ///< ours; answered for
  std::size_t frame_bytes_max = 0;   ///< what the interface's MTU allows; 0: kFrameBytesMax
};

class TapPort {
 public:
  static base::TextResult<std::unique_ptr<Port>> create(const TapOptions& options);
};

}  // namespace rocelab::net::tap
