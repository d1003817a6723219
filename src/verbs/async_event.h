// The asynchronous events of one context (ibv_get_async_event): a queue with a file descriptor. The engine's side
// pushes under the engine lock; the application reads; destroying an object takes its unread events out and then waits
// until those read have been acknowledged. Thread-safe.
#pragma once

#include <infiniband/verbs.h>

#include <memory>
#include <mutex>

#include "verbs/ready_fd.h"

namespace rocelab::verbs {

class AsyncEvents {
 public:
  AsyncEvents() = default;
  ~AsyncEvents();
  AsyncEvents(const AsyncEvents&) = delete;
  AsyncEvents& operator=(const AsyncEvents&) = delete;

  int fd() const { return ready_.fd(); }
  /// Never blocks. Without memory for it an event is lost, as it is in the kernel.
  void push(const ibv_async_event& event) noexcept;
  /// Waits as the descriptor's mode says. False: errno says why.
  bool pop(ibv_context* owner, ibv_async_event& event);
  bool empty();
  /// Takes out the unread events of a CQ, QP or SRQ that the engine no longer has.
  void forget(const void* object);

 private:
  struct Node {
    ibv_async_event event;
    std::unique_ptr<Node> next;
  };

  std::mutex mutex_;
  std::unique_ptr<Node> head_;
  Node* tail_ = nullptr;
  ReadyFd ready_;
};

}  // namespace rocelab::verbs
