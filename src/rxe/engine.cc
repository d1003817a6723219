// The device's tables at birth.
#include "rxe/engine.h"

#include <algorithm>

namespace rocelab::rxe {

Engine::Engine(const DeviceOptions& device_options)
    : options(device_options),
      regions({.regions_max = device_options.limits.max_mr,
               .windows_max = device_options.limits.max_mw,
               .length_max = device_options.limits.max_mr_size}),
      segments(device_options.limits.max_sge + 1),
      places(std::max(device_options.limits.max_sge, device_options.limits.max_srq_sge) + 1),
      gids(device_options.limits.gid_table_length),
      pds(device_options.limits.max_pd),
      cqs(device_options.limits.max_cq),
      srqs(device_options.limits.max_srq),
      xrc_domains(device_options.limits.max_xrcd),
      ahs(device_options.limits.max_ah),
      multicast(device_options.limits.max_mcast_grp, device_options.limits.max_mcast_qp_attach),
      entropy_rng(device_options.seed, "entropy"),
      ack_interval(device_options.ack_policy == AckPolicy::kEveryPacket ? 1 : device_options.ack_interval) {}

}  // namespace rocelab::rxe
