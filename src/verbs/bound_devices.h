// The devices of a simulated host: what ibv_get_device_list shows to code that runs as a process of that host instead
// of the devices of this (real) process. Whoever runs simulated processes binds a host's set to the thread before it
// lets one of them go on, and takes it off afterwards. Owned by whoever owns the host; outlives the contexts opened
// from it.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "rxe/verbs_device.h"
#include "verbs/device.h"
#include "verbs/device_opener.h"

namespace rocelab::verbs {

class BoundDevices {
 public:
  BoundDevices(DeviceOpener& opener, std::span<const rxe::DeviceDescription> descriptions);
  BoundDevices(const BoundDevices&) = delete;
  BoundDevices& operator=(const BoundDevices&) = delete;

  std::span<const std::unique_ptr<Device>> devices() const { return devices_; }

  /// What this thread is bound to; nullptr: nothing, the process's devices count.
  static BoundDevices* current();
  static void bind(BoundDevices* devices);

 private:
  std::vector<std::unique_ptr<Device>> devices_;
};

}  // namespace rocelab::verbs
