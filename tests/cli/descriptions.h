// Two devices as the runtime would describe them: one for this machine only, one with an uplink.
#pragma once

#include <vector>

#include "runtime/local_device.h"
#include "wire/gid.h"

namespace rocelab::cli {

inline std::vector<runtime::DeviceDescription> two_devices() {
  std::vector<runtime::DeviceDescription> devices(2);
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const auto number = static_cast<std::uint8_t>(i + 1);
    runtime::DeviceDescription& device = devices[i];
    device.name = "rocelab" + std::to_string(i);
    device.index = static_cast<std::uint32_t>(i);
    device.mac = {2, 0, 0, 0, 0, number};
    device.node_guid = {2, 0, 0, 0xff, 0xfe, 0, 0, number};
    rxe::GidEntry v1{.gid = *wire::parse_gid("fe80::ff:fe00:" + std::to_string(number)),
                     .type = rxe::GidType::kRoceV1,
                     .valid = true};
    rxe::GidEntry v2{.gid = wire::Gid::from_ipv4(0x0a4d'0000u + number), .type = rxe::GidType::kRoceV2, .valid = true};
    device.gids = {v1, v2, rxe::GidEntry{}};
  }
  devices[1].interface = "eth7";
  devices[1].interface_index = 7;
  return devices;
}

}  // namespace rocelab::cli
