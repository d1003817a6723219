// An opened device: struct verbs_context, which grows in front of the ibv_context that applications see, followed by
// ours. Knows all objects made from it, so that closing it leaves nothing in the engine. Owned by the application from
// ibv_open_device to ibv_close_device. Thread-safe.
#pragma once

#include <infiniband/verbs.h>

#include <cstddef>
#include <mutex>
#include <tuple>
#include <type_traits>
#include <utility>

#include "rxe/verbs_device.h"
#include "verbs/async_event.h"
#include "verbs/device.h"
#include "verbs/linked_list.h"
#include "verbs/ready_fd.h"

namespace rocelab::verbs {

struct Pd;
struct Mr;
struct Mw;
struct Cq;
struct Srq;
struct Qp;
struct Ah;
struct Dm;
struct Xrcd;
struct Flow;

struct Context : verbs_context, Linked<Context> {
  /// `file` becomes the context's cmd_fd, which is closed with it (-1: there is none).
  Context(Device& opened, int file);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  static Context& of(ibv_context* context) {
    char* start = reinterpret_cast<char*>(context) - offsetof(verbs_context, context);
    return *static_cast<Context*>(reinterpret_cast<verbs_context*>(start));
  }

  rxe::VerbsDevice* local() const { return device.local(); }

  /// Runs `f(rxe::Device&, TimePoint) -> Result<T>` under the engine lock; ENODEV when the device is gone.
  template <class F>
  std::invoke_result_t<F, rxe::Device&, base::TimePoint> engine(F&& f) const {
    rxe::VerbsDevice* opened = local();
    if (opened == nullptr) return base::fail(ENODEV, "the device is gone: fork() or exit");
    return opened->with_engine(std::forward<F>(f));
  }

  template <class T>
  void adopt(T& object) {
    const std::lock_guard<std::mutex> lock(objects_mutex);
    std::get<LinkedList<T>>(objects).push_front(object);
  }
  template <class T>
  void release(T& object) {
    const std::lock_guard<std::mutex> lock(objects_mutex);
    std::get<LinkedList<T>>(objects).remove(object);
  }

  Device& device;
  AsyncEvents async;
  std::mutex objects_mutex;
  std::tuple<LinkedList<Pd>, LinkedList<Mr>, LinkedList<Mw>, LinkedList<Cq>, LinkedList<Srq>, LinkedList<Qp>,
             LinkedList<Ah>, LinkedList<Dm>, LinkedList<Xrcd>, LinkedList<Flow>>
      objects;
};

/// A file that stands for a context as the kernel's device file does: whoever has it can import from the context
/// (import.cc). -1: none.
int make_context_file();

/// Fills the tables that the inline functions of <infiniband/verbs.h> call through (context_ops.cc).
void set_operations(verbs_context& context);

/// The device behind a data-path object, or nullptr when it is gone.
inline rxe::VerbsDevice* local_of(ibv_context* context) { return Context::of(context).local(); }

/// Before a blocking wait for a queue of events: in a simulated process virtual time goes on instead of the thread
/// being blocked. Nothing with a real device.
template <class Empty>
void wait_in_simulation(ibv_context* context, const ReadyFd& ready, Empty&& empty) {
  rxe::VerbsDevice* device = local_of(context);
  if (device == nullptr || !device->simulated() || !ready.blocking()) return;
  while (empty()) device->wait_for_event();
}

}  // namespace rocelab::verbs
