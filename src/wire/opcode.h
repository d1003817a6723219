// BTH opcodes (IBTA vol 1, 9.2.1, table 38; CNP: annex A17.9.3): the upper three bits name the transport service, the
// lower five the operation. What follows a BTH is a property of the opcode, kept in one table of bits (opcode.cc).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rocelab::wire {

enum class Transport : std::uint8_t { kRc = 0, kUc = 1, kRd = 2, kUd = 3, kCnp = 4, kXrc = 5, kSelective = 6 };

/// The operation of an opcode, common to all services (low five bits).
enum class Operation : std::uint8_t {
  kSendFirst = 0x00,
  kSendMiddle = 0x01,
  kSendLast = 0x02,
  kSendLastWithImmediate = 0x03,
  kSendOnly = 0x04,
  kSendOnlyWithImmediate = 0x05,
  kRdmaWriteFirst = 0x06,
  kRdmaWriteMiddle = 0x07,
  kRdmaWriteLast = 0x08,
  kRdmaWriteLastWithImmediate = 0x09,
  kRdmaWriteOnly = 0x0a,
  kRdmaWriteOnlyWithImmediate = 0x0b,
  kRdmaReadRequest = 0x0c,
  kRdmaReadResponseFirst = 0x0d,
  kRdmaReadResponseMiddle = 0x0e,
  kRdmaReadResponseLast = 0x0f,
  kRdmaReadResponseOnly = 0x10,
  kAcknowledge = 0x11,
  kAtomicAcknowledge = 0x12,
  kCompareSwap = 0x13,
  kFetchAdd = 0x14,
  kSendLastWithInvalidate = 0x16,
  kSendOnlyWithInvalidate = 0x17,
  kFlush = 0x1c,        ///< release 1.5, RC alone
  kAtomicWrite = 0x1d,  ///< release 1.5, RC alone
};

constexpr std::uint8_t opcode_value(Transport transport, Operation operation) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(transport) << 5 | static_cast<unsigned>(operation));
}

enum class Opcode : std::uint8_t {
  kRcSendFirst = 0x00,
  kRcSendMiddle = 0x01,
  kRcSendLast = 0x02,
  kRcSendLastWithImmediate = 0x03,
  kRcSendOnly = 0x04,
  kRcSendOnlyWithImmediate = 0x05,
  kRcRdmaWriteFirst = 0x06,
  kRcRdmaWriteMiddle = 0x07,
  kRcRdmaWriteLast = 0x08,
  kRcRdmaWriteLastWithImmediate = 0x09,
  kRcRdmaWriteOnly = 0x0a,
  kRcRdmaWriteOnlyWithImmediate = 0x0b,
  kRcRdmaReadRequest = 0x0c,
  kRcRdmaReadResponseFirst = 0x0d,
  kRcRdmaReadResponseMiddle = 0x0e,
  kRcRdmaReadResponseLast = 0x0f,
  kRcRdmaReadResponseOnly = 0x10,
  kRcAcknowledge = 0x11,
  kRcAtomicAcknowledge = 0x12,
  kRcCompareSwap = 0x13,
  kRcFetchAdd = 0x14,
  kRcSendLastWithInvalidate = 0x16,
  kRcSendOnlyWithInvalidate = 0x17,
  kRcFlush = 0x1c,
  kRcAtomicWrite = 0x1d,

  kUcSendFirst = 0x20,
  kUcSendMiddle = 0x21,
  kUcSendLast = 0x22,
  kUcSendLastWithImmediate = 0x23,
  kUcSendOnly = 0x24,
  kUcSendOnlyWithImmediate = 0x25,
  kUcRdmaWriteFirst = 0x26,
  kUcRdmaWriteMiddle = 0x27,
  kUcRdmaWriteLast = 0x28,
  kUcRdmaWriteLastWithImmediate = 0x29,
  kUcRdmaWriteOnly = 0x2a,
  kUcRdmaWriteOnlyWithImmediate = 0x2b,

  kUdSendOnly = 0x64,
  kUdSendOnlyWithImmediate = 0x65,

  kCnp = 0x81,

  kXrcSendFirst = 0xa0,
  kXrcSendMiddle = 0xa1,
  kXrcSendLast = 0xa2,
  kXrcSendLastWithImmediate = 0xa3,
  kXrcSendOnly = 0xa4,
  kXrcSendOnlyWithImmediate = 0xa5,
  kXrcRdmaWriteFirst = 0xa6,
  kXrcRdmaWriteMiddle = 0xa7,
  kXrcRdmaWriteLast = 0xa8,
  kXrcRdmaWriteLastWithImmediate = 0xa9,
  kXrcRdmaWriteOnly = 0xaa,
  kXrcRdmaWriteOnlyWithImmediate = 0xab,
  kXrcRdmaReadRequest = 0xac,
  kXrcRdmaReadResponseFirst = 0xad,
  kXrcRdmaReadResponseMiddle = 0xae,
  kXrcRdmaReadResponseLast = 0xaf,
  kXrcRdmaReadResponseOnly = 0xb0,
  kXrcAcknowledge = 0xb1,
  kXrcAtomicAcknowledge = 0xb2,
  kXrcCompareSwap = 0xb3,
  kXrcFetchAdd = 0xb4,
  kXrcSendLastWithInvalidate = 0xb6,
  kXrcSendOnlyWithInvalidate = 0xb7,
};

constexpr Transport transport_of(Opcode opcode) { return static_cast<Transport>(static_cast<unsigned>(opcode) >> 5); }
constexpr Operation operation_of(Opcode opcode) { return static_cast<Operation>(static_cast<unsigned>(opcode) & 0x1f); }

namespace detail {

enum OpcodeBit : std::uint32_t {
  kValid = 1u << 0,
  kStarts = 1u << 1,
  kEnds = 1u << 2,
  kReth = 1u << 3,
  kAeth = 1u << 4,
  kAtomicEth = 1u << 5,
  kAtomicAckEth = 1u << 6,
  kImmediate = 1u << 7,
  kIeth = 1u << 8,
  kDeth = 1u << 9,
  kXrcEth = 1u << 10,
  kPayload = 1u << 11,
  kRequest = 1u << 12,
  kResponse = 1u << 13,
  kSend = 1u << 14,
  kWrite = 1u << 15,
  kReadResponse = 1u << 16,
  kAtomic = 1u << 17,
  kFeth = 1u << 18,
};

constexpr std::uint32_t operation_bits(unsigned operation) {
  constexpr std::uint32_t send = kValid | kRequest | kPayload | kSend;
  constexpr std::uint32_t write = kValid | kRequest | kPayload | kWrite;
  constexpr std::uint32_t read_response = kValid | kResponse | kPayload | kReadResponse;
  switch (operation) {
    case 0x00:
      return send | kStarts;
    case 0x01:
      return send;
    case 0x02:
      return send | kEnds;
    case 0x03:
      return send | kEnds | kImmediate;
    case 0x04:
      return send | kStarts | kEnds;
    case 0x05:
      return send | kStarts | kEnds | kImmediate;
    case 0x06:
      return write | kStarts | kReth;
    case 0x07:
      return write;
    case 0x08:
      return write | kEnds;
    case 0x09:
      return write | kEnds | kImmediate;
    case 0x0a:
      return write | kStarts | kEnds | kReth;
    case 0x0b:
      return write | kStarts | kEnds | kReth | kImmediate;
    case 0x0c:
      return kValid | kRequest | kStarts | kEnds | kReth;
    case 0x0d:
      return read_response | kStarts | kAeth;
    case 0x0e:
      return read_response;
    case 0x0f:
      return read_response | kEnds | kAeth;
    case 0x10:
      return read_response | kStarts | kEnds | kAeth;
    case 0x11:
      return kValid | kResponse | kStarts | kEnds | kAeth;
    case 0x12:
      return kValid | kResponse | kStarts | kEnds | kAeth | kAtomicAckEth;
    case 0x13:
    case 0x14:
      return kValid | kRequest | kStarts | kEnds | kAtomicEth | kAtomic;
    case 0x16:
      return send | kEnds | kIeth;
    case 0x17:
      return send | kStarts | kEnds | kIeth;
    default:
      return 0;
  }
}

constexpr std::uint32_t bits_of(unsigned value) {
  const unsigned operation = value & 0x1f;
  switch (value >> 5) {
    case 0:
      if (operation == 0x1c) return kValid | kRequest | kStarts | kEnds | kFeth | kReth;
      if (operation == 0x1d) return kValid | kRequest | kStarts | kEnds | kReth | kPayload;
      return operation_bits(operation);
    case 1:
      return operation <= 0x0b ? operation_bits(operation) : 0;
    case 3:
      return operation == 0x04 || operation == 0x05 ? operation_bits(operation) | kDeth : 0;
    case 4:
      return value == 0x81 ? kValid | kStarts | kEnds : 0;
    case 5: {
      const std::uint32_t bits = operation_bits(operation);
      return (bits & kRequest) != 0 ? bits | kXrcEth : bits;
    }
    case 6: {
      // Ours, in the range that IBTA vol 1, 9.2.1 leaves to manufacturers: RC whose packets can be placed alone. What
      // carries data of a SEND or WRITE says where it goes; an acknowledgement has 64 bits beside its AETH.
      const std::uint32_t bits = operation_bits(operation);
      if ((bits & (kSend | kWrite)) != 0) return bits | kReth;
      return operation == 0x11 ? bits | kAtomicAckEth : bits;
    }
    default:
      return 0;
  }
}

constexpr std::array<std::uint32_t, 256> make_opcode_table() {
  std::array<std::uint32_t, 256> table{};
  for (unsigned value = 0; value < 256; ++value) table[value] = bits_of(value);
  return table;
}
inline constexpr std::array<std::uint32_t, 256> kOpcodeTable = make_opcode_table();

constexpr bool has(Opcode opcode, std::uint32_t bit) {
  return (kOpcodeTable[static_cast<std::uint8_t>(opcode)] & bit) != 0;
}

}  // namespace detail

constexpr bool is_valid(Opcode op) { return detail::has(op, detail::kValid); }
constexpr bool starts_message(Opcode op) { return detail::has(op, detail::kStarts); }
constexpr bool ends_message(Opcode op) { return detail::has(op, detail::kEnds); }
constexpr bool has_reth(Opcode op) { return detail::has(op, detail::kReth); }
constexpr bool has_aeth(Opcode op) { return detail::has(op, detail::kAeth); }
constexpr bool has_atomic_eth(Opcode op) { return detail::has(op, detail::kAtomicEth); }
constexpr bool has_atomic_ack_eth(Opcode op) { return detail::has(op, detail::kAtomicAckEth); }
constexpr bool has_immediate(Opcode op) { return detail::has(op, detail::kImmediate); }
constexpr bool has_ieth(Opcode op) { return detail::has(op, detail::kIeth); }
constexpr bool has_deth(Opcode op) { return detail::has(op, detail::kDeth); }
constexpr bool has_xrceth(Opcode op) { return detail::has(op, detail::kXrcEth); }
constexpr bool has_feth(Opcode op) { return detail::has(op, detail::kFeth); }
constexpr bool has_payload(Opcode op) { return detail::has(op, detail::kPayload); }
constexpr bool is_request(Opcode op) { return detail::has(op, detail::kRequest); }
constexpr bool is_response(Opcode op) { return detail::has(op, detail::kResponse); }
constexpr bool is_send(Opcode op) { return detail::has(op, detail::kSend); }
constexpr bool is_send_or_write(Opcode op) { return detail::has(op, detail::kSend | detail::kWrite); }
constexpr bool is_write(Opcode op) { return detail::has(op, detail::kWrite); }
constexpr bool is_read_response(Opcode op) { return detail::has(op, detail::kReadResponse); }
constexpr bool is_atomic(Opcode op) { return detail::has(op, detail::kAtomic); }

/// "RC_SEND_FIRST", "UD_SEND_ONLY_WITH_IMMEDIATE", "CNP"; "UNKNOWN" for what IBTA does not define.
std::string_view name(Opcode opcode);

}  // namespace rocelab::wire
