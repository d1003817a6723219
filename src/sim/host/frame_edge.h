// Wire-exact payload: the packets of one host as Ethernet frames. What leaves is encoded, what arrives is decoded with
// its ICRC verified, and a copy of both can go to a pcapng file. Owned by HostStack.
#pragma once

#include <cstdint>
#include <optional>

#include "net/pcapng_writer.h"
#include "sim/fabric/packet.h"
#include "sim/kernel/context.h"

namespace rocelab::sim {

class Host;

class FrameEdge {
 public:
  explicit FrameEdge(const Host& host);

  /// Fills the packet's bytes with the frame.
  void encode(const wire::Packet& packet, Packet& out);
  /// Fills `header` from the frame, after the switches' ECN mark has been put into it. False: not a good frame.
  bool decode(Context& context, Packet& packet, wire::Packet& header);
  void capture_sent(Context& context, const Packet& packet);

 private:
  void capture(Context& context, const Packet& packet, net::CaptureDirection direction);

  std::optional<net::PcapngWriter> writer_;
  std::uint32_t interface_ = 0;
};

}  // namespace rocelab::sim
