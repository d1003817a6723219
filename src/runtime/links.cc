// See links.h. The order of a link's making, so that the client never looks for a server that does not listen yet: the
// server makes its port and invites; the client asks for an invitation and makes its port when it has one. Invitations
// are repeated until the link is up, so a lost datagram costs time only.
#include "runtime/links.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "runtime/log.h"

namespace rocelab::runtime {

Links::Links(HostPage& page, const ControlSocket& control, ProcessCounters& counters)
    : page_(page), control_(control), counters_(counters) {
  // Room for all, so that the data path never allocates.
  live_.reserve(links_.size());
  unflushed_.reserve(links_.size());
  pending_.reserve(links_.size());
  dropped_.reserve(links_.size());
  dead_.reserve(links_.size());
}

Links::Answer Links::find_slowly(Link& link, std::uint32_t slot, TimePoint now) {
  const auto occupant = page_.occupant(slot);
  if (link.state != Link::State::kNone && link.generation != occupant) drop(link);  // another process lives there now
  if (!occupant) return Answer::kNobody;
  switch (link.state) {
    case Link::State::kNone:
      want(link, slot, *occupant, now);
      return Answer::kWait;
    case Link::State::kConnecting:
      if (link.port != nullptr && link.port->link_up()) {
        link.state = Link::State::kUp;
        news_ = true;  // out of the pending ones
        return Answer::kGo;
      }
      return Answer::kWait;
    case Link::State::kWanted:
      return Answer::kWait;
    case Link::State::kRefused:
      if (now - link.since < kRefusedFor) return Answer::kNobody;
      want(link, slot, *occupant, now);
      return Answer::kWait;
    case Link::State::kUp:
      return Answer::kGo;
  }
  return Answer::kNobody;
}

bool Links::full_too_long(Link& link, TimePoint now) {
  if (!link.full) {
    link.full = true;
    link.full_since = now;
    return false;
  }
  return now - link.full_since > kFullMax;
}

void Links::flush_all(TimePoint now) {
  bool given = false;
  for (Link* link : unflushed_) given = link->outlet.flush(now) != 0 || given;
  if (given) {
    // Our frames first, then their flag: a peer that is falling asleep does it the other way round (HostPage).
    std::atomic_thread_fence(std::memory_order_seq_cst);
    for (Link* link : unflushed_) {
      const auto sleep = page_.sleep_of(link->slot);
      if (!sleep || *sleep == link->rung) continue;
      link->rung = *sleep;
      ++counters_.wakeups_sent;
      if (!control_.send(ControlKind::kWake, link->slot, link->generation)) swept_ = TimePoint();  // look at once
    }
  }
  std::erase_if(unflushed_, [](Link* link) {
    if (link->outlet.backlog != 0) return false;
    link->unflushed = false;
    return true;
  });
}

void Links::sweep_now(TimePoint now) {
  swept_ = now;
  for (std::size_t i = 0; i < live_.size();) {
    Link& link = *live_[i];
    const bool gone =
        link.generation != page_.occupant(link.slot) || (link.state == Link::State::kUp && !link.port->link_up());
    if (gone) {
      lose(link);  // takes it out of live_
    } else {
      ++i;
    }
  }
}

void Links::want(Link& link, std::uint32_t slot, std::uint32_t generation, TimePoint now) {
  link.state = Link::State::kWanted;
  link.slot = slot;
  link.generation = generation;
  link.since = now;
  link.invited = TimePoint();
  link.peer_ready = false;
  link.making = false;
  link.full = false;
  link.rung = 0;
  if (std::find(pending_.begin(), pending_.end(), &link) == pending_.end()) pending_.push_back(&link);
  news_ = true;
}

void Links::release_port(Link& link) {
  if (link.port == nullptr) return;
  dropped_.push_back(std::move(link.port));
  link.outlet = {};
  std::erase(live_, &link);
  if (link.unflushed) std::erase(unflushed_, &link);
  link.unflushed = false;
  news_ = true;
}

void Links::drop(Link& link) {
  release_port(link);
  std::erase(pending_, &link);
  link.state = Link::State::kNone;
  link.making = false;
}

void Links::lose(Link& link) {
  if (link.state == Link::State::kUp) ++counters_.links_lost;
  log(LogLevel::kDebug, "the link to the process in slot {} is lost", link.slot);
  dead_.push_back({link.slot, link.generation, false});
  drop(link);
  news_ = true;
}

void Links::refuse(Link& link, TimePoint now) {
  drop(link);
  link.state = Link::State::kRefused;
  link.since = now;
}

void Links::invite(Link& link, TimePoint now) {
  if (link.invited != TimePoint() && now - link.invited < kInviteEvery) return;
  link.invited = now;
  control_.send(ControlKind::kConnect, link.slot, link.generation);
}

std::vector<Links::Chore> Links::collect(TimePoint now) {
  std::vector<Chore> chores;
  news_ = false;
  checked_ = now;
  for (std::size_t i = 0; i < pending_.size();) {
    Link& link = *pending_[i];
    if (link.state == Link::State::kConnecting && link.port->link_up()) link.state = Link::State::kUp;
    if (link.state == Link::State::kUp) {
      ++counters_.links_made;
      log(LogLevel::kDebug, "the link to the process in slot {} is up", link.slot);
      pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    if (!page_.is_alive(link.slot, link.generation)) {
      lose(link);
      continue;
    }
    if (now - link.since > kConnectMax) {
      log(LogLevel::kWarn, "no link to the process in slot {} within {} s", link.slot, kConnectMax.count_ms() / 1'000);
      refuse(link, now);
      continue;
    }
    const bool server = page_.slot() < link.slot;
    if (link.port == nullptr && !link.making && (server || link.peer_ready)) {
      link.making = true;
      chores.push_back({link.slot, link.generation, server});
    } else if (link.port != nullptr ? server : !server && !link.peer_ready) {
      invite(link, now);
    }
    ++i;
  }
  return chores;
}

void Links::install(const Chore& chore, std::unique_ptr<net::Port> port, TimePoint now) {
  Link& link = links_[chore.slot];
  if (link.state != Link::State::kWanted || link.generation != chore.generation || !link.making) {
    dropped_.push_back(std::move(port));  // it was given up meanwhile
    news_ = true;
    return;
  }
  link.making = false;
  link.port = std::move(port);
  link.outlet = {link.port.get(), 0, now};
  link.state = Link::State::kConnecting;
  link.invited = TimePoint();
  live_.push_back(&link);
  if (chore.server) invite(link, now);
}

void Links::give_up(const Chore& chore, TimePoint now) {
  Link& link = links_[chore.slot];
  if (link.state == Link::State::kWanted && link.generation == chore.generation) refuse(link, now);
}

std::vector<std::unique_ptr<net::Port>> Links::take_dropped() {
  std::vector<std::unique_ptr<net::Port>> ports;
  std::move(dropped_.begin(), dropped_.end(), std::back_inserter(ports));
  dropped_.clear();
  return ports;
}

std::vector<Links::Chore> Links::take_dead() {
  std::vector<Chore> dead = dead_;
  dead_.clear();
  return dead;
}

void Links::on_invitation(const ControlMessage& message, TimePoint now) {
  if (page_.occupant(message.from_slot) != message.from_generation) return;
  Link& link = links_[message.from_slot];
  if (link.state != Link::State::kNone && link.generation != message.from_generation) drop(link);
  if (link.state == Link::State::kUp && !link.port->link_up()) drop(link);  // the peer has lost its end and tries again
  // What has just failed here would fail again: the peer keeps asking, and we try once every kRefusedFor.
  if (link.state == Link::State::kRefused && now - link.since < kRefusedFor) return;
  if (link.state == Link::State::kNone || link.state == Link::State::kRefused) {
    want(link, message.from_slot, message.from_generation, now);
  }
  link.peer_ready = true;
  news_ = true;
  if (link.port != nullptr && page_.slot() < link.slot) {  // it asks and we listen: say so at once
    link.invited = TimePoint();
    invite(link, now);
  }
}

Link* Links::leaving(const ControlMessage& message) {
  Link& link = links_[message.from_slot];
  const bool known = link.state != Link::State::kNone && link.generation == message.from_generation;
  return known ? &link : nullptr;
}

std::optional<TimePoint> Links::next_check() const {
  if (pending_.empty()) return std::nullopt;
  return checked_ + kConnectTick;
}

}  // namespace rocelab::runtime
