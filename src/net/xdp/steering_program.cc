// The program, assembled by hand. Registers: r6 the context, r2 the frame (moved past a VLAN tag), r3 its end, r4 and
// r5 scratch, r8 the QPN's high byte. Every jump to `pass` is patched at the end.
#include "net/xdp/steering_program.h"

#include <netinet/in.h>

#include <cstddef>
#include <utility>

#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

namespace rocelab::net::xdp {

namespace {

constexpr std::uint8_t kGrhNextBth = 0x1b;  // IBTA vol 1, 8.3.4: "IBA transport"
constexpr std::int16_t kType = 12, kNetwork = 14;

class Assembler {
 public:
  void emit(std::uint8_t code, int destination, int source, int offset, std::int32_t immediate) {
    bpf_insn op{};
    op.code = code;
    op.dst_reg = static_cast<std::uint8_t>(destination) & 0xf;
    op.src_reg = static_cast<std::uint8_t>(source) & 0xf;
    op.off = static_cast<std::int16_t>(offset);
    op.imm = immediate;
    program_.push_back(op);
  }
  void load(int size, int to, int from, int offset) {
    emit(static_cast<std::uint8_t>(BPF_LDX | size | BPF_MEM), to, from, offset, 0);
  }
  void move(int to, int from) { emit(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
  void set(int to, std::int32_t value) { emit(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value); }
  void add(int to, std::int32_t value) { emit(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value); }
  void bits(int to, std::int32_t mask) { emit(BPF_ALU64 | BPF_AND | BPF_K, to, 0, 0, mask); }
  /// Jumps to the end (XDP_PASS) unless equal, or when equal.
  void pass_unless(int reg, std::int32_t value) { to_pass(BPF_JMP | BPF_JNE | BPF_K, reg, 0, value); }
  void pass_if(int reg, std::int32_t value) { to_pass(BPF_JMP | BPF_JEQ | BPF_K, reg, 0, value); }
  /// Jumps to the end unless the frame has that many bytes behind r2.
  void need(int bytes) {
    move(4, 2);
    add(4, bytes);
    to_pass(BPF_JMP | BPF_JGT | BPF_X, 4, 3, 0);
  }
  /// A jump whose target is the next land().
  std::size_t jump(std::uint8_t code, int reg, std::int32_t value) {
    emit(code, reg, 0, 0, value);
    return program_.size() - 1;
  }
  void land(std::size_t from) { program_[from].off = static_cast<std::int16_t>(program_.size() - from - 1); }

  std::vector<bpf_insn> finish() {
    for (const std::size_t from : passes_) land(from);
    set(0, XDP_PASS);
    emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    return std::move(program_);
  }

 private:
  void to_pass(std::uint8_t code, int destination, int source, std::int32_t value) {
    emit(code, destination, source, 0, value);
    passes_.push_back(program_.size() - 1);
  }
  std::vector<bpf_insn> program_;
  std::vector<std::size_t> passes_;
};

/// UDP to RoCE's port whose header is that far behind r2; the QPN's high byte goes to r8.
void add_udp(Assembler& a, int udp) {
  a.load(BPF_H, 5, 2, udp + 2);
  a.pass_unless(5, htons(wire::kRoceV2Port));
  a.load(BPF_B, 8, 2, udp + 8 + 5);
}

}  // namespace

std::vector<bpf_insn> steering_program(int sockets, std::uint8_t process) {
  Assembler a;
  a.move(6, 1);
  a.load(BPF_W, 2, 6, offsetof(xdp_md, data));
  a.load(BPF_W, 3, 6, offsetof(xdp_md, data_end));
  a.need(kNetwork + 4);
  a.load(BPF_B, 5, 2, 0);  // to a group: for every process
  a.bits(5, 1);
  a.pass_unless(5, 0);
  a.load(BPF_H, 5, 2, kType);
  const std::size_t untagged = a.jump(BPF_JMP | BPF_JNE | BPF_K, 5, htons(wire::ethertype::kVlan));
  a.add(2, wire::VlanTag::kSize);
  a.need(kNetwork);
  a.load(BPF_H, 5, 2, kType);
  a.land(untagged);

  const std::size_t not_ipv4 = a.jump(BPF_JMP | BPF_JNE | BPF_K, 5, htons(wire::ethertype::kIpv4));
  a.need(kNetwork + 20 + 8 + 12);
  a.load(BPF_B, 5, 2, kNetwork);
  a.pass_unless(5, 0x45);
  a.load(BPF_B, 5, 2, kNetwork + 9);
  a.pass_unless(5, IPPROTO_UDP);
  a.load(BPF_H, 5, 2, kNetwork + 6);
  a.bits(5, htons(0x3fff));  // a fragment
  a.pass_unless(5, 0);
  add_udp(a, kNetwork + 20);
  const std::size_t ipv4_done = a.jump(BPF_JMP | BPF_JA, 0, 0);
  a.land(not_ipv4);

  const std::size_t not_ipv6 = a.jump(BPF_JMP | BPF_JNE | BPF_K, 5, htons(wire::ethertype::kIpv6));
  a.need(kNetwork + 40 + 8 + 12);
  a.load(BPF_B, 5, 2, kNetwork + 6);
  a.pass_unless(5, IPPROTO_UDP);
  add_udp(a, kNetwork + 40);
  const std::size_t ipv6_done = a.jump(BPF_JMP | BPF_JA, 0, 0);
  a.land(not_ipv6);

  a.pass_unless(5, htons(wire::ethertype::kRoceV1));
  a.need(kNetwork + 40 + 12);
  a.load(BPF_B, 5, 2, kNetwork + 6);
  a.pass_unless(5, kGrhNextBth);
  a.load(BPF_B, 8, 2, kNetwork + 40 + 5);
  a.land(ipv4_done);
  a.land(ipv6_done);

  a.pass_unless(8, process);
  // bpf_redirect_map(sockets, the packet's queue, XDP_PASS when we have no socket there)
  a.emit(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, sockets);
  a.emit(0, 0, 0, 0, 0);
  a.load(BPF_W, 2, 6, offsetof(xdp_md, rx_queue_index));
  a.set(3, XDP_PASS);
  a.emit(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map);
  a.emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  return a.finish();
}

}  // namespace rocelab::net::xdp
