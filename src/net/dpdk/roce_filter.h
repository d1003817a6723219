// The kernel-side filter of a packet socket: lets RoCE frames in and nothing else. Classic BPF, so that it needs no
// privilege beyond the socket's own.
#pragma once

#include <cstdint>

namespace rocelab::net::dpdk {

/// Accepts frames to this host or to a group that carry RoCE v1 (Ethertype 0x8915) or UDP to port 4791 over IPv4 or
/// IPv6, untagged or with one VLAN tag (stripped by the kernel or not); later fragments of IPv4 datagrams are refused.
/// Also turns off copies of our own outgoing frames. 0, or the errno of the kernel's refusal.
/// `process`: not 0: only packets whose destination QPN has this high byte, and those of QP1 and of groups.
int attach_roce_filter(int fd, std::uint32_t process);

}  // namespace rocelab::net::dpdk
