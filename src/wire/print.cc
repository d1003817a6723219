// to_string of every transport header and of a whole packet.
#include <fmt/format.h>

#include <string>

#include "wire/packet.h"

namespace rocelab::wire {

std::string to_string(const Bth& bth) {
  std::string text = fmt::format("{} qp {:#x} psn {}", name(bth.opcode), bth.destination_qpn, bth.psn.value());
  if (bth.ack_request) text += " A";
  if (bth.solicited) text += " SE";
  if (bth.fecn) text += " FECN";
  if (bth.becn) text += " BECN";
  if (bth.pkey != 0xffff) text += fmt::format(" pkey {:#06x}", bth.pkey);
  if (bth.version != 0) text += fmt::format(" tver {}", bth.version);
  return text;
}

std::string to_string(const Deth& h) { return fmt::format("src qp {:#x} qkey {:#x}", h.source_qpn, h.qkey); }
std::string to_string(const Reth& h) {
  return fmt::format("va {:#x} rkey {:#x} dma {}", h.virtual_address, h.rkey, h.dma_length);
}
std::string to_string(const AtomicEth& h) {
  return fmt::format("va {:#x} rkey {:#x} swap/add {:#x} compare {:#x}", h.virtual_address, h.rkey, h.swap_or_add,
                     h.compare);
}
std::string to_string(const AtomicAckEth& h) { return fmt::format("original {:#x}", h.original); }
std::string to_string(const ImmDt& h) { return fmt::format("imm {:#x}", h.value); }
std::string to_string(const Ieth& h) { return fmt::format("inv rkey {:#x}", h.rkey); }
std::string to_string(const Feth& h) {
  std::string text = "flush";
  if ((h.placement & Feth::kGlobal) != 0) text += " global";
  if ((h.placement & Feth::kPersistent) != 0) text += " persistent";
  if ((h.placement & ~(Feth::kGlobal | Feth::kPersistent)) != 0) text += fmt::format(" placement {:#x}", h.placement);
  if (h.selectivity == Feth::kRegion) return text + " region";
  return h.selectivity == Feth::kRange ? text : text + fmt::format(" selectivity {}", h.selectivity);
}
std::string to_string(const XrcEth& h) { return fmt::format("xrc srq {:#x}", h.srq_number); }

std::string to_string(const Aeth& h) {
  static constexpr const char* kNak[] = {"PSN sequence error", "invalid request", "remote access error",
                                         "remote operational error", "invalid RD request"};
  switch (h.kind()) {
    case AethKind::kAck:
      return fmt::format("ACK msn {}", h.msn);
    case AethKind::kRnrNak:
      return fmt::format("RNR NAK timer {} msn {}", h.code(), h.msn);
    case AethKind::kNak:
      return fmt::format("NAK {} msn {}", h.code() < 5 ? kNak[h.code()] : "reserved code", h.msn);
    case AethKind::kReserved:
      break;
  }
  return fmt::format("reserved syndrome {:#x} msn {}", h.syndrome, h.msn);
}

std::string to_string(const Packet& packet) {
  const Path& path = packet.path;
  const Opcode op = packet.bth.opcode;
  std::string text = fmt::format("{} {} > {}", path.encapsulation == Encapsulation::kRoceV1 ? "RoCEv1" : "RoCEv2",
                                 to_string(path.source_gid), to_string(path.destination_gid));
  if (path.has_vlan) text += fmt::format(" vlan {} pcp {}", path.vlan_id, path.priority);
  if (path.traffic_class != 0) text += fmt::format(" tc {:#x}", path.traffic_class);
  text += ' ' + to_string(packet.bth);
  if (has_xrceth(op)) text += ' ' + to_string(packet.xrc_eth);
  if (has_deth(op)) text += ' ' + to_string(packet.deth);
  if (has_feth(op)) text += ' ' + to_string(packet.feth);
  if (has_reth(op)) text += ' ' + to_string(packet.reth);
  if (has_atomic_eth(op)) text += ' ' + to_string(packet.atomic_eth);
  if (has_aeth(op)) text += ' ' + to_string(packet.aeth);
  if (has_atomic_ack_eth(op)) text += ' ' + to_string(packet.atomic_ack_eth);
  if (has_immediate(op)) text += ' ' + to_string(packet.imm_dt);
  if (has_ieth(op)) text += ' ' + to_string(packet.ieth);
  if (has_payload(op)) text += fmt::format(" len {}", packet.payload.length);
  return text;
}

}  // namespace rocelab::wire
