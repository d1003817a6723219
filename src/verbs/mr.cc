// ibv_reg_mr and its kin.
#include "verbs/mr.h"

#include <cerrno>
#include <cstdint>
#include <memory>
#include <new>

#include "base/guarded_memory.h"
#include "verbs/context.h"
#include "verbs/pd.h"
#include "verbs/status.h"

// <infiniband/verbs.h> makes macros of these to pick the entry point by the access flags.
#undef ibv_reg_mr
#undef ibv_reg_mr_iova

namespace rocelab::verbs {

constexpr unsigned int kAccessKnown = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
                                      IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_MW_BIND | IBV_ACCESS_ZERO_BASED |
                                      IBV_ACCESS_ON_DEMAND | IBV_ACCESS_HUGETLB | IBV_ACCESS_RELAXED_ORDERING |
                                      rxe::access::kFlushGlobal;  // later headers: IBV_ACCESS_FLUSH_GLOBAL

int check_access(unsigned int& access) {
  access &= kAccessKnown | ~static_cast<unsigned int>(IBV_ACCESS_OPTIONAL_RANGE);
  if ((access & IBV_ACCESS_ON_DEMAND) != 0 && !base::guarded_memory_works()) return EOPNOTSUPP;
  if (access & rxe::access::kFlushPersistent) return EOPNOTSUPP;  // no memory is known to be persistent
  if (access & ~kAccessKnown) return EINVAL;
  const bool remote_writes = access & (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC);
  if (remote_writes && !(access & IBV_ACCESS_LOCAL_WRITE)) return EINVAL;
  return 0;
}

}  // namespace rocelab::verbs

using namespace rocelab;
using verbs::Context;
using verbs::Mr;
using verbs::Pd;

namespace {

/// Pinned memory is looked at now, on-demand memory at each access.
int check_bytes(void* addr, std::size_t length, unsigned int access) {
  return access & IBV_ACCESS_ON_DEMAND ? 0 : verbs::check_memory(addr, length, access);
}

/// ibv_reg_mr(pd, NULL, SIZE_MAX, IBV_ACCESS_ON_DEMAND): the whole address space.
bool is_implicit(const void* addr, std::size_t length, unsigned int access) {
  return addr == nullptr && length == SIZE_MAX && (access & IBV_ACCESS_ON_DEMAND) != 0;
}

/// As the engine takes it: no user-space address has its top bit set, and the first page is nobody's.
rxe::MrInit whole_address_space(rxe::PdId pd, unsigned int access) {
  constexpr std::uintptr_t kFirst = 4096;
  constexpr std::uint64_t kEnd = base::kNowhereMark;
  return {pd, reinterpret_cast<std::byte*>(kFirst), kEnd - kFirst, kFirst, access};
}

}  // namespace

ibv_mr* ibv_reg_mr_iova2(ibv_pd* pd, void* addr, size_t length, uint64_t iova, unsigned int access) {
  if (pd == nullptr || length == 0) return verbs::refuse_null(EINVAL);
  if (const int code = verbs::check_access(access)) return verbs::refuse_null(code);
  Context& owner = Context::of(pd->context);
  const bool implicit = is_implicit(addr, length, access);
  if (implicit && (iova != 0 || (access & IBV_ACCESS_ZERO_BASED) != 0)) return verbs::refuse_null(EINVAL);
  if (const int code = check_bytes(addr, length, access)) return verbs::refuse_null(code);

  std::unique_ptr<Mr> mr(new (std::nothrow) Mr());
  if (!mr) return verbs::refuse_null(ENOMEM);
  const rxe::MrInit init = implicit ? whole_address_space(Pd::of(pd).id, access)
                                    : rxe::MrInit{Pd::of(pd).id, static_cast<std::byte*>(addr), length, iova, access};
  const auto info = owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.reg_mr(init); });
  if (!info) return verbs::refuse_null(info.error().code);
  mr->context = pd->context;
  mr->pd = pd;
  mr->addr = addr;
  mr->length = length;
  take(*mr, *info);
  mr->access = access;
  mr->iova = access & IBV_ACCESS_ZERO_BASED ? 0 : iova;
  owner.adopt(*mr);
  return mr.release();
}

ibv_mr* ibv_reg_mr(ibv_pd* pd, void* addr, size_t length, int access) {
  return ibv_reg_mr_iova2(pd, addr, length, reinterpret_cast<std::uintptr_t>(addr), static_cast<unsigned int>(access));
}

ibv_mr* ibv_reg_mr_iova(ibv_pd* pd, void* addr, size_t length, uint64_t iova, int access) {
  return ibv_reg_mr_iova2(pd, addr, length, iova, static_cast<unsigned int>(access));
}

int ibv_rereg_mr(ibv_mr* mr, int flags, ibv_pd* pd, void* addr, size_t length, int access) {
  const bool translation = flags & IBV_REREG_MR_CHANGE_TRANSLATION;
  const bool rights = flags & IBV_REREG_MR_CHANGE_ACCESS;
  const auto refuse_input = [](int code) {
    errno = code;
    return static_cast<int>(IBV_REREG_MR_ERR_INPUT);
  };
  if (mr == nullptr || (flags & ~IBV_REREG_MR_FLAGS_SUPPORTED) != 0) return refuse_input(EINVAL);
  if (translation && (addr == nullptr || length == 0)) return refuse_input(EINVAL);
  if ((flags & IBV_REREG_MR_CHANGE_PD) != 0 && pd == nullptr) return refuse_input(EINVAL);
  if (access != 0 && !rights) return refuse_input(EINVAL);
  auto bits = static_cast<unsigned int>(access);
  if (rights) {
    if (const int code = verbs::check_access(bits)) return refuse_input(code);
  }
  Mr& ours = Mr::of(mr);
  if (ours.fixed) return refuse_input(EINVAL);
  if (!rights) bits = ours.access;
  if (translation && is_implicit(addr, length, bits)) return refuse_input(EINVAL);
  if (translation || rights) {  // rights may ask for memory that was not looked at: to write, or no longer on demand
    void* const bytes = translation ? addr : mr->addr;
    if (const int code = check_bytes(bytes, translation ? length : mr->length, bits)) return refuse_input(code);
  }
  const rxe::MrInit init{pd != nullptr ? Pd::of(pd).id : rxe::PdId{}, static_cast<std::byte*>(addr), length,
                         reinterpret_cast<std::uintptr_t>(addr), bits};
  const auto info = Context::of(mr->context).engine([&](rxe::Device& engine, base::TimePoint) {
    return engine.rereg_mr(ours.id, static_cast<std::uint32_t>(flags), init);
  });
  if (!info) {
    errno = info.error().code;
    return IBV_REREG_MR_ERR_CMD;
  }
  take(ours, *info);
  ours.access = bits;
  if (flags & IBV_REREG_MR_CHANGE_PD) mr->pd = pd;
  if (translation) {
    mr->addr = addr;
    mr->length = length;
  }
  if (bits & IBV_ACCESS_ZERO_BASED)
    ours.iova = 0;
  else if (translation)
    ours.iova = init.iova;
  return 0;
}

int ibv_dereg_mr(ibv_mr* mr) {
  if (mr == nullptr) return verbs::refuse(EINVAL);
  Mr& ours = Mr::of(mr);
  Context& owner = Context::of(mr->context);
  const int status = ours.imported ? 0 : verbs::status_of(owner.engine([&](rxe::Device& engine, base::TimePoint) {
    return engine.dereg_mr(ours.id);
  }));
  if (status != 0) return status;
  owner.release(ours);
  delete &ours;
  return 0;
}
