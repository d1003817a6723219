// Asynchronous events: the queue of a context, ibv_get_async_event and ibv_ack_async_event.
#include "verbs/async_event.h"

#include <pthread.h>

#include <cstdint>
#include <new>
#include <utility>

#include "verbs/context.h"
#include "verbs/cq.h"
#include "verbs/qp.h"
#include "verbs/srq.h"

namespace rocelab::verbs {
namespace {

enum class Element { kCq, kQp, kSrq, kPort };

Element element_of(ibv_event_type type) {
  switch (type) {
    case IBV_EVENT_CQ_ERR:
      return Element::kCq;
    case IBV_EVENT_QP_FATAL:
    case IBV_EVENT_QP_REQ_ERR:
    case IBV_EVENT_QP_ACCESS_ERR:
    case IBV_EVENT_COMM_EST:
    case IBV_EVENT_SQ_DRAINED:
    case IBV_EVENT_PATH_MIG:
    case IBV_EVENT_PATH_MIG_ERR:
    case IBV_EVENT_QP_LAST_WQE_REACHED:
      return Element::kQp;
    case IBV_EVENT_SRQ_ERR:
    case IBV_EVENT_SRQ_LIMIT_REACHED:
      return Element::kSrq;
    default:
      return Element::kPort;
  }
}

const void* object_of(const ibv_async_event& event) {
  switch (element_of(event.event_type)) {
    case Element::kCq:
      return event.element.cq;
    case Element::kQp:
      return event.element.qp;
    case Element::kSrq:
      return event.element.srq;
    case Element::kPort:
      break;
  }
  return nullptr;
}

void count_delivered(const ibv_async_event& event) {
  switch (element_of(event.event_type)) {
    case Element::kCq:
      ++Cq::of(event.element.cq).async_events_delivered;
      break;
    case Element::kQp:
      ++Qp::of(event.element.qp).events_delivered;
      break;
    case Element::kSrq:
      ++Srq::of(event.element.srq).events_delivered;
      break;
    case Element::kPort:
      break;
  }
}

void acknowledge(pthread_mutex_t& mutex, pthread_cond_t& changed, std::uint32_t& completed) {
  pthread_mutex_lock(&mutex);
  ++completed;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
}

}  // namespace

AsyncEvents::~AsyncEvents() {
  while (head_) head_ = std::move(head_->next);  // one by one: a chain of destructors would nest
}

void AsyncEvents::push(const ibv_async_event& event) noexcept {
  std::unique_ptr<Node> node(new (std::nothrow) Node{event, nullptr});
  if (!node) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  Node* added = node.get();
  if (head_) {
    tail_->next = std::move(node);
  } else {
    head_ = std::move(node);
    ready_.raise();
  }
  tail_ = added;
}

bool AsyncEvents::empty() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return head_ == nullptr;
}

bool AsyncEvents::pop(ibv_context* owner, ibv_async_event& event) {
  wait_in_simulation(owner, ready_, [this] { return empty(); });
  for (;;) {
    if (!ready_.wait()) return false;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!head_) continue;  // forgotten between the two
    event = head_->event;
    count_delivered(event);
    head_ = std::move(head_->next);
    if (head_) ready_.raise();
    return true;
  }
}

void AsyncEvents::forget(const void* object) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!head_) return;
  Node* last = nullptr;
  for (std::unique_ptr<Node>* link = &head_; *link;) {
    if (object_of((*link)->event) == object) {
      *link = std::move((*link)->next);
    } else {
      last = link->get();
      link = &last->next;
    }
  }
  tail_ = last;
  if (!head_) ready_.lower();
}

}  // namespace rocelab::verbs

using rocelab::verbs::Context;
using rocelab::verbs::Element;

int ibv_get_async_event(ibv_context* context, ibv_async_event* event) {
  return Context::of(context).async.pop(context, *event) ? 0 : -1;
}

void ibv_ack_async_event(ibv_async_event* event) {
  switch (rocelab::verbs::element_of(event->event_type)) {
    case Element::kCq: {
      ibv_cq& cq = *event->element.cq;
      rocelab::verbs::acknowledge(cq.mutex, cq.cond, cq.async_events_completed);
      break;
    }
    case Element::kQp: {
      ibv_qp& qp = *event->element.qp;
      rocelab::verbs::acknowledge(qp.mutex, qp.cond, qp.events_completed);
      break;
    }
    case Element::kSrq: {
      ibv_srq& srq = *event->element.srq;
      rocelab::verbs::acknowledge(srq.mutex, srq.cond, srq.events_completed);
      break;
    }
    case Element::kPort:
      break;
  }
}
