// See icrc.h.
#include "wire/icrc.h"

#include <isa-l/crc.h>

namespace rocelab::wire {

std::uint32_t crc32_continue(std::uint32_t crc, const std::byte* data, std::size_t length) {
  return crc32_gzip_refl(crc, reinterpret_cast<const unsigned char*>(data), length);
}

}  // namespace rocelab::wire
