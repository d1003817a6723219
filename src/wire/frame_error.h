// Why a frame is not a RoCE packet that the engine may see. Each reason has a counter (`rocelab dev --counters`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rocelab::wire {

enum class FrameError : std::uint8_t {
  kNotRoce,        ///< another Ethertype, protocol or UDP port: not an error of the sender
  kTruncated,      ///< shorter than its headers say
  kBadIpHeader,    ///< version, header length, checksum, fragment, GRH version or next header
  kBadLength,      ///< IP, UDP or GRH length disagrees with the frame or with each other
  kUnknownOpcode,  ///< not defined by IBTA
  kBadVersion,     ///< BTH TVer is not 0
  kBadPad,         ///< padding longer than what is left, or a payload where the opcode has none
  kBadIcrc,
};
inline constexpr std::size_t kFrameErrorCount = 8;

/// "not_roce", "truncated", ... as the counters are called.
constexpr std::string_view name(FrameError error) {
  constexpr std::string_view kNames[kFrameErrorCount] = {"not_roce",       "truncated",   "bad_ip_header", "bad_length",
                                                         "unknown_opcode", "bad_version", "bad_pad",       "bad_icrc"};
  return kNames[static_cast<std::size_t>(error)];
}

}  // namespace rocelab::wire
