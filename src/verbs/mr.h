// Memory regions. Owned by the application from ibv_reg_mr to ibv_dereg_mr; ibv_mr's lkey and rkey name the region in
// requests.
#pragma once

#include <infiniband/verbs.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "rxe/types.h"
#include "verbs/linked_list.h"

namespace rocelab::verbs {

struct Mr : ibv_mr, Linked<Mr> {
  static Mr& of(ibv_mr* mr) { return *static_cast<Mr*>(mr); }
  rxe::MrId id{};
  unsigned int access = 0;        ///< as registered last
  std::uint64_t iova = 0;         ///< address that requests use for the first byte
  bool fixed = false;             ///< of no memory, device memory or a DMA buffer, or imported: can't be re-registered
  bool imported = false;          ///< the region is another object's
  std::shared_ptr<void> backing;  ///< what the region stands on, where that is not the application's own memory
};

/// 0, or why a region can't have these rights. Optional rights that are not known are taken out: not wanted.
int check_access(unsigned int& access);
/// Whether this process may use the bytes as `access` says: 0, or EFAULT. Like pinning in the kernel it brings the
/// pages in, so that the data path does not fault.
int check_memory(void* address, std::size_t length, unsigned int access);

/// A region over memory that is there for as long as `backing` is. Applications see no address of it.
ibv_mr* register_backed(ibv_pd* pd, std::byte* bytes, std::size_t length, std::uint64_t iova, unsigned int access,
                        std::shared_ptr<void> backing);
ibv_mr* alloc_null_mr(ibv_pd* pd);
/// Brings pages of on-demand regions in.
int advise_mr(ibv_pd* pd, ibv_advise_mr_advice advice, std::uint32_t flags, ibv_sge* ranges, std::uint32_t count);

/// What the application sees of a region that the engine has made.
inline void take(Mr& mr, const rxe::MrInfo& info) {
  mr.id = info.id;
  mr.handle = static_cast<std::uint32_t>(info.id);
  mr.lkey = info.lkey;
  mr.rkey = info.rkey;
}

}  // namespace rocelab::verbs
