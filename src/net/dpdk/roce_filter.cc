// The filter program, assembled by hand: offsets are those of an Ethernet frame, `shift` 4 with a VLAN tag in it.
#include "net/dpdk/roce_filter.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "wire/ethernet.h"
#include "wire/udp.h"

namespace rocelab::net::dpdk {

namespace {

constexpr std::uint32_t kTypeOffset = 12;
constexpr std::uint32_t kAcceptBytes = 0xffff;  // whole frames
constexpr std::uint32_t kQpnOffset = 5;         // of the destination QPN's high byte, in a BTH

sock_filter load_half(std::uint32_t offset) { return {BPF_LD | BPF_H | BPF_ABS, 0, 0, offset}; }
sock_filter load_byte(std::uint32_t offset) { return {BPF_LD | BPF_B | BPF_ABS, 0, 0, offset}; }
/// Goes on with the next instruction when equal, else skips `skip`.
sock_filter unless_equal(std::uint32_t value, std::uint8_t skip) { return {BPF_JMP | BPF_JEQ | BPF_K, 0, skip, value}; }
sock_filter verdict(std::uint32_t bytes) { return {BPF_RET | BPF_K, 0, 0, bytes}; }

using Program = std::vector<sock_filter>;

/// Ends the program: accepted, if the QPN's high byte that `load` brings into the accumulator is this process's (0:
/// any), QP1's or a group's.
Program verdict_by_process(std::uint32_t process, sock_filter load) {
  if (process == 0) return {verdict(kAcceptBytes)};
  constexpr std::uint32_t kQp1 = 0, kGroups = 0xff;
  return {load,
          {BPF_JMP | BPF_JEQ | BPF_K, 3, 0, kQp1},
          {BPF_JMP | BPF_JEQ | BPF_K, 2, 0, kGroups},
          {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, process},
          verdict(0),
          verdict(kAcceptBytes)};
}

/// `block` follows when the accumulator holds `type`, else it is skipped.
void add_when(Program& program, std::uint32_t type, Program block, const Program& end) {
  block.insert(block.end(), end.begin(), end.end());
  program.push_back(unless_equal(type, static_cast<std::uint8_t>(block.size())));
  program.insert(program.end(), block.begin(), block.end());
}

/// Judges what follows the Ethertype at `type`, which is in the accumulator; ends the program.
void add_network_layer(Program& program, std::uint32_t type, std::uint32_t process) {
  const std::uint32_t ip = type + 2;
  add_when(program, wire::ethertype::kRoceV1, {}, verdict_by_process(process, load_byte(ip + 40 + kQpnOffset)));
  // IPv4: UDP, first fragment, port behind a header of variable length.
  add_when(program, ETH_P_IP,
           {load_byte(ip + 9),
            unless_equal(IPPROTO_UDP, 5),
            load_half(ip + 6),
            {BPF_JMP | BPF_JSET | BPF_K, 3, 0, 0x1fff},
            {BPF_LDX | BPF_B | BPF_MSH, 0, 0, ip},
            {BPF_LD | BPF_H | BPF_IND, 0, 0, ip + 2},
            {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, wire::kRoceV2Port},
            verdict(0)},
           verdict_by_process(process, {BPF_LD | BPF_B | BPF_IND, 0, 0, ip + 8 + kQpnOffset}));
  // IPv6: UDP right behind the header; RoCE v2 has no extension headers.
  add_when(program, ETH_P_IPV6,
           {load_byte(ip + 6),
            unless_equal(IPPROTO_UDP, 2),
            load_half(ip + 42),
            {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, wire::kRoceV2Port},
            verdict(0)},
           verdict_by_process(process, load_byte(ip + 48 + kQpnOffset)));
  program.push_back(verdict(0));
}

Program roce_program(std::uint32_t process) {
  Program program;
  // Frames to other hosts arrive on a promiscuous interface; outgoing ones on kernels without PACKET_IGNORE_OUTGOING.
  program.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)});
  program.push_back({BPF_JMP | BPF_JGE | BPF_K, 0, 1, PACKET_OTHERHOST});
  program.push_back(verdict(0));
  program.push_back(load_half(kTypeOffset));
  const std::size_t branch = program.size();
  program.push_back(unless_equal(ETH_P_8021Q, 0));  // set below: where the untagged case begins
  program.push_back(load_half(kTypeOffset + wire::VlanTag::kSize));
  add_network_layer(program, kTypeOffset + wire::VlanTag::kSize, process);
  program[branch].jf = static_cast<std::uint8_t>(program.size() - branch - 1);
  add_network_layer(program, kTypeOffset, process);
  return program;
}

}  // namespace

int attach_roce_filter(int fd, std::uint32_t process) {
  Program program = roce_program(process);
  const sock_fprog argument{static_cast<unsigned short>(program.size()), program.data()};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &argument, sizeof argument) != 0) return errno;
  const int on = 1;
  // Best effort: Linux before 4.20 does not know it, and the filter refuses those frames anyway.
  static_cast<void>(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on));
  return 0;
}

}  // namespace rocelab::net::dpdk
