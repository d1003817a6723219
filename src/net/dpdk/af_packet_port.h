// RoCE frames on a kernel network interface (DPDK's net_af_packet: an AF_PACKET socket with mapped rings). Needs
// CAP_NET_RAW. Other traffic and the host's own outgoing frames are dropped by a filter in the kernel; a VLAN tag that
// the kernel has stripped is put back. Starts EAL when it is not running yet.
//
// As net::Port says, the owner serialises calls. wait_fd() becomes readable when a RoCE frame arrives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/frame_codec.h"
#include "net/port.h"

namespace rocelab::net::dpdk {

struct AfPacketOptions {
  std::string interface;           ///< kernel name, such as "eth0"; must exist and carry Ethernet
  std::uint32_t process = 0;       ///< the high byte of the QPNs that we have, so that others' frames stay out; 0: all
  std::uint32_t ring_slots = 512;  ///< frames each direction holds; power of two, 64..4096
};

class AfPacketPort {
 public:
  /// frame_bytes_max() is what the interface's MTU allows now, at most kFrameBytesMax.
  static base::TextResult<std::unique_ptr<Port>> create(const AfPacketOptions& options);
};

}  // namespace rocelab::net::dpdk
