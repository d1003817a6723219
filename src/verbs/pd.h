// Protection domains and what is built from them: thread domains (accepted; the engine lock serialises anyway) and
// parent domains (another name for a PD, and where its
// queues' objects lie). Owned by the application.
#pragma once

#include <infiniband/verbs.h>

#include <atomic>
#include <memory>

#include "rxe/types.h"
#include "verbs/linked_list.h"

namespace rocelab::verbs {

struct Td : ibv_td {
  std::atomic<unsigned> users{0};  ///< parent domains that name it
};

struct Pd : ibv_pd, Linked<Pd> {
  static Pd& of(ibv_pd* pd) { return *static_cast<Pd*>(pd); }

  rxe::PdId id{};        ///< of a parent domain: its PD's
  Pd* parent = nullptr;  ///< of a parent domain: the PD that it stands for
  // Of a parent domain with allocators (placement.h); all nullptr else.
  decltype(ibv_parent_domain_init_attr::alloc) allocate = nullptr;
  decltype(ibv_parent_domain_init_attr::free) free = nullptr;
  void* allocator_context = nullptr;
  Td* thread_domain = nullptr;          ///< of a parent domain, if it named one
  std::atomic<unsigned> users{0};       ///< parent domains that stand for this PD, objects that its allocator placed
  std::shared_ptr<const void> sharers;  ///< held by this and by all imports of it; the last one deallocates
};

ibv_td* alloc_td(ibv_context* context, ibv_td_init_attr* attr);
int dealloc_td(ibv_td* td);
ibv_pd* alloc_parent_domain(ibv_context* context, ibv_parent_domain_init_attr* attr);

}  // namespace rocelab::verbs
