// RoCE frames on a kernel network interface by AF_XDP: received frames are written by the kernel into memory of ours,
// outgoing ones read from there. An XDP program picks this process's packets by their destination QPN; what it leaves
// to the kernel (QP1's, groups' and other processes' packets, queues that we have no socket on) comes by the af_packet
// port beside it, which the XDP port owns.
//
// The first process of a host on an interface gets its queues: the kernel gives the memory behind a queue to one owner.
// The others' packets are left to their af_packet ports by the same program. Needs CAP_NET_RAW, CAP_NET_ADMIN and
// CAP_BPF in the initial user namespace. As net::Port says, the owner serialises calls.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/port.h"

namespace rocelab::net::xdp {

struct XdpOptions {
  std::string interface;      ///< kernel name
  std::uint32_t process = 0;  ///< the high byte of our QPNs, 1..255
};

class XdpPort {
 public:
  /// Takes `beside` only when it succeeds. The message says why XDP is not to be had.
  static base::TextResult<std::unique_ptr<Port>> create(const XdpOptions& options, std::unique_ptr<Port>& beside);
};

}  // namespace rocelab::net::xdp
