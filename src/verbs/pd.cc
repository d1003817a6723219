// Protection domains: see pd.h.
#include "verbs/pd.h"

#include <cerrno>
#include <memory>
#include <new>

#include "verbs/context.h"
#include "verbs/status.h"

namespace rocelab::verbs {

ibv_td* alloc_td(ibv_context* context, ibv_td_init_attr* attr) {
  if (attr == nullptr || attr->comp_mask != 0) return refuse_null(EINVAL);
  if (local_of(context) == nullptr) return refuse_null(ENODEV);
  Td* td = new (std::nothrow) Td();
  if (td == nullptr) return refuse_null(ENOMEM);
  td->context = context;
  return td;
}

int dealloc_td(ibv_td* td) {
  Td* ours = static_cast<Td*>(td);
  if (ours->users != 0) return refuse(EBUSY);
  delete ours;
  return 0;
}

ibv_pd* alloc_parent_domain(ibv_context* context, ibv_parent_domain_init_attr* attr) {
  if (attr == nullptr || attr->pd == nullptr) return refuse_null(EINVAL);
  if (attr->comp_mask &
      ~static_cast<std::uint32_t>(IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS | IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT)) {
    return refuse_null(EINVAL);
  }
  const bool allocates = (attr->comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS) != 0;
  if (allocates && (attr->alloc == nullptr || attr->free == nullptr)) return refuse_null(EINVAL);
  Pd& parent = Pd::of(attr->pd);
  if (parent.parent != nullptr) return refuse_null(EINVAL);
  if (local_of(context) == nullptr) return refuse_null(ENODEV);
  Pd* pd = new (std::nothrow) Pd();
  if (pd == nullptr) return refuse_null(ENOMEM);
  pd->context = context;
  pd->handle = parent.handle;
  pd->id = parent.id;
  pd->parent = &parent;
  if (allocates) {
    pd->allocate = attr->alloc;
    pd->free = attr->free;
  }
  if (attr->comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT) pd->allocator_context = attr->pd_context;
  ++parent.users;
  if (attr->td != nullptr) {
    pd->thread_domain = static_cast<Td*>(attr->td);
    ++pd->thread_domain->users;
  }
  Context::of(context).adopt(*pd);
  return pd;
}

}  // namespace rocelab::verbs

using namespace rocelab;
using verbs::Context;
using verbs::Pd;

ibv_pd* ibv_alloc_pd(ibv_context* context) {
  if (context == nullptr) return verbs::refuse_null(EINVAL);
  Context& owner = Context::of(context);
  std::unique_ptr<Pd> pd(new (std::nothrow) Pd());
  if (!pd) return verbs::refuse_null(ENOMEM);
  const auto id = owner.engine([](rxe::Device& engine, base::TimePoint) { return engine.alloc_pd(); });
  if (!id) return verbs::refuse_null(id.error().code);
  pd->context = context;
  pd->handle = static_cast<std::uint32_t>(*id);
  pd->id = *id;
  owner.adopt(*pd);
  return pd.release();
}

int ibv_dealloc_pd(ibv_pd* pd) {
  if (pd == nullptr) return verbs::refuse(EINVAL);
  Pd& ours = Pd::of(pd);
  Context& owner = Context::of(pd->context);
  if (ours.users != 0) return verbs::refuse(EBUSY);
  if (ours.parent != nullptr) {
    --ours.parent->users;
    if (ours.thread_domain != nullptr) --ours.thread_domain->users;
  } else if (ours.sharers.use_count() <= 1) {
    const int status = verbs::status_of(
        owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.dealloc_pd(ours.id); }));
    if (status != 0) return status;
  }
  owner.release(ours);
  delete &ours;
  return 0;
}
