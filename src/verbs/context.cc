// Opening and closing devices.
#include "verbs/context.h"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <new>
#include <type_traits>

#include "runtime/log.h"
#include "verbs/ah.h"
#include "verbs/cq.h"
#include "verbs/dm.h"
#include "verbs/flow.h"
#include "verbs/mr.h"
#include "verbs/mw.h"
#include "verbs/pd.h"
#include "verbs/placement.h"
#include "verbs/qp.h"
#include "verbs/srq.h"
#include "verbs/status.h"

namespace rocelab::verbs {
namespace {

inline constexpr int kCompletionVectors = 1;

/// Destroys what the application has left behind, as the kernel does when a process closes its device.
template <class T, class F>
void destroy_all(Context& owner, F&& destroy_in_engine) {
  LinkedList<T>& list = std::get<LinkedList<T>>(owner.objects);
  while (T* object = list.front()) {
    list.remove(*object);
    [[maybe_unused]] const auto gone =
        owner.engine([&](rxe::Device& engine, base::TimePoint) { return destroy_in_engine(engine, *object); });
    if constexpr (std::is_base_of_v<Placed, T>) {
      destroy_object(object);
    } else {
      delete object;
    }
  }
}

}  // namespace

Context::Context(Device& opened, int file) : verbs_context{}, device(opened) {
  sz = sizeof(verbs_context);
  set_operations(*this);
  context.device = &opened;
  context.cmd_fd = file;
  context.async_fd = async.fd();
  context.num_comp_vectors = kCompletionVectors;
  context.abi_compat = reinterpret_cast<void*>(UINTPTR_MAX);  // __VERBS_ABI_IS_EXTENDED
  pthread_mutex_init(&context.mutex, nullptr);
}

Context::~Context() {
  if (local() != nullptr) device.remove_context(*this);  // without a device no event looks at the list any more
  destroy_all<Flow>(*this, [](rxe::Device& engine, Flow& flow) { return engine.destroy_flow(flow.id); });
  destroy_all<Qp>(*this, [](rxe::Device& engine, Qp& qp) { return engine.close_qp(qp.qp_base.qp_num, &qp.qp_base); });
  destroy_all<Ah>(*this, [](rxe::Device& engine, Ah& ah) { return engine.destroy_ah(ah.id); });
  destroy_all<Mw>(*this, [](rxe::Device& engine, Mw& mw) { return engine.dealloc_mw(mw.id); });
  destroy_all<Mr>(
      *this, [](rxe::Device& engine, Mr& mr) { return mr.imported ? base::Result<void>() : engine.dereg_mr(mr.id); });
  destroy_all<Dm>(*this, [](rxe::Device&, Dm&) { return base::Result<void>(); });
  destroy_all<Srq>(*this, [](rxe::Device& engine, Srq& srq) { return engine.destroy_srq(srq.id); });
  for (Cq* cq = std::get<LinkedList<Cq>>(objects).front(); cq != nullptr; cq = cq->Linked<Cq>::next) {
    if (cq->channel != nullptr) Channel::of(cq->channel).forget(*cq);  // no QP is left that could add to it
  }
  destroy_all<Cq>(*this, [](rxe::Device& engine, Cq& cq) { return engine.destroy_cq(cq.id); });
  LinkedList<Xrcd>& domains = std::get<LinkedList<Xrcd>>(objects);
  while (Xrcd* xrcd = domains.front()) {
    domains.remove(*xrcd);
    if (local() != nullptr) {
      [[maybe_unused]] const auto gone = device.xrc_domains().close(*local(), xrcd->id);
    }
    delete xrcd;
  }
  destroy_all<Pd>(*this, [](rxe::Device& engine, Pd& pd) {
    return pd.parent == nullptr && pd.sharers.use_count() <= 1 ? engine.dealloc_pd(pd.id) : base::Result<void>();
  });
  pthread_mutex_destroy(&context.mutex);
  if (context.cmd_fd >= 0) close(context.cmd_fd);
}

}  // namespace rocelab::verbs

using rocelab::verbs::Context;
using rocelab::verbs::Device;
using rocelab::verbs::refuse_null;

ibv_context* ibv_open_device(ibv_device* device) {
  if (device == nullptr) return refuse_null(EINVAL);
  Device& opened = Device::of(device);
  const auto local = opened.open();
  if (!local) {
    rocelab::runtime::log(rocelab::runtime::LogLevel::kError, "can't open {}: {}", device->name, local.error());
    return refuse_null(ENODEV);
  }
  Context* context =
      new (std::nothrow) Context(opened, (*local)->simulated() ? -1 : rocelab::verbs::make_context_file());
  if (context == nullptr) return refuse_null(ENOMEM);
  opened.add_context(*context);
  if (context->async.fd() < 0) {
    delete context;
    return refuse_null(EMFILE);
  }
  return &context->context;
}

int ibv_close_device(ibv_context* context) {
  delete &Context::of(context);
  return 0;
}
