// See host_verbs.h.
#include "sim_verbs/host_verbs.h"

namespace rocelab::sim_verbs {

HostVerbs::Equipment::Equipment(sim::Host& host)
    : opener(host), devices(opener, std::span(&host.verbs_device().description(), 1)) {}

void HostVerbs::equip(sim::Host& host) {
  auto& equipment = by_host_[host.index()];
  if (equipment == nullptr) equipment = std::make_unique<Equipment>(host);
  host.set_process_hooks(this);
}

void HostVerbs::enter(sim::Host& host) { verbs::BoundDevices::bind(&by_host_.at(host.index())->devices); }

void HostVerbs::leave(sim::Host&) { verbs::BoundDevices::bind(nullptr); }

}  // namespace rocelab::sim_verbs
