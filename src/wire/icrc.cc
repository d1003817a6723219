// See icrc.h.
#include "wire/icrc.h"

#include <isa-l/crc.h>

namespace rocelab::wire {

namespace {

/// ISA-L 2.30 returns from its AVX-512 variant with the upper halves of the vector registers in use. Every SSE
/// instruction that follows (our own code, the application's) then pays for the switch: measured, 150 ns a packet.
inline void clean_vector_state() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx")) asm("vzeroupper" ::: "memory");
#endif
}

}  // namespace

std::uint32_t crc32_continue(std::uint32_t crc, const std::byte* data, std::size_t length) {
  const std::uint32_t result = crc32_gzip_refl(crc, reinterpret_cast<const unsigned char*>(data), length);
  clean_vector_state();
  return result;
}

}  // namespace rocelab::wire
