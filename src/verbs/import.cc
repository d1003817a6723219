// Importing: another context of the same process that uses protection domains, regions and device memory of this one,
// by the descriptor cmd_fd (or a duplicate of it) and the objects' handles. The descriptor stands for nothing but the
// context; in another process it can't be imported (EOPNOTSUPP), since objects live in the process that made them.
#include <infiniband/verbs.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <mutex>
#include <new>

#include "verbs/bound_devices.h"
#include "verbs/context.h"
#include "verbs/dm.h"
#include "verbs/mr.h"
#include "verbs/pd.h"
#include "verbs/process.h"
#include "verbs/status.h"

namespace rocelab::verbs {

int make_context_file() {
  const int kept = errno;
  const int file = memfd_create("rocelab-context", MFD_CLOEXEC);
  errno = kept;
  return file;
}

namespace {

/// Two descriptors of one context's file, or of a context and of one imported from it.
bool same_file(int a, int b) {
  struct stat first {
  }, second{};
  return a >= 0 && b >= 0 && fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

/// Calls `f(T&)` for the object with this handle in some context of the file, under that context's lock; it says
/// whether it is the one.
template <class T, class F>
bool find_object(Context& importer, F&& f) {
  bool found = false;
  importer.device.find_context([&](Context& context) {
    if (!same_file(context.context.cmd_fd, importer.context.cmd_fd)) return false;
    const std::lock_guard<std::mutex> lock(context.objects_mutex);
    T* object = std::get<LinkedList<T>>(context.objects).front();
    while (object != nullptr && !f(*object)) object = object->Linked<T>::next;
    return found = object != nullptr;
  });
  return found;
}

}  // namespace
}  // namespace rocelab::verbs

using namespace rocelab;
using verbs::Context;
using verbs::Dm;
using verbs::Mr;
using verbs::Pd;
using verbs::refuse_null;

ibv_context* ibv_import_device(int cmd_fd) {
  if (verbs::BoundDevices::current() != nullptr) return refuse_null(EOPNOTSUPP);
  const auto devices = verbs::Process::instance().devices();
  if (!devices) return refuse_null(EINVAL);
  for (const auto& device : *devices) {
    const auto is_source = [&](Context& context) { return verbs::same_file(context.context.cmd_fd, cmd_fd); };
    if (device->find_context(is_source) == nullptr) continue;
    Context* imported = new (std::nothrow) Context(*device, cmd_fd);
    if (imported == nullptr) return refuse_null(ENOMEM);
    device->add_context(*imported);
    if (imported->async.fd() >= 0) return &imported->context;
    imported->context.cmd_fd = -1;  // stays the caller's
    delete imported;
    return refuse_null(EMFILE);
  }
  return refuse_null(EOPNOTSUPP);
}

ibv_pd* ibv_import_pd(ibv_context* context, uint32_t handle) {
  Pd* pd = new (std::nothrow) Pd();
  if (pd == nullptr) return refuse_null(ENOMEM);
  const bool found = verbs::find_object<Pd>(Context::of(context), [&](Pd& original) {
    if (original.handle != handle || original.parent != nullptr) return false;
    if (!original.sharers) original.sharers = std::make_shared<char>();
    pd->sharers = original.sharers;
    pd->id = original.id;
    return true;
  });
  if (!found) {
    delete pd;
    return refuse_null(ENOENT);
  }
  pd->context = context;
  pd->handle = handle;
  Context::of(context).adopt(*pd);
  return pd;
}

void ibv_unimport_pd(ibv_pd* pd) { ibv_dealloc_pd(pd); }

ibv_mr* ibv_import_mr(ibv_pd* pd, uint32_t handle) {
  Mr* mr = new (std::nothrow) Mr();
  if (mr == nullptr) return refuse_null(ENOMEM);
  const bool found = verbs::find_object<Mr>(Context::of(pd->context), [&](Mr& original) {
    if (original.handle != handle || Pd::of(original.pd).id != Pd::of(pd).id) return false;
    mr->id = original.id;
    mr->lkey = original.lkey;
    mr->rkey = original.rkey;
    mr->length = original.length;
    mr->backing = original.backing;
    return true;
  });
  if (!found) {
    delete mr;
    return refuse_null(ENOENT);
  }
  mr->context = pd->context;
  mr->pd = pd;
  mr->handle = handle;
  mr->fixed = mr->imported = true;
  Context::of(pd->context).adopt(*mr);
  return mr;
}

void ibv_unimport_mr(ibv_mr* mr) { ibv_dereg_mr(mr); }

ibv_dm* ibv_import_dm(ibv_context* context, uint32_t handle) {
  std::shared_ptr<verbs::DmPages> pages;
  const bool found = verbs::find_object<Dm>(Context::of(context), [&](Dm& original) {
    if (original.handle != handle) return false;
    pages = original.pages;
    return true;
  });
  return found ? verbs::import_dm(context, std::move(pages), handle) : refuse_null(ENOENT);
}

void ibv_unimport_dm(ibv_dm* dm) { verbs::free_dm(dm); }
