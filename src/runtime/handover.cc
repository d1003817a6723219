// See handover.h.
#include "runtime/handover.h"

#include <cstring>
#include <utility>

namespace rocelab::runtime {

Handover::Outcome Handover::try_to_pass(std::uint32_t slot, net::Frame frame, TimePoint now) {
  Link* link = nullptr;
  switch (links_.find(slot, now, link)) {
    case Links::Answer::kWait:
      return Outcome::kWait;
    case Links::Answer::kNobody:
      return Outcome::kLost;
    case Links::Answer::kGo:
      break;
  }
  std::byte* room = link->port->tx_reserve(frame.size());
  if (room == nullptr) {
    links_.flush(now);
    room = link->port->tx_reserve(frame.size());
  }
  if (room == nullptr) {
    ++counters_.tx_peer_stuck;
    return Outcome::kLost;
  }
  std::memcpy(room, frame.data(), frame.size());
  links_.commit(*link, frame.size(), now);
  active_ = true;
  ++counters_.rx_handed_over;
  return Outcome::kPassed;
}

void Handover::pass_on(std::uint32_t slot, net::Frame frame, TimePoint now) {
  switch (try_to_pass(slot, frame, now)) {
    case Outcome::kPassed:
      return;
    case Outcome::kLost:
      ++counters_.rx_not_for_us;
      return;
    case Outcome::kWait:
      break;
  }
  if (waiting_.size() == kWaitingMax) {
    ++counters_.rx_not_for_us;
    return;
  }
  waiting_.push_back({slot, {frame.begin(), frame.end()}});
  active_ = true;
}

void Handover::pass_to_all(net::Frame frame, TimePoint now) {
  page_.for_each_peer([&](std::uint32_t slot, std::uint32_t) { pass_on(slot, frame, now); });
}

void Handover::flush_active(TimePoint now) {
  for (Waiting& frame : std::exchange(waiting_, {})) {
    switch (try_to_pass(frame.slot, frame.bytes, now)) {
      case Outcome::kPassed:
        break;
      case Outcome::kLost:
        ++counters_.rx_not_for_us;
        break;
      case Outcome::kWait:
        waiting_.push_back(std::move(frame));
        break;
    }
  }
  links_.flush(now);
  active_ = waiting();
}

}  // namespace rocelab::runtime
