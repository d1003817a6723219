// See placement.h.
#include "verbs/placement.h"

namespace rocelab::verbs {

void* allocate_placed(Pd* domain, std::size_t size, std::size_t alignment, PlacedType type, bool& by_domain) {
  by_domain = domain != nullptr && domain->allocate != nullptr;
  if (!by_domain) return nullptr;
  void* const memory =
      domain->allocate(domain, domain->allocator_context, size, alignment, static_cast<std::uint64_t>(type));
  if (memory == IBV_ALLOCATOR_USE_DEFAULT) {
    by_domain = false;
    return nullptr;
  }
  if (memory == nullptr) {
    errno = ENOMEM;
    return nullptr;
  }
  if (reinterpret_cast<std::uintptr_t>(memory) % alignment != 0) {
    domain->free(domain, domain->allocator_context, memory, static_cast<std::uint64_t>(type));
    errno = EINVAL;
    return nullptr;
  }
  ++domain->users;
  return memory;
}

void free_placed(Pd& domain, void* memory, PlacedType type) {
  --domain.users;
  domain.free(&domain, domain.allocator_context, memory, static_cast<std::uint64_t>(type));
}

}  // namespace rocelab::verbs
