// ibv_query_port: one port per device, Ethernet link layer.
#include <infiniband/verbs.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>

#include "runtime/facts.h"
#include "verbs/context.h"
#include "verbs/query.h"
#include "verbs/status.h"

#undef ibv_query_port

// What programs built against old headers pass to the symbol: ibv_port_attr without its newest member.
struct _compat_ibv_port_attr {
  std::byte bytes[offsetof(ibv_port_attr, port_cap_flags2)];
};

namespace rocelab::verbs {
namespace {

// IBTA vol 1, 14.2.5.6 (PortInfo): codes, not numbers. The rest of what a port says of itself is in runtime/facts.h.
inline constexpr std::uint8_t kPhysicalLinkUp = 5;
inline constexpr std::uint8_t kPhysicalDisabled = 3;

}  // namespace

int query_port(ibv_context* context, std::uint8_t port, ibv_port_attr* attr, std::size_t attr_size) {
  if (port != 1 || attr == nullptr) return refuse(EINVAL);
  const Context& ours = Context::of(context);
  rxe::VerbsDevice* device = ours.local();
  if (device == nullptr || !device->usable()) return refuse(ENODEV);
  const rxe::DeviceAttr& limits = device->limits();
  const bool up = ours.device.port_up();
  ibv_port_attr all{};
  all.state = up ? IBV_PORT_ACTIVE : IBV_PORT_DOWN;
  all.max_mtu = IBV_MTU_4096;
  all.active_mtu = static_cast<ibv_mtu>(ours.device.description().mtu);
  all.gid_tbl_len = static_cast<int>(limits.gid_table_length);
  static_assert(runtime::kPortCapabilities == (IBV_PORT_CM_SUP | IBV_PORT_IP_BASED_GIDS));
  all.port_cap_flags = runtime::kPortCapabilities;
  all.max_msg_sz = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(limits.max_msg_size, std::numeric_limits<std::uint32_t>::max()));
  all.pkey_tbl_len = limits.pkey_table_length;
  all.max_vl_num = 1;
  all.active_width = runtime::kActiveWidth;
  all.active_speed = runtime::kActiveSpeed;
  all.phys_state = up ? kPhysicalLinkUp : kPhysicalDisabled;
  all.link_layer = IBV_LINK_LAYER_ETHERNET;
  all.flags = IBV_QPF_GRH_REQUIRED;
  std::memset(static_cast<void*>(attr), 0, attr_size);
  std::memcpy(static_cast<void*>(attr), &all, std::min(attr_size, sizeof(all)));
  return 0;
}

}  // namespace rocelab::verbs

int ibv_query_port(ibv_context* context, uint8_t port_num, _compat_ibv_port_attr* port_attr) {
  if (context == nullptr) return rocelab::verbs::refuse(EINVAL);
  return rocelab::verbs::query_port(context, port_num, reinterpret_cast<ibv_port_attr*>(port_attr), sizeof(*port_attr));
}
