// See scenario.h.
#include "tests/cm/scenario/scenario.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace rocelab::test {

using base::Duration;
using cm::EventKind;
using cm::State;

namespace {

constexpr std::size_t kLinkMax = 200, kIdsMax = 40;
constexpr unsigned kSettleMax = 10'000;

/// The number of the call in Scenario::act that leads a connection on.
std::uint32_t fitting_call(State state) {
  switch (state) {
    case State::kReqRcvd:
    case State::kMraReqSent:
      return 0;
    case State::kRepRcvd:
    case State::kMraRepSent:
      return 1;
    case State::kEstablished:
      return 5;
    case State::kDreqRcvd:
      return 6;
    case State::kSidrReqRcvd:
      return 7;
    default:
      return 8;
  }
}

[[noreturn]] void violated(const std::string& what) { throw Violation(what); }
void demand(bool holds, const char* what) {
  if (!holds) violated(what);
}

cm::Service service_of(std::size_t process, bool datagrams) {
  const auto space = datagrams ? cm::PortSpace::kUdp : cm::PortSpace::kTcp;
  return {cm::service_id(space, static_cast<std::uint16_t>(1000 + process)), cm::kExactService, {}, {}};
}

}  // namespace

struct Scenario::Process final : cm::Neighbours {
  Process(Scenario& s, std::size_t i) : scenario(s), index(i) {}

  Scenario& scenario;
  const std::size_t index;
  std::unique_ptr<cm::Manager> manager;
  std::map<cm::Id, Known> ids;
  std::vector<cm::Id> listeners;
  bool alive = true;

  std::uint8_t slot() const { return static_cast<std::uint8_t>(index + 1); }
  /// Two on one host, one on another.
  std::uint64_t guid() const { return index == 2 ? 0xb : 0xa; }
  wire::Gid gid() const { return wire::Gid::from_ipv4(index == 2 ? 0x0a00'0002 : 0x0a00'0001); }

  std::optional<std::uint8_t> owner_of(std::uint64_t id, std::span<const std::byte>) const override {
    for (const auto& other : scenario.processes_) {
      if (!other->alive || other->guid() != guid()) continue;
      for (const bool datagrams : {false, true}) {
        if (service_of(other->index, datagrams).id == id) return other->slot();
      }
    }
    return std::nullopt;
  }
  bool is_alive(std::uint8_t who) const override {
    return std::any_of(scenario.processes_.begin(), scenario.processes_.end(), [&](const auto& other) {
      return other->alive && other->guid() == guid() && other->slot() == who;
    });
  }
  bool we_speak() const override {
    return std::none_of(scenario.processes_.begin(), scenario.processes_.end(), [&](const auto& other) {
      return other->alive && other->guid() == guid() && other->index < index;
    });
  }
  bool is_local(const wire::Gid& where) const override { return where == gid(); }
};

Scenario::Scenario(Chooser& chooser, const ScenarioOptions& options) : chooser_(chooser), options_(options) {
  for (std::size_t i = 0; i < processes_.size(); ++i) processes_[i] = std::make_unique<Process>(*this, i);
  for (auto& process : processes_) fresh(*process);
}
Scenario::~Scenario() = default;

void Scenario::fresh(Process& process) {
  cm::ManagerOptions options{++seed_};
  options.slot = process.slot();
  options.ca_guid = process.guid();
  options.ids_max = kIdsMax;
  process.manager = std::make_unique<cm::Manager>(options, process);
  process.alive = true;
  process.ids.clear();
  process.listeners.clear();
  for (const bool datagrams : {false, true}) {
    const auto id = process.manager->create_id(nullptr);
    demand(id && process.manager->listen(*id, service_of(process.index, datagrams)), "a new process can listen");
    process.listeners.push_back(*id);
  }
}

Scenario::Process& Scenario::any() { return *processes_[chooser_.below(3)]; }

// --- what happens --------------------------------------------------------------------------------------------------

std::uint64_t Scenario::run() {
  while (!chooser_.exhausted()) {
    step();
    collect();
    check();
  }
  finish();
  return digest_;
}

void Scenario::step() {
  switch (chooser_.below(20)) {
    case 0:
    case 1:
      return connect(any());
    case 2:
      return resolve(any());
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
      return act(any());
    case 8:
      return disturb();
    case 9:
    case 10:
      return pass(Duration::ms(chooser_.below(50) + 1));
    case 11:
      if (chooser_.below(4) == 0) pass(Duration::ms(100 * (chooser_.below(100) + 1)));
      return;
    case 12:
      if (chooser_.below(40) == 0) kill(any());
      return;
    default: {
      if (link_.empty()) return;
      const Datagram datagram = link_.front();
      link_.pop_front();
      deliver(datagram);
    }
  }
}

void Scenario::connect(Process& process) {
  Process& to = any();
  const auto id = process.manager->create_id(nullptr);
  if (!id) return;
  cm::ReqParam param;
  // Sometimes nobody listens to it there.
  param.service_id = service_of(chooser_.below(4) == 0 ? any().index : to.index, false).id;
  param.path.source_gid = process.gid();
  param.path.destination_gid = to.gid();
  param.qpn = next_qpn_++;
  param.starting_psn = param.qpn * 3;
  param.max_cm_retries = static_cast<std::uint8_t>(chooser_.below(4));
  demand(process.manager->send_req(now_, *id, param).has_value(), "an idle id can send a REQ");
  process.ids[*id].qpn = param.qpn;
}

void Scenario::resolve(Process& process) {
  Process& to = any();
  const auto id = process.manager->create_id(nullptr);
  if (!id) return;
  cm::SidrReqParam param;
  param.service_id = service_of(chooser_.below(4) == 0 ? any().index : to.index, true).id;
  param.path.source_gid = process.gid();
  param.path.destination_gid = to.gid();
  param.max_cm_retries = static_cast<std::uint8_t>(chooser_.below(4));
  demand(process.manager->send_sidr_req(now_, *id, param).has_value(), "an idle id can send a SIDR_REQ");
  process.ids[*id];
}

void Scenario::act(Process& process) {
  if (process.ids.empty()) return;
  auto it = process.ids.begin();
  std::advance(it, chooser_.below(static_cast<std::uint32_t>(process.ids.size())));
  const auto [id, known] = *it;
  cm::Manager& m = *process.manager;
  const auto before = m.info(id);
  demand(before.has_value(), "an id that is not destroyed is there");
  switch (chooser_.below(3) != 0 ? fitting_call(before->state) : chooser_.below(9)) {
    case 0: {
      cm::RepParam rep;
      rep.qpn = next_qpn_++;
      rep.starting_psn = rep.qpn * 3;
      if (m.send_rep(now_, id, rep)) process.ids[id].qpn = rep.qpn;
      return;
    }
    case 1:
    case 2:
      return static_cast<void>(m.send_rtu(now_, id, {}));
    case 3:
      return static_cast<void>(m.send_rej(now_, id, {}));
    case 4: {
      const auto when = chooser_.below(2) == 0 ? cm::MraWhen::kNow : cm::MraWhen::kOnRepetition;
      return static_cast<void>(m.send_mra(now_, id, static_cast<std::uint8_t>(chooser_.below(32)), when, {}));
    }
    case 5:
      return static_cast<void>(m.send_dreq(now_, id, {}));
    case 6:
      return static_cast<void>(m.send_drep(now_, id, {}));
    case 7:
      return static_cast<void>(m.send_sidr_rep(now_, id, {cm::SidrStatus::kSuccess, next_qpn_++, 1, {}, {}}));
    default:
      if (chooser_.below(3) == 0) return static_cast<void>(m.notify_established(now_, id));
      demand(m.destroy_id(now_, id).has_value(), "any id can be destroyed");
      demand(!m.info(id).has_value(), "a destroyed id is gone");
      process.ids.erase(id);
  }
}

void Scenario::disturb() {
  if (link_.empty()) return;
  const std::size_t at = chooser_.below(static_cast<std::uint32_t>(link_.size()));
  switch (chooser_.below(options_.forges ? 4 : 3)) {
    case 0:
      link_.erase(link_.begin() + static_cast<std::ptrdiff_t>(at));
      return;
    case 1:
      if (link_.size() < kLinkMax) link_.push_back(link_[at]);
      return;
    case 2:
      std::swap(link_[at], link_.back());
      return;
    default: {
      const std::size_t byte = cm::kMadHeaderBytes + chooser_.below(140);
      link_[at].bytes[byte] = std::byte{static_cast<std::uint8_t>(chooser_.below(256))};
      if (chooser_.below(4) == 0) link_[at].bytes[17] = std::byte{static_cast<std::uint8_t>(0x10 + chooser_.below(11))};
    }
  }
}

void Scenario::kill(Process& process) {
  ++reached_.deaths;
  process.alive = false;
  for (auto& other : processes_) {
    if (other != nullptr && other->alive && other->guid() == process.guid()) {
      other->manager->handle_peer_death(now_, process.slot());
    }
  }
  collect();
  fresh(process);
}

void Scenario::pass(Duration duration) {
  const base::TimePoint end = now_ + duration;
  for (;;) {
    base::TimePoint next = end;
    for (const auto& process : processes_) {
      const auto due = process->manager->next_timeout();
      if (due && *due < next) next = *due;
    }
    if (next > now_) now_ = next;
    for (const auto& process : processes_) process->manager->handle_timeout(now_);
    collect();
    if (now_ >= end) return;
  }
}

// --- what comes of it ----------------------------------------------------------------------------------------------

void Scenario::collect() {
  for (const auto& process : processes_) {
    while (const auto event = process->manager->poll_event()) {
      if (process->alive) take(*process, *event);
    }
    for (; const auto* send = process->manager->next_send(); process->manager->pop_send()) {
      demand(send->path.source_gid == process->gid(), "a process sends as itself");
      demand(cm::parse_mad(send->bytes).mad.has_value(), "what is sent is a message");
      if (process->alive && link_.size() < kLinkMax) link_.push_back({send->path, send->bytes});
    }
  }
}

void Scenario::deliver(const Datagram& datagram) {
  for (const auto& process : processes_) {
    if (process->gid() == datagram.path.destination_gid) {
      process->manager->handle_mad(now_, datagram.path, datagram.bytes);
    }
  }
  collect();
}

void Scenario::take(Process& process, const cm::Event& event) {
  note(static_cast<std::uint64_t>(event.kind));
  note(static_cast<std::uint64_t>(event.id));
  note(now_.count_ps());
  const auto info = process.manager->info(event.id);
  demand(info.has_value(), "an event is about an id that is there");
  const bool is_new = event.kind == EventKind::kReqReceived || event.kind == EventKind::kSidrReqReceived;
  if (is_new) {
    demand(!process.ids.contains(event.id), "a request makes an id of its own");
    demand(event.listener == process.listeners[0] || event.listener == process.listeners[1], "a listener heard it");
    process.ids[event.id].told_request = true;
    return;
  }
  const auto found = process.ids.find(event.id);
  demand(found != process.ids.end(), "an event is about an id that its consumer has");
  Known& known = found->second;
  switch (event.kind) {
    case EventKind::kRepReceived:
      demand(!std::exchange(known.told_reply, true), "a reply is told once");
      break;
    case EventKind::kRtuReceived:
    case EventKind::kUserEstablished:
      demand(!std::exchange(known.told_ready, true), "that a connection is ready is told once");
      ++reached_.established;
      break;
    case EventKind::kSidrRepReceived:
      ++reached_.resolved;
      break;
    case EventKind::kRejReceived:
      ++reached_.refused;
      break;
    case EventKind::kReqError:
    case EventKind::kRepError:
    case EventKind::kDreqError:
    case EventKind::kSidrReqError:
      ++reached_.timeouts;
      break;
    default:
      break;
  }
}

void Scenario::check() {
  for (const auto& process : processes_) {
    demand(process->manager->id_count() <= kIdsMax, "there are not more ids than there may be");
    if (options_.forges) continue;
    for (const auto& [id, known] : process->ids) {
      const auto mine = process->manager->info(id);
      demand(mine.has_value(), "an id that is not destroyed is there");
      if (mine->state != State::kEstablished) continue;
      // If the peer's end is connected too, both know the same.
      const std::size_t peer_index = (mine->remote_comm_id >> 24) - 1;
      demand(peer_index < processes_.size(), "a peer is one of us");
      const auto theirs = processes_[peer_index]->manager->info(static_cast<cm::Id>(mine->remote_comm_id));
      if (!theirs || theirs->state != State::kEstablished) continue;
      if (theirs->remote_comm_id != static_cast<std::uint32_t>(id)) continue;
      demand(mine->remote_qpn == theirs->local_qpn && theirs->remote_qpn == mine->local_qpn, "QPs are the peer's");
      demand(mine->receive_psn == theirs->send_psn && theirs->receive_psn == mine->send_psn, "PSNs are the peer's");
    }
  }
}

void Scenario::settle() {
  for (unsigned i = 0; !link_.empty(); ++i) {
    demand(i < kSettleMax, "talk comes to an end");
    const Datagram datagram = link_.front();
    link_.pop_front();
    deliver(datagram);
  }
}

void Scenario::finish() {
  settle();
  for (const auto& process : processes_) {
    process->ids.clear();
    process->manager->destroy_all(now_);
  }
  // Repetitions, patience and timewaits have their ends.
  for (int i = 0; i < 200; ++i) {
    collect();
    settle();
    pass(Duration::s(20));
    const auto waits = [](const auto& process) { return process->manager->next_timeout().has_value(); };
    if (link_.empty() && std::none_of(processes_.begin(), processes_.end(), waits)) break;
  }
  for (const auto& process : processes_) {
    demand(process->manager->id_count() == 0, "in the end no id is left");
    demand(!process->manager->next_timeout().has_value(), "in the end nothing is waited for");
  }
  prove_life();
}

void Scenario::prove_life() {
  // Whatever has happened, the next connection is made as the first one was.
  for (auto& process : processes_) {
    for (const bool datagrams : {false, true}) {
      const auto id = process->manager->create_id(nullptr);
      demand(id && process->manager->listen(*id, service_of(process->index, datagrams)), "a port is free again");
      process->listeners = {*id, *id};
    }
  }
  Process& a = *processes_[0];
  Process& c = *processes_[2];
  c.listeners[0] = static_cast<cm::Id>(static_cast<std::uint32_t>(c.listeners[1]) - 1);
  const auto id = a.manager->create_id(nullptr);
  cm::ReqParam param;
  param.service_id = service_of(2, false).id;
  param.path.source_gid = a.gid();
  param.path.destination_gid = c.gid();
  param.qpn = next_qpn_++;
  demand(a.manager->send_req(now_, *id, param).has_value(), "a REQ can be sent");
  a.ids[*id];
  collect();
  settle();
  demand(c.ids.size() == 1, "a REQ arrives");
  const cm::Id at_c = c.ids.begin()->first;
  cm::RepParam rep;
  rep.qpn = next_qpn_++;
  demand(c.manager->send_rep(now_, at_c, rep).has_value(), "a REP can be sent");
  collect();
  settle();
  demand(a.manager->send_rtu(now_, *id, {}).has_value(), "a REP arrives");
  collect();
  settle();
  demand(c.manager->info(at_c)->state == State::kEstablished, "an RTU arrives");
}

}  // namespace rocelab::test
