// Device's inside. Device's methods are spread over device_*.cc, one file a kind of object.
#pragma once

#include "rxe/device.h"
#include "rxe/engine.h"

namespace rocelab::rxe {

struct Device::Impl : Engine {
  using Engine::Engine;
};

}  // namespace rocelab::rxe
