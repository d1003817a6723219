// Memory windows: see mw.h.
#include "verbs/mw.h"

#include <cerrno>
#include <memory>
#include <new>

#include "verbs/context.h"
#include "verbs/mr.h"
#include "verbs/pd.h"
#include "verbs/qp.h"
#include "verbs/status.h"

namespace rocelab::verbs {

ibv_mw* alloc_mw(ibv_pd* pd, ibv_mw_type type) {
  if (pd == nullptr || (type != IBV_MW_TYPE_1 && type != IBV_MW_TYPE_2)) return refuse_null(EINVAL);
  Context& owner = Context::of(pd->context);
  std::unique_ptr<Mw> mw(new (std::nothrow) Mw());
  if (!mw) return refuse_null(ENOMEM);
  const auto info = owner.engine([&](rxe::Device& engine, base::TimePoint) {
    return engine.alloc_mw(Pd::of(pd).id, static_cast<rxe::MwType>(type));
  });
  if (!info) return refuse_null(info.error().code);
  mw->context = pd->context;
  mw->pd = pd;
  mw->rkey = info->rkey;
  mw->handle = static_cast<std::uint32_t>(info->id);
  mw->type = type;
  mw->id = info->id;
  owner.adopt(*mw);
  return mw.release();
}

int dealloc_mw(ibv_mw* mw) {
  if (mw == nullptr) return refuse(EINVAL);
  Mw& ours = Mw::of(mw);
  Context& owner = Context::of(mw->context);
  const int status =
      status_of(owner.engine([&](rxe::Device& engine, base::TimePoint) { return engine.dealloc_mw(ours.id); }));
  if (status != 0) return status;
  owner.release(ours);
  delete &ours;
  return 0;
}

rxe::SendRequest::Bind bind_of(ibv_mw* mw, std::uint32_t rkey, const ibv_mw_bind_info& info) {
  rxe::SendRequest::Bind bind;
  bind.mw = Mw::of(mw).id;
  if (info.mr != nullptr) bind.mr = Mr::of(info.mr).id;
  bind.rkey = rkey;
  bind.addr = info.addr;
  bind.length = info.length;
  bind.access = info.mw_access_flags;
  return bind;
}

int bind_mw(ibv_qp* qp, ibv_mw* mw, ibv_mw_bind* bind) {
  // The inline ibv_bind_mw has checked the window's type and the domains.
  const Mw& ours = Mw::of(mw);
  std::uint32_t rkey = 0;
  const auto posted = Context::of(qp->context).engine([&](rxe::Device& engine, base::TimePoint now) {
    const base::Result<std::uint32_t> next = engine.next_mw_rkey(ours.id);
    if (!next) return base::Result<void>(tl::make_unexpected(next.error()));
    rkey = *next;
    rxe::SendRequest request;
    request.wr_id = bind->wr_id;
    request.opcode = rxe::SendOpcode::kBindMw;
    request.flags = bind->send_flags & kSendFlags;
    request.bind = bind_of(mw, rkey, bind->bind_info);
    return engine.post_send(now, qp->qp_num, request);
  });
  const int status = status_of(posted);
  if (status == 0) mw->rkey = rkey;
  return status;
}

}  // namespace rocelab::verbs
