// ibv_get_device_list and what can be asked of a device without opening it.
#include <infiniband/verbs.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "runtime/log.h"
#include "verbs/bound_devices.h"
#include "verbs/device.h"
#include "verbs/process.h"
#include "verbs/status.h"

#undef ibv_get_device_list

using rocelab::verbs::BoundDevices;
using rocelab::verbs::Device;
using rocelab::verbs::Process;
using rocelab::verbs::refuse_null;

ibv_device** ibv_get_device_list(int* num_devices) {
  if (num_devices != nullptr) *num_devices = 0;
  const BoundDevices* simulated = BoundDevices::current();
  using Devices = rocelab::base::TextResult<std::span<const std::unique_ptr<Device>>>;
  const Devices devices = simulated != nullptr ? Devices(simulated->devices()) : Process::instance().devices();
  if (!devices) {
    rocelab::runtime::log(rocelab::runtime::LogLevel::kError, "{}", devices.error());
    return refuse_null(EINVAL);
  }
  auto* list = static_cast<ibv_device**>(std::calloc(devices->size() + 1, sizeof(ibv_device*)));
  if (list == nullptr) return refuse_null(ENOMEM);
  for (std::size_t i = 0; i < devices->size(); ++i) list[i] = (*devices)[i].get();
  if (num_devices != nullptr) *num_devices = static_cast<int>(devices->size());
  return list;
}

void ibv_free_device_list(ibv_device** list) { std::free(list); }

const char* ibv_get_device_name(ibv_device* device) { return device->name; }

__be64 ibv_get_device_guid(ibv_device* device) {
  __be64 guid = 0;
  const auto& bytes = Device::of(device).description().node_guid;
  static_assert(sizeof(guid) == sizeof(bytes));
  std::memcpy(&guid, bytes.data(), sizeof(guid));
  return guid;
}

int ibv_get_device_index(ibv_device* device) { return static_cast<int>(Device::of(device).description().index); }
