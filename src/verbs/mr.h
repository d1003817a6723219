// Memory regions. Owned by the application from ibv_reg_mr to ibv_dereg_mr; ibv_mr's lkey and rkey name the region in
// requests.
#pragma once

#include <infiniband/verbs.h>

#include "rxe/types.h"
#include "verbs/linked_list.h"

namespace rocelab::verbs {

struct Mr : ibv_mr, Linked<Mr> {
  static Mr& of(ibv_mr* mr) { return *static_cast<Mr*>(mr); }
  rxe::MrId id{};
  unsigned int access = 0;  ///< as registered last
};

/// Whether this process may use the bytes as `access` says: 0, or EFAULT. Like pinning in the kernel it brings the
/// pages in, so that the data path does not fault.
int check_memory(void* address, std::size_t length, unsigned int access);

}  // namespace rocelab::verbs
