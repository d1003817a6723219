// See bound_devices.h.
#include "verbs/bound_devices.h"

namespace rocelab::verbs {
namespace {

thread_local BoundDevices* bound = nullptr;

}  // namespace

BoundDevices::BoundDevices(DeviceOpener& opener, std::span<const rxe::DeviceDescription> descriptions) {
  for (const rxe::DeviceDescription& description : descriptions) {
    devices_.push_back(std::make_unique<Device>(opener, description));
  }
}

BoundDevices* BoundDevices::current() { return bound; }
void BoundDevices::bind(BoundDevices* devices) { bound = devices; }

}  // namespace rocelab::verbs
