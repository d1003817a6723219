// A packet that owns its payload, so that it can lie on a virtual link or in a recording after the engine's buffers
// have moved on. Made from what an engine hands to its TxSink (a gather list) or by hand. Used by the whole engine
// harness.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "wire/packet.h"

namespace rocelab::test {

class OwnedPacket {
 public:
  OwnedPacket() = default;
  /// Gathers the payload; a payload with elided pieces stays elided (a length without bytes).
  explicit OwnedPacket(const wire::Packet& packet);

  /// The packet with its payload as one contiguous view into this object; valid until this object is moved or dies.
  const wire::Packet& view() const;
  wire::Packet& header() { return packet_; }
  const wire::Packet& header() const { return packet_; }
  std::vector<std::byte>& payload() { return bytes_; }
  const std::vector<std::byte>& payload() const { return bytes_; }
  bool elided() const { return elided_; }

 private:
  mutable wire::Packet packet_{};
  std::vector<std::byte> bytes_;
  bool elided_ = false;
};

/// `RC_SEND_ONLY psn 1000 len 64 ackreq se`: what tests compare with. Numbers are decimal; remote keys and addresses
/// are left out because engines choose them.
std::string to_line(const wire::Packet& packet);

}  // namespace rocelab::test
