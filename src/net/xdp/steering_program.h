// The XDP program that picks RoCE packets for this process's AF_XDP sockets out of what an interface receives, by the
// high byte of the destination QPN; everything else goes the kernel's usual way, where af_packet ports find it: packets
// of the host's other processes, QP1's and groups', which are for all of them, and whatever is no RoCE.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <vector>

namespace rocelab::net::xdp {

/// Receive queues that a process can have sockets on.
inline constexpr std::uint32_t kQueuesMax = 64;

/// `sockets`: the map from receive queue to this process's socket there. `process`: ours, 1..255.
std::vector<bpf_insn> steering_program(int sockets, std::uint8_t process);

}  // namespace rocelab::net::xdp
