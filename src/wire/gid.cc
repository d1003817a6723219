// Text form of a GID; see gid.h.
#include "wire/gid.h"

#include <arpa/inet.h>

#include <cstring>

namespace rocelab::wire {

std::string to_string(const Gid& gid) {
  char text[INET6_ADDRSTRLEN];
  if (gid.is_ipv4_mapped()) return inet_ntop(AF_INET, gid.bytes.data() + 12, text, sizeof text);
  return inet_ntop(AF_INET6, gid.bytes.data(), text, sizeof text);
}

std::optional<Gid> parse_gid(std::string_view text) {
  const std::string copy(text);
  Gid gid;
  std::array<std::uint8_t, 4> v4{};
  if (inet_pton(AF_INET, copy.c_str(), v4.data()) == 1) {
    gid.bytes[10] = gid.bytes[11] = 0xff;
    std::memcpy(gid.bytes.data() + 12, v4.data(), 4);
    return gid;
  }
  if (inet_pton(AF_INET6, copy.c_str(), gid.bytes.data()) == 1) return gid;
  return std::nullopt;
}

}  // namespace rocelab::wire
