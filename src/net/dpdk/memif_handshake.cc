// The messages of memif's handshake (version 2.0), as far as they have to be judged. Offsets in a message of 128 bytes,
// in the machine's byte order:
//
//   all         type 0 (2)
//   ADD_REGION  index 2 (2), size 4 (8); one descriptor
//   ADD_RING    flags 2 (2), index 4 (2), region 6 (2), offset 8 (4), log2 of the slots 12 (1); one descriptor
#include "net/dpdk/memif_handshake.h"

#include <cstring>
#include <utility>

namespace rocelab::net::dpdk {

namespace {

enum Type : std::uint16_t {
  kAck = 1,
  kHello = 2,
  kInit = 3,
  kAddRegion = 4,
  kAddRing = 5,
  kConnect = 6,
  kConnected = 7,
  kDisconnect = 8,
};

constexpr std::uint16_t kClientToServer = 1;     // flag of ADD_RING
constexpr std::uint64_t kRingHeaderBytes = 128;  // before a ring's first slot
constexpr std::uint64_t kSlotBytes = 16;
constexpr unsigned kLog2SlotsMax = 14;
constexpr std::uint64_t kRegionBytesMax = 1ULL << 32;  // offsets have 32 bits

template <class T>
T field(std::span<const std::byte, HandshakeGuard::kMessageBytes> message, std::size_t offset) {
  T value;
  std::memcpy(&value, message.data() + offset, sizeof value);
  return value;
}

/// True for the first time only.
bool first(bool& happened) { return !std::exchange(happened, true); }

}  // namespace

bool HandshakeGuard::accepts(std::span<const std::byte, kMessageBytes> message, std::size_t descriptors) {
  const auto type = field<std::uint16_t>(message, 0);
  if (type == kDisconnect) return descriptors == 0;
  if (server_) return accepts_as_server(type, message, descriptors);
  if (descriptors != 0) return false;
  switch (type) {
    case kHello:
      return first(begun_);
    case kAck:
      return begun_;
    case kConnected:
      return begun_ && first(finished_);
    default:
      return false;
  }
}

bool HandshakeGuard::accepts_as_server(std::uint16_t type, std::span<const std::byte, kMessageBytes> message,
                                       std::size_t descriptors) {
  if (type == kInit) return descriptors == 0 && first(begun_);
  if (!begun_) return false;
  switch (type) {
    case kAck:
      return descriptors == 0;
    case kAddRegion: {
      const auto bytes = field<std::uint64_t>(message, 4);
      if (descriptors != 1 || region_bytes_ != 0 || field<std::uint16_t>(message, 2) != 0) return false;
      if (bytes == 0 || bytes > kRegionBytesMax) return false;
      region_bytes_ = bytes;
      return true;
    }
    case kAddRing: {
      bool& known = rings_[field<std::uint16_t>(message, 2) & kClientToServer];
      const auto slots = field<std::uint8_t>(message, 12);
      const std::uint64_t start = field<std::uint32_t>(message, 8);
      if (descriptors != 1 || field<std::uint16_t>(message, 4) != 0) return false;
      if (field<std::uint16_t>(message, 6) != 0 || slots > kLog2SlotsMax || start % kSlotBytes != 0) return false;
      if (start + kRingHeaderBytes + (kSlotBytes << slots) > region_bytes_) return false;
      return first(known);
    }
    case kConnect:
      return descriptors == 0 && rings_[0] && rings_[1] && first(finished_);
    default:
      return false;
  }
}

}  // namespace rocelab::net::dpdk
