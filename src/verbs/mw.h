// Memory windows, type 1 (ibv_bind_mw) and type 2 (a work request). Owned by the application.
#pragma once

#include <infiniband/verbs.h>

#include "rxe/types.h"
#include "verbs/linked_list.h"

namespace rocelab::verbs {

struct Mw : ibv_mw, Linked<Mw> {
  static Mw& of(ibv_mw* mw) { return *static_cast<Mw*>(mw); }
  rxe::MwId id{};
};

ibv_mw* alloc_mw(ibv_pd* pd, ibv_mw_type type);
int dealloc_mw(ibv_mw* mw);
int bind_mw(ibv_qp* qp, ibv_mw* mw, ibv_mw_bind* bind);

/// What a bind request says about the window, for post_send and the ibv_wr_* calls too.
rxe::SendRequest::Bind bind_of(ibv_mw* mw, std::uint32_t rkey, const ibv_mw_bind_info& info);

}  // namespace rocelab::verbs
