// Completion channels: see cq.h. A CQ with several unread events is in the list once and goes to the end after each.
#include <pthread.h>

#include <cerrno>
#include <new>

#include "verbs/context.h"
#include "verbs/cq.h"
#include "verbs/status.h"

namespace rocelab::verbs {

Channel::Channel(ibv_context* owner) : ibv_comp_channel{} {
  context = owner;
  fd = ready_.fd();
}

void Channel::push(Cq& cq) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (cq.queued++ != 0) return;
  if (head_ != nullptr) {
    tail_->queue_next = &cq;
  } else {
    head_ = &cq;
    ready_.raise();
  }
  tail_ = &cq;
}

bool Channel::empty() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return head_ == nullptr;
}

Cq* Channel::pop() {
  wait_in_simulation(context, ready_, [this] { return empty(); });
  for (;;) {
    if (!ready_.wait()) return nullptr;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (head_ == nullptr) continue;  // forgotten between the two
    Cq* cq = head_;
    ++cq->comp_events_delivered;
    head_ = cq->queue_next;
    cq->queue_next = nullptr;
    if (head_ == nullptr) tail_ = nullptr;
    if (--cq->queued != 0) {
      if (tail_ != nullptr) {
        tail_->queue_next = cq;
      } else {
        head_ = cq;
      }
      tail_ = cq;
    }
    if (head_ != nullptr) ready_.raise();
    return cq;
  }
}

void Channel::forget(Cq& cq) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (cq.queued == 0) return;
  cq.queued = 0;
  Cq* last = nullptr;
  for (Cq** link = &head_; *link != nullptr;) {
    if (*link == &cq) {
      *link = cq.queue_next;
    } else {
      last = *link;
      link = &last->queue_next;
    }
  }
  cq.queue_next = nullptr;
  tail_ = last;
  if (head_ == nullptr) ready_.lower();
}

}  // namespace rocelab::verbs

using rocelab::verbs::Channel;
using rocelab::verbs::Cq;

ibv_comp_channel* ibv_create_comp_channel(ibv_context* context) {
  if (context == nullptr) return rocelab::verbs::refuse_null(EINVAL);
  if (rocelab::verbs::local_of(context) == nullptr) return rocelab::verbs::refuse_null(ENODEV);
  Channel* channel = new (std::nothrow) Channel(context);
  if (channel == nullptr) return rocelab::verbs::refuse_null(ENOMEM);
  if (channel->fd < 0) {
    delete channel;
    return rocelab::verbs::refuse_null(EMFILE);
  }
  return channel;
}

int ibv_destroy_comp_channel(ibv_comp_channel* channel) {
  ibv_context* context = channel->context;
  pthread_mutex_lock(&context->mutex);
  const bool busy = channel->refcnt != 0;
  pthread_mutex_unlock(&context->mutex);
  if (busy) return rocelab::verbs::refuse(EBUSY);
  delete &Channel::of(channel);
  return 0;
}

int ibv_get_cq_event(ibv_comp_channel* channel, ibv_cq** cq, void** cq_context) {
  Cq* queue = Channel::of(channel).pop();
  if (queue == nullptr) return -1;
  *cq = queue->base();
  *cq_context = queue->cq_context;
  return 0;
}

void ibv_ack_cq_events(ibv_cq* cq, unsigned int nevents) {
  pthread_mutex_lock(&cq->mutex);
  cq->comp_events_completed += nevents;
  pthread_cond_signal(&cq->cond);
  pthread_mutex_unlock(&cq->mutex);
}
