// One engine in the place of one of the two recorded parties: its device has that party's GID, its buffer that party's
// address and contents, its QP the recorded starting PSNs. Numbers that an engine chooses itself (QPN, keys) are mapped
// in both directions. Used by the replay tests.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/rxe/harness/solo.h"
#include "tests/rxe/replay/recording.h"

namespace rocelab::test::replay {

inline constexpr std::size_t kBufferBytes = 64 * 1024;  ///< rc_nak_access_read reads across this end

class Stage {
 public:
  /// `options` may preset what the recording does not tell; PSNs, MTU and type are set here.
  Stage(const Recording& recording, bool as_a, QpOptions options, std::uint32_t expected_psn);

  Solo solo;
  std::unique_ptr<Endpoint> qp;
  std::unique_ptr<Region> buffer;
  bool ready = false;

  /// A recorded packet of the peer as it must look to this engine.
  wire::Packet for_engine(const OwnedPacket& recorded) const;
  /// A packet of the engine as it must look in the recording.
  OwnedPacket as_recorded(const OwnedPacket& sent) const;
  /// A recorded key of the peer's or our own buffer (or window): another mapping than the buffer's.
  std::uint32_t window_rkey = 0;

 private:
  const Recording& recording_;
  const Party& self_;
  const Party& peer_;
};

/// What is compared of a packet, as one line: everything but what the specification leaves to the sender: the UDP
/// source port (entropy), the IPv4 identification, the TTL, the MAC addresses (the recording's veth pair), and the
/// credit field of an ACK, which rxe sets to "invalid" as we do, but which a responder with credits would not.
std::string comparable(const wire::Packet& packet);

}  // namespace rocelab::test::replay
