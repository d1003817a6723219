// One engine and a test that plays its peer with hand-made packets: what no well-behaved second engine would send. The
// peer is side 2 of the harness, with QPN kPeerQpn and first PSN kPeerPsn. Single-threaded and deterministic.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/rxe/harness/craft.h"
#include "tests/rxe/harness/endpoint.h"
#include "tests/rxe/harness/side.h"

namespace rocelab::test {

inline constexpr rxe::Qpn kPeerQpn = 0x222;
inline constexpr std::uint32_t kPeerPsn = 5000;

class Solo {
 public:
  explicit Solo(const rxe::DeviceOptions& options = device_options(1));
  Solo(const Solo&) = delete;
  Solo& operator=(const Solo&) = delete;

  Side side;
  /// What the engine has sent so far.
  std::vector<OwnedPacket> sent;

  /// A packet from the peer to this endpoint, without payload.
  Craft from_peer(const Endpoint& to, wire::Opcode opcode, std::uint32_t psn) const;

  /// Hands the packet over; the engine does not get to speak.
  void deliver(const wire::Packet& packet) { side.device.handle_packet(side.now, packet); }
  void deliver(const Craft& packet) { deliver(packet.view()); }
  /// Lets the engine say all that it has to say now.
  void speak();
  /// deliver and speak; the lines of what was sent in answer.
  std::vector<std::string> exchange(const Craft& packet);
  /// Lets time pass, doing what falls due in it.
  void advance(base::Duration span);
  /// Jumps to the next deadline and does what is due; false when there is none.
  bool next_deadline();
  /// `sent` as lines `RC_ACKNOWLEDGE psn 5000 ack msn 1`; forgets them.
  std::vector<std::string> lines();
};

/// An endpoint of a Solo in RTS (or RTR), connected to the peer.
struct SoloQp : Endpoint {
  SoloQp(Solo& solo, const QpOptions& options, rxe::QpState until = rxe::QpState::kRts);
  explicit SoloQp(Solo& solo) : SoloQp(solo, QpOptions{}) {}
  bool ready = false;
};

}  // namespace rocelab::test
