// Management datagrams (IBTA vol 1, 13.4.2): 256 bytes on QP1, a common header of 24 and then what the attribute says.
// Only the class of communication management is spoken here (IBTA vol 1, 12.6): class 0x07, version 2, method Send.
//
//   0 | base version | class | class version | method |
//   4 |        status        |     class specific     |
//   8 |              transaction id (8)               |
//  16 |     attribute id     |        reserved        |
//  20 |              attribute modifier               |
//
// Values without ownership; parse looks at nothing beyond the bytes it is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace rocelab::cm {

inline constexpr std::size_t kMadBytes = 256;
inline constexpr std::size_t kMadHeaderBytes = 24;
inline constexpr std::uint8_t kCmClass = 0x07;
inline constexpr std::uint8_t kCmClassVersion = 2;
inline constexpr std::uint8_t kMethodSend = 0x03;
inline constexpr std::uint8_t kMadBaseVersion = 1;

/// Which message a MAD carries (IBTA vol 1, table 16.7.1).
enum class Attribute : std::uint16_t {
  kReq = 0x10,
  kMra = 0x11,
  kRej = 0x12,
  kRep = 0x13,
  kRtu = 0x14,
  kDreq = 0x15,
  kDrep = 0x16,
  kSidrReq = 0x17,
  kSidrRep = 0x18,
  kLap = 0x19,
  kApr = 0x1a,
};
std::string_view to_string(Attribute attribute);

struct MadHeader {
  std::uint8_t base_version = kMadBaseVersion;
  std::uint8_t management_class = kCmClass;
  std::uint8_t class_version = kCmClassVersion;
  std::uint8_t method = kMethodSend;
  std::uint16_t status = 0;
  std::uint16_t class_specific = 0;
  std::uint64_t transaction_id = 0;
  std::uint16_t attribute_id = 0;
  std::uint32_t attribute_modifier = 0;

  /// bytes.size() >= kMadHeaderBytes.
  static MadHeader parse(std::span<const std::byte> bytes);
  /// bytes.size() >= kMadHeaderBytes; writes every byte.
  void emit(std::span<std::byte> bytes) const;
  friend bool operator==(const MadHeader&, const MadHeader&) = default;
};

/// The comm id by which a message of this class names its receiver, for who has to choose between processes: nothing
/// for messages that begin something (REQ, SIDR_REQ), for a REJ that names none, and for what is no CM message.
std::optional<std::uint32_t> receiver_of(std::span<const std::byte> mad);

}  // namespace rocelab::cm
