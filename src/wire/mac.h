// Ethernet (EUI-48) addresses.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rocelab::wire {

using MacAddress = std::array<std::uint8_t, 6>;

std::string to_string(const MacAddress& mac);                ///< "02:00:00:00:00:0a"
std::optional<MacAddress> parse_mac(std::string_view text);  ///< six hexadecimal bytes between colons

}  // namespace rocelab::wire
