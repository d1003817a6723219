// An address to answer to, from a received UD message: its completion and the 40 bytes in front of its payload, which
// are a GRH (RoCE v1), an IPv6 header, or 20 unused bytes and an IPv4 header (RoCE v2; IBTA annex A17.4.5.1).
#include <endian.h>
#include <infiniband/verbs.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>

#include "verbs/ah.h"
#include "verbs/context.h"
#include "verbs/status.h"

namespace rocelab::verbs {
namespace {

inline constexpr std::uint8_t kNextHeaderUdp = 17;
inline constexpr std::uint8_t kNextHeaderIba = 0x1b;  ///< GRH of RoCE v1: the IBA transport follows
inline constexpr std::size_t kIpv4Offset = 20;

using Header = std::array<std::uint8_t, sizeof(ibv_grh)>;

std::uint32_t big_endian_32(std::span<const std::uint8_t> bytes) {
  return static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
         static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3];
}

/// Version and length of an IPv4 header without options, and a checksum that is right: random bytes rarely have that.
bool is_ipv4(std::span<const std::uint8_t> ip) {
  if (ip[0] != 0x45) return false;
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 20; i += 2) sum += static_cast<std::uint32_t>(ip[i]) << 8 | ip[i + 1];
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

/// The entry of our GID table that a packet was sent to, or EINVAL.
base::Result<std::uint8_t> find_gid(Context& context, const wire::Gid& gid, rxe::GidType type) {
  return context.engine([&](rxe::Device& engine, base::TimePoint) -> base::Result<std::uint8_t> {
    const std::size_t entries = engine.options().limits.gid_table_length;
    for (std::size_t i = 0; i < entries; ++i) {
      const base::Result<rxe::GidEntry> entry = engine.gid(i);
      if (entry && entry->valid && entry->type == type && entry->gid == gid) return static_cast<std::uint8_t>(i);
    }
    return base::fail(EINVAL, "the message was not sent to a GID of this port");
  });
}

}  // namespace
}  // namespace rocelab::verbs

using namespace rocelab;
using verbs::Context;

int ibv_init_ah_from_wc(ibv_context* context, uint8_t port_num, ibv_wc* wc, ibv_grh* grh, ibv_ah_attr* ah_attr) {
  *ah_attr = ibv_ah_attr{};
  ah_attr->dlid = wc->slid;
  ah_attr->sl = 0;  // wc->sl is the kind of header (rxe/grh_area.h)
  ah_attr->src_path_bits = wc->dlid_path_bits;
  ah_attr->port_num = port_num;
  if (!(wc->wc_flags & IBV_WC_GRH)) return 0;

  verbs::Header bytes;
  std::memcpy(bytes.data(), grh, bytes.size());
  const auto ip = std::span<const std::uint8_t>(bytes).subspan(verbs::kIpv4Offset);
  wire::Gid source, destination;
  rxe::GidType type = rxe::GidType::kRoceV2;
  std::uint32_t flow_label = 0;
  std::uint8_t hop_limit = 0, traffic_class = 0;
  if (verbs::is_ipv4(ip)) {
    source = wire::Gid::from_ipv4(verbs::big_endian_32(ip.subspan(12)));
    destination = wire::Gid::from_ipv4(verbs::big_endian_32(ip.subspan(16)));
    traffic_class = ip[1];
    hop_limit = ip[8];
  } else if (bytes[0] >> 4 == 6) {
    const std::uint32_t first = verbs::big_endian_32(bytes);
    flow_label = first & 0xf'ffffu;
    traffic_class = static_cast<std::uint8_t>(first >> 20);
    hop_limit = bytes[7];
    if (bytes[6] == verbs::kNextHeaderIba) {
      type = rxe::GidType::kRoceV1;
    } else if (bytes[6] != verbs::kNextHeaderUdp) {
      errno = EPROTONOSUPPORT;
      return -1;
    }
    std::memcpy(source.bytes.data(), bytes.data() + 8, source.bytes.size());
    std::memcpy(destination.bytes.data(), bytes.data() + 24, destination.bytes.size());
  } else {
    errno = EPROTONOSUPPORT;
    return -1;
  }
  if (destination.is_multicast()) {  // any of our addresses could answer: the caller must say which
    errno = EINVAL;
    return -1;
  }
  const auto index = verbs::find_gid(Context::of(context), destination, type);
  if (!index) {
    errno = index.error().code;
    return -1;
  }
  ah_attr->is_global = 1;
  std::memcpy(ah_attr->grh.dgid.raw, source.bytes.data(), source.bytes.size());
  ah_attr->grh.sgid_index = *index;
  ah_attr->grh.flow_label = flow_label;
  ah_attr->grh.hop_limit = hop_limit;
  ah_attr->grh.traffic_class = traffic_class;
  return 0;
}

ibv_ah* ibv_create_ah_from_wc(ibv_pd* pd, ibv_wc* wc, ibv_grh* grh, uint8_t port_num) {
  ibv_ah_attr attr{};
  if (ibv_init_ah_from_wc(pd->context, port_num, wc, grh, &attr) != 0) return nullptr;
  return ibv_create_ah(pd, &attr);
}
