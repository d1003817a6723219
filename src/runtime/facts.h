// What a rocelab device says about itself wherever it is asked: through verbs (ibv_query_device, ibv_query_port), in
// the tree that stands for /sys/class/infiniband, and by `rocelab dev`. One place, so that they agree.
#pragma once

#include <cstdint>
#include <string_view>

namespace rocelab::runtime {

/// An OUI that is nobody's, as the kernel's software device has it: 0 would look like an attribute that was not filled.
inline constexpr std::uint32_t kVendorId = 0xff'ffff;
inline constexpr std::uint32_t kPciVendorId = 0;  ///< of the PCI function that there is not: nobody has assigned us one
inline constexpr std::uint32_t kVendorPartId = 0;  ///< default of a knob; programs keep tables of parts: 0 is in none
inline constexpr std::uint32_t kHardwareVersion = 0;
inline constexpr std::string_view kFirmwareVersion = "0.1.0";  ///< the project's version; verbs/query_device.cc checks

// A port of 100 Gb/s: four lanes (ibv_port_attr.active_width 2) of 25 Gb/s (active_speed 32, EDR).
inline constexpr std::uint8_t kActiveWidth = 2;
inline constexpr std::uint8_t kActiveSpeed = 32;
inline constexpr const char* kRateText = "100 Gb/sec (4X EDR)";

/// ibv_port_attr.port_cap_flags: IBV_PORT_CM_SUP and IBV_PORT_IP_BASED_GIDS.
inline constexpr std::uint32_t kPortCapabilities = 1u << 16 | 1u << 26;

}  // namespace rocelab::runtime
