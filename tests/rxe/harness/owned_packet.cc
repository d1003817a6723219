// See owned_packet.h.
#include "tests/rxe/harness/owned_packet.h"

#include "wire/aeth.h"
#include "wire/opcode.h"

namespace rocelab::test {

OwnedPacket::OwnedPacket(const wire::Packet& packet) : packet_(packet) {
  const wire::Payload& payload = packet.payload;
  bytes_.reserve(payload.length);
  if (!payload.pieces.empty()) {
    for (const wire::Segment& piece : payload.pieces) {
      if (piece.data == nullptr && piece.length != 0) elided_ = true;
      if (piece.data != nullptr) bytes_.insert(bytes_.end(), piece.data, piece.data + piece.length);
    }
  } else if (payload.data != nullptr) {
    bytes_.assign(payload.data, payload.data + payload.length);
  } else {
    elided_ = payload.length != 0;
  }
  if (elided_) bytes_.clear();
  packet_.payload = {};
  packet_.payload.length = payload.length;
}

const wire::Packet& OwnedPacket::view() const {
  packet_.payload.pieces = {};
  packet_.payload.data = elided_ ? nullptr : bytes_.data();
  if (!elided_) packet_.payload.length = static_cast<std::uint32_t>(bytes_.size());
  return packet_;
}

namespace {

std::string aeth_text(const wire::Aeth& aeth) {
  const unsigned value = aeth.syndrome & 0x1fu;
  switch (aeth.syndrome >> 5) {  // IBTA vol 1, 9.7.5.1.1: bits 6:5 say what the low five bits mean
    case 0:
      return " ack msn " + std::to_string(aeth.msn);
    case 1:
      return " rnr " + std::to_string(value) + " msn " + std::to_string(aeth.msn);
    case 3:
      return " nak " + std::to_string(value) + " msn " + std::to_string(aeth.msn);
    default:
      return " aeth " + std::to_string(aeth.syndrome) + " msn " + std::to_string(aeth.msn);
  }
}

}  // namespace

std::string to_line(const wire::Packet& packet) {
  const wire::Opcode op = packet.bth.opcode;
  std::string line(wire::name(op));
  line += " psn " + std::to_string(packet.bth.psn.value());
  if (wire::has_reth(op)) line += " dma " + std::to_string(packet.reth.dma_length);
  if (wire::has_aeth(op)) line += aeth_text(packet.aeth);
  if (wire::has_immediate(op)) line += " imm " + std::to_string(packet.imm_dt.value);
  if (wire::has_payload(op)) line += " len " + std::to_string(packet.payload.length);
  if (packet.bth.ack_request) line += " ackreq";
  if (packet.bth.solicited) line += " se";
  return line;
}

}  // namespace rocelab::test
