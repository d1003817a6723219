// Making a switch: ports, markers, the division of the memory; and what is allocated when it is first needed.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "sim/fabric/switch/pause_watch.h"
#include "sim/fabric/switch/switch.h"

namespace rocelab::sim {

Switch::Switch(const SwitchProfile& profile, std::uint32_t index, unsigned ports, Routing& routing, PacketPools& pools,
               std::uint64_t seed)
    : ports_(ports),
      profile_(profile),
      routing_(routing),
      pools_(pools),
      index_(index),
      host_count_(routing.map().topology.host_count),
      sample_pending_(profile.options.sample_interval == Duration()),
      rng_(seed, fmt::format("switch.{}", index)),
      seed_(seed),
      limits_(ports) {}

Switch::~Switch() = default;

void Switch::attach(unsigned port, PortOptions link, const SwitchPortOptions& own) {
  SwitchPort& side = ports_[port];
  link.node = id();
  link.port = static_cast<std::uint16_t>(port);
  side.port.attach(link);
  const SwitchOptions& options = profile_.options;
  qos::BufferGroupLimits& limits = limits_[port];
  limits.reserve_bytes = options.reserve_bytes;
  limits.xon_offset_bytes = options.xon_offset_bytes;
  limits.alpha = own.pfc_alpha != 0 ? own.pfc_alpha : options.pfc_alpha;
  if (profile_.lossless != 0) {
    limits.headroom_bytes = own.headroom_bytes != 0       ? own.headroom_bytes
                            : options.headroom_bytes != 0 ? options.headroom_bytes
                                                          : profile_.headroom(link.rate_bps, link.delay);
  }
  const qos::RedMarker marker = profile_.marker(link.rate_bps);
  auto known = std::find(markers_.begin(), markers_.end(), marker);
  if (known == markers_.end()) known = markers_.insert(markers_.end(), marker);
  side.marker = static_cast<std::uint8_t>(known - markers_.begin());
}

base::TextResult<void> Switch::finish_setup() {
  const auto lossless = static_cast<unsigned>(std::popcount(profile_.lossless));
  const auto limited = static_cast<unsigned>(std::popcount(profile_.limited));
  std::uint64_t own_bytes = 0;
  for (const qos::BufferGroupLimits& limits : limits_) {
    own_bytes += std::uint64_t{limits.reserve_bytes} * limited;
    own_bytes += std::uint64_t{limits.headroom_bytes} * lossless;
  }
  const std::uint64_t all = profile_.options.buffer_bytes;
  if (own_bytes >= all) {
    return base::fail_text(fmt::format("buffer_bytes: reserves and headrooms of {} ports take {} of {} bytes",
                                       ports_.size(), own_bytes, all));
  }
  buffer_ = qos::SharedBuffer(all - own_bytes);
  return {};
}

void Switch::set_link_effects(unsigned port, const LinkEffectsOptions& effects) {
  ports_[port].port.set_effects(
      std::make_unique<LinkEffects>(effects, base::Rng(seed_, fmt::format("switch.{}.link.{}", index_, port))), pools_);
}

void Switch::set_bit_errors(unsigned port, std::uint64_t per_1e18) {
  ports_[port].port.set_bit_errors(per_1e18, base::Rng(seed_, fmt::format("switch.{}.link.{}", index_, port)), pools_);
}

void Switch::create_class(unsigned priority) {
  Class& cls = classes_[priority];
  cls.queues = std::make_unique<EgressQueue[]>(ports_.size());
  cls.groups = std::make_unique<IngressGroup[]>(ports_.size());
  const bool lossless = (profile_.lossless >> priority & 1) != 0;
  for (std::size_t port = 0; port < ports_.size(); ++port) {
    cls.groups[port].limits = limits_[port];
    if (!lossless) cls.groups[port].limits.headroom_bytes = 0;
  }
}

RareCounters& Switch::rare(unsigned port, unsigned priority) {
  if (rare_.empty()) rare_.resize(ports_.size() * kPriorities);
  return rare_[port * kPriorities + priority];
}

Switch::PauseWatch& Switch::watch_at(unsigned port, unsigned priority) {
  if (watches_.empty()) watches_.resize(ports_.size() * kPriorities);
  return watches_[port * kPriorities + priority];
}

}  // namespace rocelab::sim
