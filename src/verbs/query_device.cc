// ibv_query_device and ibv_query_device_ex: limits come from the engine's, so they are the ones that hold.
#include <infiniband/verbs.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <limits>
#include <string_view>

#include "base/guarded_memory.h"
#include "runtime/facts.h"
#include "verbs/context.h"
#include "verbs/dm.h"
#include "verbs/query.h"
#include "verbs/status.h"

namespace rocelab::verbs {
namespace {

inline constexpr std::uint8_t kAckDelay = 15;                       ///< 4.096 us * 2^15, what software devices report
inline constexpr std::uint64_t kTimestampClockKhz = 1'000'000'000;  ///< completion timestamps count picoseconds
inline constexpr std::uint64_t kPageSizes = ~std::uint64_t{0xfff};  ///< 4 KiB and every larger power of two

/// For the attributes that are an int in the ABI.
int as_int(std::uint64_t value) {
  return static_cast<int>(std::min<std::uint64_t>(value, std::numeric_limits<int>::max()));
}

ibv_device_attr device_attr(const Context& context, const rxe::DeviceAttr& limits) {
  ibv_device_attr attr{};
  static_assert(sizeof(ROCELAB_VERSION) <= sizeof(attr.fw_ver));
  static_assert(runtime::kFirmwareVersion == std::string_view(ROCELAB_VERSION));
  std::memcpy(attr.fw_ver, ROCELAB_VERSION, sizeof(ROCELAB_VERSION));
  attr.node_guid = ibv_get_device_guid(&context.device);
  attr.sys_image_guid = attr.node_guid;
  attr.vendor_id = runtime::kVendorId;
  attr.vendor_part_id = context.device.description().vendor_part_id;
  attr.hw_ver = runtime::kHardwareVersion;
  attr.max_mr_size = limits.max_mr_size;
  attr.page_size_cap = kPageSizes;
  attr.max_qp = as_int(limits.max_qp);
  attr.max_qp_wr = as_int(limits.max_qp_wr);
  attr.device_cap_flags = IBV_DEVICE_BAD_PKEY_CNTR | IBV_DEVICE_BAD_QKEY_CNTR | IBV_DEVICE_CURR_QP_STATE_MOD |
                          IBV_DEVICE_PORT_ACTIVE_EVENT | IBV_DEVICE_SYS_IMAGE_GUID | IBV_DEVICE_RC_RNR_NAK_GEN |
                          IBV_DEVICE_SRQ_RESIZE | IBV_DEVICE_MEM_WINDOW | IBV_DEVICE_MEM_MGT_EXTENSIONS |
                          IBV_DEVICE_MEM_WINDOW_TYPE_2B | IBV_DEVICE_XRC | IBV_DEVICE_MANAGED_FLOW_STEERING;
  attr.max_sge = as_int(limits.max_sge);
  attr.max_sge_rd = as_int(limits.max_sge);
  attr.max_cq = as_int(limits.max_cq);
  attr.max_cqe = as_int(limits.max_cqe);
  attr.max_mr = as_int(limits.max_mr);
  attr.max_pd = as_int(limits.max_pd);
  attr.max_qp_rd_atom = as_int(limits.max_qp_rd_atom);
  attr.max_res_rd_atom = as_int(std::uint64_t{limits.max_qp_rd_atom} * limits.max_qp);
  attr.max_qp_init_rd_atom = as_int(limits.max_qp_init_rd_atom);
  attr.atomic_cap = IBV_ATOMIC_HCA;
  attr.max_mw = as_int(limits.max_mw);
  attr.max_mcast_grp = as_int(limits.max_mcast_grp);
  attr.max_mcast_qp_attach = as_int(limits.max_mcast_qp_attach);
  attr.max_total_mcast_qp_attach = as_int(std::uint64_t{limits.max_mcast_qp_attach} * limits.max_mcast_grp);
  attr.max_ah = as_int(limits.max_ah);
  attr.max_srq = as_int(limits.max_srq);
  attr.max_srq_wr = as_int(limits.max_srq_wr);
  attr.max_srq_sge = as_int(limits.max_srq_sge);
  attr.max_pkeys = limits.pkey_table_length;
  attr.local_ca_ack_delay = kAckDelay;
  attr.phys_port_cnt = 1;
  return attr;
}

/// On-demand paging, where the kernel helps with it: every kind of access may find its page missing.
ibv_odp_caps odp_caps() {
  ibv_odp_caps caps{};
  if (!base::guarded_memory_works()) return caps;
  caps.general_caps = IBV_ODP_SUPPORT | IBV_ODP_SUPPORT_IMPLICIT;
  caps.per_transport_caps.ud_odp_caps = IBV_ODP_SUPPORT_SEND | IBV_ODP_SUPPORT_RECV | IBV_ODP_SUPPORT_SRQ_RECV;
  caps.per_transport_caps.uc_odp_caps = caps.per_transport_caps.ud_odp_caps | IBV_ODP_SUPPORT_WRITE;
  caps.per_transport_caps.rc_odp_caps =
      caps.per_transport_caps.uc_odp_caps | IBV_ODP_SUPPORT_READ | IBV_ODP_SUPPORT_ATOMIC;
  return caps;
}

}  // namespace

int query_device_ex(ibv_context* context, const ibv_query_device_ex_input* input, ibv_device_attr_ex* attr,
                    std::size_t attr_size) {
  if (input != nullptr && input->comp_mask != 0) return refuse(EINVAL);
  if (attr == nullptr || attr_size < sizeof(attr->orig_attr)) return refuse(EINVAL);
  ibv_device_attr_ex all{};
  all.orig_attr = device_attr(Context::of(context), Context::of(context).device.limits());
  all.odp_caps = odp_caps();
  all.xrc_odp_caps = all.odp_caps.per_transport_caps.rc_odp_caps;
  all.completion_timestamp_mask = ~std::uint64_t{0};
  all.hca_core_clock = kTimestampClockKhz;
  // Flags that the header of rdma-core 44 does not name.
  constexpr std::uint64_t kFlushGlobal = std::uint64_t{1} << 38, kAtomicWrite = std::uint64_t{1} << 40;
  all.device_cap_flags_ex = all.orig_attr.device_cap_flags | kFlushGlobal | kAtomicWrite;
  constexpr std::uint16_t kAny = 0xffff;
  all.cq_mod_caps = {kAny, kAny};
  all.max_dm_size = kDeviceMemoryBytes;
  all.phys_port_cnt_ex = 1;
  // An application compiled against a newer header has a longer struct: what we don't know is zero there.
  std::memset(static_cast<void*>(attr), 0, attr_size);
  std::memcpy(static_cast<void*>(attr), &all, std::min(attr_size, sizeof(all)));
  return 0;
}

int query_rt_values(ibv_context* context, ibv_values_ex* values) {
  if (values->comp_mask & ~static_cast<std::uint32_t>(IBV_VALUES_MASK_RAW_CLOCK)) return refuse(EOPNOTSUPP);
  if (local_of(context) == nullptr) return refuse(ENODEV);
  base::TimePoint point;
  if (local_of(context)->simulated()) {
    [[maybe_unused]] const auto told =
        Context::of(context).engine([&](rxe::Device&, base::TimePoint now) -> base::Result<void> {
          point = now;
          return {};
        });
  } else {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    point = base::TimePoint::from_ns(static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
                                     static_cast<std::uint64_t>(now.tv_nsec));
  }
  values->raw_clock.tv_sec = 0;
  values->raw_clock.tv_nsec = static_cast<long>(point.count_ps());  // ticks, as the member is used for
  values->comp_mask = IBV_VALUES_MASK_RAW_CLOCK;
  return 0;
}

}  // namespace rocelab::verbs

int ibv_query_device(ibv_context* context, ibv_device_attr* device_attr) {
  using namespace rocelab::verbs;
  if (context == nullptr || device_attr == nullptr) return refuse(EINVAL);
  ibv_device_attr_ex all{};
  const int status = query_device_ex(context, nullptr, &all, sizeof(all));
  if (status == 0) *device_attr = all.orig_attr;
  return status;
}
