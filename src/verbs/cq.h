// Completion queues, plain and extended, and the completion channels that tell of them. Owned by the application.
//
// A queue's entry in its channel: `queued` events not read yet and its neighbours in the channel's list, both under the
// channel's lock.
#pragma once

#include <infiniband/verbs.h>

#include <cstdint>
#include <mutex>

#include "rxe/types.h"
#include "verbs/linked_list.h"
#include "verbs/placement.h"
#include "verbs/ready_fd.h"

namespace rocelab::verbs {

struct Cq : ibv_cq_ex, Linked<Cq>, Placed {
  static constexpr PlacedType kPlacedType = PlacedType::kCq;
  static Cq& of(ibv_cq* cq) { return *static_cast<Cq*>(reinterpret_cast<ibv_cq_ex*>(cq)); }
  static Cq& of(ibv_cq_ex* cq) { return *static_cast<Cq*>(cq); }
  static const Cq& of(const ibv_cq_ex* cq) { return *static_cast<const Cq*>(cq); }
  ibv_cq* base() { return reinterpret_cast<ibv_cq*>(static_cast<ibv_cq_ex*>(this)); }  // ibv_cq is its beginning

  rxe::CqId id{};
  std::uint32_t comp_events_delivered = 0;  ///< by ibv_get_cq_event; under the channel's lock
  std::uint32_t async_events_delivered = 0;

  std::uint32_t queued = 0;
  Cq* queue_next = nullptr;

  // Extended queues: the completion between start_poll/next_poll and the next, and the lock from start_poll to
  // end_poll.
  rxe::Completion current;
  std::mutex polling;
  bool single_threaded = false;
};

/// A completion channel: the queue of events of its CQs and its file descriptor.
class Channel : public ibv_comp_channel {
 public:
  explicit Channel(ibv_context* owner);
  static Channel& of(ibv_comp_channel* channel) { return *static_cast<Channel*>(channel); }

  /// An armed CQ has got a completion. Never blocks; called under the engine lock.
  void push(Cq& cq) noexcept;
  /// Waits as the descriptor's mode says. nullptr: errno says why.
  Cq* pop();
  bool empty();
  /// Takes out the unread events of a CQ that the engine no longer has.
  void forget(Cq& cq);

 private:
  std::mutex mutex_;
  Cq* head_ = nullptr;  ///< CQs with unread events, through queue_next
  Cq* tail_ = nullptr;
  ReadyFd ready_;
};

int poll_cq(ibv_cq* cq, int count, ibv_wc* completions);
int req_notify_cq(ibv_cq* cq, int solicited_only);
int modify_cq(ibv_cq* cq, ibv_modify_cq_attr* attr);
ibv_cq_ex* create_cq_ex(ibv_context* context, ibv_cq_init_attr_ex* attr);
/// Sets the functions that the inline ibv_start_poll, ibv_wc_read_* call (cq_ex.cc).
void set_extended_operations(Cq& cq);

}  // namespace rocelab::verbs
