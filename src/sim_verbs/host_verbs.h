// The verbs library for the processes of simulated hosts: sees to it that ibv_get_device_list, called by a process of
// host 17, shows host 17's device. One object for all hosts of a simulation; outlives their processes.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "sim/host/host.h"
#include "verbs/bound_devices.h"
#include "verbs/device_opener.h"

namespace rocelab::sim_verbs {

class HostVerbs final : public sim::ProcessHooks {
 public:
  HostVerbs() = default;
  HostVerbs(const HostVerbs&) = delete;
  HostVerbs& operator=(const HostVerbs&) = delete;

  /// Before the run, for each host whose processes make verbs calls.
  void equip(sim::Host& host);

  void enter(sim::Host& host) override;
  void leave(sim::Host& host) override;

 private:
  class Opener final : public verbs::DeviceOpener {
   public:
    explicit Opener(sim::Host& host) : host_(host) {}
    base::TextResult<rxe::VerbsDevice*> open(std::uint32_t) override { return &host_.verbs_device(); }

   private:
    sim::Host& host_;
  };
  struct Equipment {
    explicit Equipment(sim::Host& host);
    Opener opener;
    verbs::BoundDevices devices;
  };

  std::unordered_map<std::uint32_t, std::unique_ptr<Equipment>> by_host_;  ///< looked up, never walked
};

}  // namespace rocelab::sim_verbs
