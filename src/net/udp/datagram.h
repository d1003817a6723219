// Between frames, which is what net::Port carries, and the datagrams of a UDP socket, whose IP header the kernel writes
// and keeps to itself. Outgoing: a frame is checked and taken apart, and its ICRC corrected to the header fields that
// the kernel will write (source port 4791, identification 0). Incoming: headers are written in front of the datagram
// from what the kernel says about it; the IPv4 identification, which it does not say, is worked out from the ICRC.
// Pure functions of bytes; tests/fuzz compiles them once more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "wire/gid.h"

namespace rocelab::net::udp {

/// Ethernet 14, IPv6 40, UDP 8, rounded up: what rebuild() may write in front of a datagram.
inline constexpr std::size_t kHeadroomBytes = 64;

/// An outgoing packet: the transport's bytes (BTH to ICRC) and what the kernel has to know.
struct Departure {
  wire::Gid source;
  wire::Gid destination;
  std::uint8_t traffic_class = 0;
  std::uint8_t hop_limit = 0;
  std::uint16_t identification = 0;  ///< that the ICRC is right for; IPv4
  std::byte* transport = nullptr;
  std::size_t bytes = 0;

  /// High byte of the destination QPN: the process that a rocelab host steers it to.
  std::uint8_t process() const { return static_cast<std::uint8_t>(transport[5]); }
};

/// Checks that `frame` is a whole RoCE v2 frame without a VLAN tag, and makes its ICRC right for a datagram sent from
/// port 4791 with identification 0. Nothing: a socket cannot send this.
std::optional<Departure> take_apart(std::span<std::byte> frame);

/// Makes the ICRC right for another identification. IPv4 only.
void set_identification(Departure& packet, std::uint16_t identification);

/// What the kernel says about a datagram that has arrived.
struct Arrival {
  wire::Gid source;
  wire::Gid destination;
  std::uint16_t source_port = 0;
  std::uint8_t traffic_class = 0;
  std::uint8_t hop_limit = 0;
};

struct Rebuilt {
  std::span<const std::byte> frame;
  bool checked = false;  ///< the ICRC is right; if not, whoever decodes the frame will find it wrong
};

/// Writes the headers into the kHeadroomBytes before `transport`. Any bytes may have arrived, up to the 65,507 of the
/// longest datagram.
///
/// The ICRC of an IPv4 packet covers the identification: here it is right when some identification makes it so. Of
/// random damage this lets one in 65,536 pass instead of one in 4 billion; the UDP checksum, which the kernel has
/// verified if the sender made one, is another such factor.
Rebuilt rebuild(const Arrival& arrival, std::byte* transport, std::size_t bytes);

}  // namespace rocelab::net::udp
