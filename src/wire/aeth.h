// ACK extended transport header (IBTA vol 1, 9.3.5.1):
//
//   |  syndrome (1) |        message sequence number (3)            |
//
// The syndrome (9.7.5.2, table 44): bit 7 reserved; bits 6:5 say ACK, RNR NAK or NAK; bits 4:0 are the credit count,
// the RNR timer code or the NAK code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/time.h"
#include "wire/bytes.h"

namespace rocelab::wire {

enum class AethKind : std::uint8_t { kAck = 0, kRnrNak = 1, kReserved = 2, kNak = 3 };

/// IBTA vol 1, 9.7.5.2.8, table 46.
enum class NakCode : std::uint8_t {
  kPsnSequenceError = 0,
  kInvalidRequest = 1,
  kRemoteAccessError = 2,
  kRemoteOperationalError = 3,
  kInvalidRdRequest = 4,
};

struct Aeth {
  static constexpr std::size_t kSize = 4;
  /// Credit code 31: this responder does not count credits (9.7.7.2.1).
  static constexpr std::uint8_t kCreditsInvalid = 0x1f;

  std::uint8_t syndrome = 0;
  std::uint32_t msn = 0;  ///< 24 bits

  static constexpr Aeth ack(std::uint32_t msn) { return {kCreditsInvalid, msn}; }
  static constexpr Aeth rnr_nak(std::uint8_t timer_code, std::uint32_t msn) {
    return {static_cast<std::uint8_t>(0x20 | (timer_code & 0x1f)), msn};
  }
  static constexpr Aeth nak(NakCode code, std::uint32_t msn) {
    return {static_cast<std::uint8_t>(0x60 | static_cast<unsigned>(code)), msn};
  }

  constexpr AethKind kind() const { return static_cast<AethKind>((syndrome >> 5) & 3); }
  constexpr std::uint8_t code() const { return syndrome & 0x1f; }  ///< credits, RNR timer code or NAK code

  /// bytes.size() >= kSize.
  static Aeth parse(std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    return {load_u8(p), load_be24(p + 1)};
  }
  /// bytes.size() >= kSize; writes every byte.
  void emit(std::span<std::byte> bytes) const {
    store_u8(bytes.data(), syndrome);
    store_be24(bytes.data() + 1, msn);
  }

  friend bool operator==(const Aeth&, const Aeth&) = default;
};

/// How long an RNR NAK with this timer code (0..31) asks the requester to wait: IBTA vol 1, 9.7.5.2.8, table 45.
base::Duration rnr_timer(std::uint8_t code);

std::string to_string(const Aeth& header);

}  // namespace rocelab::wire
