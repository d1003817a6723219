// What a device has to say and when: the walk over the ready list, and the timers.
#include <bit>

#include "rxe/completer.h"
#include "rxe/datagram.h"
#include "rxe/device_impl.h"
#include "rxe/qp_lifecycle.h"
#include "rxe/requester.h"
#include "rxe/response_sender.h"
#include "rxe/transmit.h"

namespace rocelab::rxe {

namespace {

/// QPs that only_acks_wait() looks at, and whose acknowledgements one poll_transmit holds back: a bound on its work.
constexpr std::size_t kAcksLookedAtMax = 4;

/// As responder it owes a positive acknowledgement and nothing else.
bool owes_ack(Qp& qp) {
  return qp.responder.owed == OwedAck::kAck && !qp.responder.cnp_owed && qp.resources.first_active() == nullptr;
}

bool owes_only_ack(Qp& qp) {
  return owes_ack(qp) && qp.selective == nullptr && qp.requester.send_position == qp.send_queue.tail();
}

/// Certainly without anything to say: a responder that has answered. (A requester whose packets are unacknowledged is
/// asked once more.)
bool is_quiet(Qp& qp) {
  return !qp.is_datagram() && !qp.requester.outstanding() && qp.requester.send_position == qp.send_queue.tail() &&
         !response_sender::owes(qp);
}

/// Where packets go while the port is down: they are lost, and timers find out.
class LostPackets final : public TxSink {
 public:
  bool transmit(const wire::Packet&) override { return true; }
};

void fire(Engine& engine, Qp& qp, TimePoint now, Deadline deadline) {
  switch (deadline) {
    case Deadline::kAck:
      completer::handle_ack_timeout(engine, qp, now);
      break;
    case Deadline::kRnr:
      completer::handle_rnr_timeout(engine, qp);
      break;
    case Deadline::kPacing:
      engine.ready.add(qp);
      break;
    case Deadline::kCongestion:
      qp.congestion->on_timer(now);
      keep_congestion_timer(engine, qp);
      break;
  }
}

/// A QP's turn: as many packets as it may send, `left` at most. False: the sink has refused one, or an acknowledgement
/// is held back.
bool take_turn(Engine& engine, Qp& qp, TimePoint now, TxSink& sink, std::size_t left, bool hold_acks,
               std::size_t& taken) {
  const std::size_t most = left < kBurstPerTurn ? left : kBurstPerTurn;
  for (std::size_t i = 0; i < most; ++i) {
    const bool held = hold_acks && owes_ack(qp);
    const Offer offer = held ? requester::poll(engine, qp, now, sink) : poll_qp(engine, qp, now, sink);
    if (needs_settling(qp)) [[unlikely]]
      settle(engine, qp, now);
    if (offer == Offer::kTaken) {
      ++taken;
      continue;
    }
    if (offer == Offer::kRefused || held) return false;
    engine.ready.remove(qp);
    return true;
  }
  if (is_quiet(qp)) {
    engine.ready.remove(qp);  // so that has_transmit() says what is so
  } else {
    engine.ready.move_to_back(qp);
  }
  return true;
}

/// ACKs, NAKs and CNPs with a priority of their own. False: the sink has refused one.
bool send_control(Engine& engine, TxSink& sink, std::size_t burst_max, std::size_t& taken) {
  if (engine.control_paused()) return true;
  while (Qp* const qp = engine.ready.control.front()) {
    if (taken == burst_max) return true;
    const Offer offer = response_sender::poll_control(engine, *qp, sink);
    if (offer == Offer::kRefused) return false;
    if (offer == Offer::kNothing) {
      engine.ready.control.remove(*qp);
    } else {
      ++taken;
      engine.ready.control.move_to_back(*qp);
    }
  }
  return true;
}

}  // namespace

Offer poll_qp(Engine& engine, Qp& qp, TimePoint now, TxSink& sink) {
  if (qp.is_datagram()) return datagram::poll(engine, qp, now, sink);
  if (response_sender::owes(qp)) {
    const Offer offer = response_sender::poll(engine, qp, now, sink);
    if (offer != Offer::kNothing) return offer;
  }
  return requester::poll(engine, qp, now, sink);
}

std::size_t Device::poll_transmit(TimePoint now, TxSink& sink, std::size_t burst_max, bool hold_acks) {
  Engine& engine = *impl_;
  LostPackets lost;
  TxSink& out = engine.port_up == false ? lost : sink;
  std::size_t taken = 0;
  if (!engine.ready.control.empty()) [[unlikely]] {
    if (!send_control(engine, out, burst_max, taken)) return taken;
  }
  // A QP whose packet was refused keeps its place behind the others and is not asked twice in one call: the sink's
  // other ports may have room.
  const std::uint32_t this_poll = ++engine.poll_turn;
  unsigned closed = engine.paused;
  std::size_t refused = 0;
  while (taken < burst_max) {
    const auto open = static_cast<ReadyLists::Mask>(engine.ready.waiting() & ~closed);
    if (open == 0) break;
    Qp& qp = engine.ready.front(open);
    if (qp.link.refused_at == this_poll) [[unlikely]] {
      closed |= 1u << qp.priority;
      continue;
    }
    if (take_turn(engine, qp, now, out, burst_max - taken, hold_acks, taken)) continue;
    qp.link.refused_at = this_poll;
    engine.ready.move_to_back(qp);
    if (++refused == kAcksLookedAtMax) hold_acks = false;
  }
  return taken;
}

void Device::set_paused(std::uint8_t priorities) { impl_->paused = priorities; }

bool Device::has_transmit() const {
  const Engine& engine = *impl_;
  if ((engine.ready.waiting() & ~engine.paused) != 0) return true;
  return !engine.ready.control.empty() && !engine.control_paused();
}

bool Device::only_acks_wait() const {
  std::size_t seen = 0;
  for (unsigned waiting = impl_->ready.waiting(); waiting != 0; waiting &= waiting - 1) {
    const auto priority = static_cast<unsigned>(std::countr_zero(waiting));
    for (Qp* qp = impl_->ready.front_of(priority); qp != nullptr; qp = qp->link.next) {
      if (++seen > kAcksLookedAtMax || !owes_only_ack(*qp)) return false;
    }
  }
  return seen != 0;
}

std::optional<TimePoint> Device::next_timeout() const { return impl_->timers.next(); }

TimePoint Device::next_timeout_bound_or(TimePoint none) const { return impl_->timers.next_bound_or(none); }

std::optional<TimePoint> Device::next_timeout_bound() const { return impl_->timers.next_bound(); }

void Device::handle_timeout(TimePoint now) {
  Engine& engine = *impl_;
  while (const auto index = engine.timers.pop_due(now)) {
    if (engine.delay.is_timer(*index)) [[unlikely]] {
      engine.delay.expire(now);
      continue;
    }
    Qp& qp = *engine.qp_of_timer[*index];
    while (const auto deadline = qp.timers.take_due(engine.timers, now)) {
      fire(engine, qp, now, *deadline);
      settle(engine, qp, now);
    }
  }
}

}  // namespace rocelab::rxe
