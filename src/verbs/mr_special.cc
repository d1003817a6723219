// Regions beyond ibv_reg_mr: over memory that is not the application's; the null region, whose bytes are zeros when
// read and go nowhere when written; advice on regions on demand.
#include <cerrno>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>

#include "base/guarded_memory.h"
#include "verbs/context.h"
#include "verbs/mr.h"
#include "verbs/pd.h"
#include "verbs/status.h"

namespace rocelab::verbs {
namespace {

/// 0 and where the range is, or why it can't be prefetched.
int find_range(Context& owner, const Pd& pd, const ibv_sge& range, bool to_write, std::byte*& address) {
  const std::lock_guard<std::mutex> lock(owner.objects_mutex);
  Mr* mr = std::get<LinkedList<Mr>>(owner.objects).front();
  while (mr != nullptr && mr->lkey != range.lkey) mr = mr->Linked<Mr>::next;
  if (mr == nullptr) return ENOENT;
  if (Pd::of(mr->pd).id != pd.id || (mr->access & IBV_ACCESS_ON_DEMAND) == 0) return EINVAL;
  if (to_write && (mr->access & IBV_ACCESS_LOCAL_WRITE) == 0) return EPERM;
  const std::uint64_t offset = range.addr - mr->iova;
  if (offset > mr->length || range.length > mr->length - offset) return EFAULT;
  address = reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(mr->addr) + offset);
  return 0;
}

ibv_mr* register_fixed(ibv_pd* pd, const rxe::MrInit& init, std::shared_ptr<void> backing) {
  Context& owner = Context::of(pd->context);
  std::unique_ptr<Mr> mr(new (std::nothrow) Mr());
  if (!mr) return refuse_null(ENOMEM);
  const auto info = owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.reg_mr(init); });
  if (!info) return refuse_null(info.error().code);
  mr->context = pd->context;
  mr->pd = pd;
  mr->access = init.access & ~static_cast<unsigned int>(IBV_ACCESS_ON_DEMAND);  // nothing to give advice on
  mr->fixed = true;
  mr->backing = std::move(backing);
  take(*mr, *info);
  owner.adopt(*mr);
  return mr.release();
}

}  // namespace

ibv_mr* alloc_null_mr(ibv_pd* pd) {
  if (pd == nullptr) return refuse_null(EINVAL);
  constexpr std::uint64_t kLength = base::kNowhereMark - 1;  // any user-space address
  return register_fixed(pd, {Pd::of(pd).id, base::nowhere(), kLength, 0, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_ON_DEMAND},
                        {});
}

ibv_mr* register_backed(ibv_pd* pd, std::byte* bytes, std::size_t length, std::uint64_t iova, unsigned int access,
                        std::shared_ptr<void> backing) {
  ibv_mr* mr = register_fixed(pd, {Pd::of(pd).id, bytes, length, iova, access}, std::move(backing));
  if (mr != nullptr) mr->length = length;
  return mr;
}

int advise_mr(ibv_pd* pd, ibv_advise_mr_advice advice, std::uint32_t flags, ibv_sge* ranges, std::uint32_t count) {
  if (advice != IBV_ADVISE_MR_ADVICE_PREFETCH && advice != IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE &&
      advice != IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT) {
    return refuse(EOPNOTSUPP);
  }
  if ((flags & ~std::uint32_t{IBV_ADVISE_MR_FLAG_FLUSH}) != 0 || count == 0 || ranges == nullptr) return refuse(EINVAL);
  if (!base::guarded_memory_works()) return refuse(EOPNOTSUPP);
  Context& owner = Context::of(pd->context);
  const bool to_write = advice == IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::byte* address = nullptr;
    if (const int code = find_range(owner, Pd::of(pd), ranges[i], to_write, address)) return refuse(code);
    if (advice == IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT) continue;  // pages that are there need nothing
    // Done at once, whether or not the application waits for it; only who waits hears of a failure.
    const bool done = base::fault_in(address, ranges[i].length, to_write);
    if (!done && (flags & IBV_ADVISE_MR_FLAG_FLUSH) != 0) return refuse(EFAULT);
  }
  return 0;
}

}  // namespace rocelab::verbs
