// From an address vector to a ready-made wire::Path: what a UD request names by AhId and what a connected QP keeps. The
// path's udp_source_port depends on the QPs at both ends (wire::udp_source_port) and is left 0 here: connected QPs set
// it once, UD sets it a packet. Values; AddressHandles are owned by Device.
#pragma once

#include "base/result.h"
#include "rxe/gid_table.h"
#include "rxe/types.h"
#include "wire/packet.h"

namespace rocelab::rxe {

inline constexpr std::uint8_t kDefaultHopLimit = 64;  ///< used for a hop_limit of 0, which no router would forward
inline constexpr std::uint8_t kEcnMask = 0x3, kEct0 = 0x2, kEcnCe = 0x3;  ///< RFC 3168, section 5

enum class PathUse : std::uint8_t {
  kDatagram,   ///< UD: a multicast destination is permitted
  kConnected,  ///< RC, UC: it is not
};

struct PathOptions {
  wire::MacAddress source_mac{};
  PathUse use = PathUse::kDatagram;
  bool ecn_capable = false;  ///< congestion control runs: mark packets ECT(0) unless the application set the bits
};

/// EINVAL: sgid_index outside the table or unset; a destination that is zero, that is multicast where that is not
/// permitted, or whose address family is not the source's (RoCE v2); service level beyond 15.
/// Multicast destinations get the MAC that RFC 1112, 6.4 and RFC 2464, 7 derive; others keep av.destination_mac.
base::Result<wire::Path> make_path(const GidTable& gids, const AddressVector& av, const PathOptions& options);

/// The Ethernet address of a multicast GID.
wire::MacAddress multicast_mac(const wire::Gid& group);

struct AddressHandle {
  PdId pd{};
  AddressVector av;
  wire::Path path;
};

}  // namespace rocelab::rxe
