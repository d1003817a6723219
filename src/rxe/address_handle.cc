// Address vector to path.
#include "rxe/address_handle.h"

#include <cerrno>

namespace rocelab::rxe {

namespace {

constexpr std::uint32_t kFlowLabelMask = 0xf'ffff;  ///< RFC 8200, 3: 20 bits
constexpr std::uint8_t kServiceLevelMax = 15;       ///< IBTA vol 1, 7.6.5: 4 bits
constexpr std::uint8_t kPriorityMask = 7;           ///< IEEE 802.1Q: 3 bits

wire::Encapsulation encapsulation_of(const GidEntry& source) {
  if (source.type == GidType::kRoceV1) return wire::Encapsulation::kRoceV1;
  return source.gid.is_ipv4_mapped() ? wire::Encapsulation::kRoceV2Ipv4 : wire::Encapsulation::kRoceV2Ipv6;
}

}  // namespace

base::Result<wire::Path> make_path(const GidTable& gids, const AddressVector& av, const PathOptions& options) {
  const GidEntry* source = gids.find(av.sgid_index);
  if (source == nullptr) return base::fail(EINVAL, "sgid_index is outside the GID table or names an unset entry");
  if (av.dgid.is_zero() || av.dgid == wire::Gid::from_ipv4(0)) return base::fail(EINVAL, "the destination GID is zero");
  const bool multicast = av.dgid.is_multicast();
  if (multicast && options.use == PathUse::kConnected) {
    return base::fail(EINVAL, "a connected QP cannot have a multicast destination");
  }
  const wire::Encapsulation encapsulation = encapsulation_of(*source);
  if (encapsulation != wire::Encapsulation::kRoceV1 && source->gid.is_ipv4_mapped() != av.dgid.is_ipv4_mapped()) {
    return base::fail(EINVAL, "source and destination GID are of different address families");
  }
  if (av.service_level > kServiceLevelMax) return base::fail(EINVAL, "the service level is beyond 15");

  wire::Path path;
  path.encapsulation = encapsulation;
  path.source_mac = options.source_mac;
  path.destination_mac = multicast ? multicast_mac(av.dgid) : av.destination_mac;
  path.has_vlan = source->has_vlan;
  path.vlan_id = source->vlan_id;
  path.priority = av.service_level & kPriorityMask;
  path.source_gid = source->gid;
  path.destination_gid = av.dgid;
  path.traffic_class = av.traffic_class;
  if (options.ecn_capable && (path.traffic_class & kEcnMask) == 0) path.traffic_class |= kEct0;
  path.flow_label = av.flow_label & kFlowLabelMask;
  path.hop_limit = av.hop_limit == 0 ? kDefaultHopLimit : av.hop_limit;
  return path;
}

wire::MacAddress multicast_mac(const wire::Gid& group) {
  const auto& bytes = group.bytes;
  if (group.is_ipv4_mapped()) {  // RFC 1112, 6.4: 01:00:5e and the low 23 bits
    return {0x01, 0x00, 0x5e, static_cast<std::uint8_t>(bytes[13] & 0x7f), bytes[14], bytes[15]};
  }
  return {0x33, 0x33, bytes[12], bytes[13], bytes[14], bytes[15]};  // RFC 2464, 7: 33:33 and the low 32 bits
}

}  // namespace rocelab::rxe
