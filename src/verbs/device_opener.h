// Where the devices of this library come from: the process's own host, or a simulated one.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "rxe/verbs_device.h"

namespace rocelab::verbs {

class DeviceOpener {
 public:
  virtual ~DeviceOpener() = default;
  /// The device that DeviceDescription::index names; the same object at every call, valid as long as the opener. The
  /// message of a failure is for people.
  virtual base::TextResult<rxe::VerbsDevice*> open(std::uint32_t index) = 0;
};

}  // namespace rocelab::verbs
