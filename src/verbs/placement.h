// Where the objects of an application lie: on the heap, or where the allocator of a parent domain says
// (ibv_alloc_parent_domain). What is placed there is what the library's data path touches of a queue before the engine:
// the object with its locks, tables and buffers; the engine's own queues are the engine's. An object made by
// make_object must be ended by destroy_object, or by its Owned.
#pragma once

#include <infiniband/verbs.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <new>

#include "verbs/pd.h"

namespace rocelab::verbs {

/// `resource_type` of an application's allocator.
enum class PlacedType : std::uint64_t { kQp = 1, kCq = 2, kSrq = 3 };

/// Base of what can be placed.
struct Placed {
  Pd* placed_by = nullptr;  ///< the parent domain whose allocator gave the memory; nullptr: the heap
};

/// Memory from the domain's allocator. nullptr: errno says why. `by_domain` is false when the heap is to be used.
void* allocate_placed(Pd* domain, std::size_t size, std::size_t alignment, PlacedType type, bool& by_domain);
void free_placed(Pd& domain, void* memory, PlacedType type);

template <class T>
void destroy_object(T* object) {
  Pd* const domain = object->placed_by;
  if (domain == nullptr) {
    delete object;
    return;
  }
  object->~T();
  free_placed(*domain, object, T::kPlacedType);
}

struct DestroyObject {
  template <class T>
  void operator()(T* object) const {
    destroy_object(object);
  }
};
template <class T>
using Owned = std::unique_ptr<T, DestroyObject>;

/// A new T for something made in `pd` (nullptr: in none); empty: errno says why.
template <class T>
Owned<T> make_object(ibv_pd* pd) {
  Pd* const domain = pd != nullptr ? &Pd::of(pd) : nullptr;
  bool by_domain = false;
  void* const memory = allocate_placed(domain, sizeof(T), alignof(T), T::kPlacedType, by_domain);
  if (!by_domain) {
    Owned<T> object(new (std::nothrow) T());
    if (!object) errno = ENOMEM;
    return object;
  }
  if (memory == nullptr) return {};
  T* const object = new (memory) T();
  object->placed_by = domain;
  return Owned<T>(object);
}

}  // namespace rocelab::verbs
