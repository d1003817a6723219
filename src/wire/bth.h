// Base transport header (IBTA vol 1, 9.2):
//
//    0                   1                   2                   3
//   |     opcode    |S|M|pad| tver  |          partition key          |
//   |F|B| reserved6 |              destination QP                     |
//   |A|  reserved7  |           packet sequence number                |
//
// S solicited event, M migration state, F FECN, B BECN (both in what was reserved8a, A17.9.2), A acknowledge request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "wire/bytes.h"
#include "wire/opcode.h"
#include "wire/psn.h"

namespace rocelab::wire {

struct Bth {
  static constexpr std::size_t kSize = 12;

  Opcode opcode{};
  bool solicited = false;
  bool migrated = false;
  std::uint8_t pad_count = 0;  ///< bytes of padding behind the payload, 0..3; the frame encoder computes it
  std::uint8_t version = 0;    ///< TVer, 0 is the only one defined
  std::uint16_t pkey = 0xffff;
  bool fecn = false;
  bool becn = false;
  std::uint32_t destination_qpn = 0;  ///< 24 bits
  bool ack_request = false;
  Psn psn;

  /// bytes.size() >= kSize.
  static Bth parse(std::span<const std::byte> bytes) {
    Bth bth;
    bth.read(bytes);
    return bth;
  }
  /// The same in place, for the path of every packet: compilers build what parse() returns in a temporary.
  void read(std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    opcode = static_cast<Opcode>(load_u8(p));
    const std::uint8_t flags = load_u8(p + 1);
    solicited = (flags & 0x80) != 0;
    migrated = (flags & 0x40) != 0;
    pad_count = (flags >> 4) & 3;
    version = flags & 0x0f;
    pkey = load_be<std::uint16_t>(p + 2);
    const std::uint8_t congestion = load_u8(p + 4);
    fecn = (congestion & 0x80) != 0;
    becn = (congestion & 0x40) != 0;
    destination_qpn = load_be24(p + 5);
    ack_request = (load_u8(p + 8) & 0x80) != 0;
    psn = Psn(load_be24(p + 9));
  }

  /// bytes.size() >= kSize; writes every byte, reserved bits as zero.
  void emit(std::span<std::byte> bytes) const {
    std::byte* p = bytes.data();
    store_u8(p, static_cast<std::uint8_t>(opcode));
    store_u8(p + 1, static_cast<std::uint8_t>((solicited ? 0x80 : 0) | (migrated ? 0x40 : 0) | (pad_count & 3) << 4 |
                                              (version & 0x0f)));
    store_be<std::uint16_t>(p + 2, pkey);
    store_u8(p + 4, static_cast<std::uint8_t>((fecn ? 0x80 : 0) | (becn ? 0x40 : 0)));
    store_be24(p + 5, destination_qpn);
    store_u8(p + 8, ack_request ? 0x80 : 0);
    store_be24(p + 9, psn.value());
  }

  friend bool operator==(const Bth&, const Bth&) = default;
};

std::string to_string(const Bth& bth);

}  // namespace rocelab::wire
