// Messages that make a connection: REQ, REP, RTU and MRA (IBTA vol 1, 12.9.5 to 12.9.8), and whose a message is.
#include <algorithm>

#include "cm/manager_impl.h"

namespace rocelab::cm {

namespace {

constexpr unsigned kSlotShift = 24;
constexpr std::uint8_t kRoutedHopLimit = 64;

/// Any value of the address that GID and encapsulation may have together.
bool fits(const wire::Path& path, const wire::Gid& gid) {
  if (path.encapsulation == wire::Encapsulation::kRoceV1) return true;
  return gid.is_ipv4_mapped() == (path.encapsulation == wire::Encapsulation::kRoceV2Ipv4);
}

/// The way to the peer that its REQ describes. MACs and VLAN are those that the REQ came by.
wire::Path path_to_requester(const wire::Path& came, const Req& req) {
  wire::Path path = reversed(came);
  path.priority = req.primary.service_level & 7;
  path.traffic_class = req.primary.traffic_class;
  path.flow_label = req.primary.flow_label;
  path.hop_limit = req.primary.hop_limit;
  if (path.encapsulation != wire::Encapsulation::kRoceV1 && path.hop_limit <= 1) path.hop_limit = kRoutedHopLimit;
  path.udp_source_port = 0;
  path.ipv4_identification = 0;
  return path;
}

}  // namespace

// --- whose ---------------------------------------------------------------------------------------------------------

Manager::Impl::Found Manager::Impl::find(const Path& path, std::uint32_t our_id,
                                         std::optional<std::uint32_t> their_id) {
  const auto slot = static_cast<std::uint8_t>(our_id >> kSlotShift);
  if (slot != options.slot) {
    const bool nobodys = our_id != 0 && !neighbours.is_alive(slot) && neighbours.we_speak();
    ++(nobodys ? counters.unknown : counters.not_ours);
    return {nullptr, nobodys};
  }
  Connection* const c = table.find(our_id);
  // A peer is known by its number and by where it is; an idle id has none.
  const bool known = c != nullptr && c->state() != State::kIdle && c->info.path.destination_gid == path.source_gid &&
                     (!their_id || c->info.remote_comm_id == *their_id);
  if (known) return {c, false};
  ++counters.unknown;
  return {nullptr, true};
}

Connection* Manager::Impl::find_listener(std::uint64_t service, std::span<const std::byte> private_data, bool& refuse) {
  refuse = false;
  const auto owner = neighbours.owner_of(service, private_data);
  if (owner && *owner != options.slot) {
    ++counters.not_ours;
    return nullptr;
  }
  Connection* const listener = table.listener(service, private_data);
  if (listener != nullptr) return listener;
  refuse = owner.has_value() || neighbours.we_speak();
  ++(refuse ? counters.no_listener : counters.not_ours);
  return nullptr;
}

// --- REQ -----------------------------------------------------------------------------------------------------------

std::optional<RejectReason> Manager::Impl::objection(const Path& path, const Req& req) const {
  if (req.transport == Transport::kRd || (req.transport == Transport::kXrc && req.extended_transport != 1)) {
    return RejectReason::kInvalidTransport;
  }
  // The packets of the connection must come from, and go to, where the REQ itself did: a REQ cannot send them to
  // others.
  if (req.primary.remote_gid != path.destination_gid || req.primary.local_gid != path.source_gid ||
      !fits(path, req.primary.local_gid)) {
    return RejectReason::kInvalidGid;
  }
  if (req.path_mtu < 1 || req.path_mtu > 5) return RejectReason::kInvalidMtu;
  return std::nullopt;
}

void Manager::Impl::refuse(const Path& path, std::uint64_t tid, const Req& req, RejectReason reason) {
  Rej rej;
  rej.remote_comm_id = req.local_comm_id;
  rej.answered = Answered::kReq;
  rej.reason = reason;
  if (reason == RejectReason::kInvalidGid) {  // IBTA vol 1, 12.6.7.2: with one that would do
    const auto& gid = path.destination_gid.bytes;
    rej.info_size = static_cast<std::uint8_t>(gid.size());
    for (std::size_t i = 0; i < gid.size(); ++i) rej.info[i] = std::byte{gid[i]};
  }
  transmit(path_to_requester(path, req), tid, rej);
}

void Manager::Impl::handle_repeated(const Path& path, std::uint64_t tid, Connection& c, const Req& req) {
  if (!next_state(c.state(), Trigger::kReqAgain)) {
    ++counters.out_of_state;
    return;
  }
  ++counters.duplicates;
  if (c.state() == State::kTimewait) {
    refuse(path, tid, req, RejectReason::kStaleConnection);
  } else if (c.state() == State::kMraReqSent && c.answer) {
    transmit(c.info.path, *c.answer);
  } else if (c.repeated) {  // the REP
    transmit(c.info.path, *c.repeated);
  }
}

void Manager::Impl::retire_stale(TimePoint now, Connection& c) {
  ++counters.stale;
  if (c.state() == State::kEstablished) disconnect(now, c, {});
}

void Manager::Impl::handle(TimePoint now, const Path& path, std::uint64_t tid, const Req& req) {
  if (Connection* const known = table.by_remote_id(req.local_ca_guid, req.local_comm_id)) {
    handle_repeated(path, tid, *known, req);
    return;
  }
  const auto service_data = req.private_data.view();
  bool refused = false;
  Connection* const listener = find_listener(req.service_id, service_data, refused);
  if (listener == nullptr) {
    if (refused) refuse(path, tid, req, RejectReason::kInvalidServiceId);
    return;
  }
  if (const auto why = objection(path, req)) {
    refuse(path, tid, req, *why);
    return;
  }
  if (Connection* const stale = table.by_remote_qpn(req.local_ca_guid, req.local_qpn)) {
    refuse(path, tid, req, RejectReason::kStaleConnection);
    retire_stale(now, *stale);
    return;
  }
  if (events.size() >= options.events_max) {  // the peer repeats it
    ++counters.dropped;
    return;
  }
  const Id listener_id = listener->id;
  Connection* const created = table.create(listener->info.user);
  if (created == nullptr) {
    ++counters.dropped;
    refuse(path, tid, req, RejectReason::kNoResources);
    return;
  }
  Connection& c = *created;
  Info& info = c.info;
  info.remote_comm_id = req.local_comm_id;
  info.remote_ca_guid = req.local_ca_guid;
  info.service_id = req.service_id;
  info.path = path_to_requester(path, req);
  info.service_level = req.primary.service_level;
  info.transport = req.transport;
  info.pkey = req.pkey;
  info.remote_qpn = req.local_qpn;
  info.remote_qkey = req.local_qkey;
  info.send_psn = req.starting_psn;
  info.responder_resources = req.initiator_depth;
  info.initiator_depth = req.responder_resources;
  info.path_mtu = req.path_mtu;
  info.ack_timeout = req.primary.ack_timeout;
  info.retry_count = req.retry_count;
  info.rnr_retry_count = req.rnr_retry_count;
  info.remote_srq = req.srq;
  c.transaction = tid;
  c.interval = repeat_interval(req.local_response_timeout, req.primary.ack_timeout);
  c.retries_max = req.max_cm_retries;
  table.add_remote_id(c);
  table.add_remote_qpn(c);
  info.state = State::kReqRcvd;

  Event event = event_of(EventKind::kReqReceived, c);
  event.listener = listener_id;
  event.path = info.path;
  event.has_message = true;
  event.message = req;
  push(std::move(event));
}

// --- REP, RTU, MRA -------------------------------------------------------------------------------------------------

void Manager::Impl::handle(TimePoint now, const Path& path, std::uint64_t, const Rep& rep) {
  const Found found = find(path, rep.remote_comm_id, std::nullopt);
  if (found.connection == nullptr) {
    if (!found.answerable) return;
    Rej rej;  // or the peer repeats its REP for a minute
    rej.local_comm_id = rep.remote_comm_id;
    rej.remote_comm_id = rep.local_comm_id;
    rej.answered = Answered::kRep;
    rej.reason = RejectReason::kInvalidCommId;
    transmit(reversed(path), 0, rej);
    return;
  }
  Connection& c = *found.connection;
  Info& info = c.info;
  if (const auto to = next_state(c.state(), Trigger::kRepCame)) {
    const std::uint32_t remote_qpn = info.transport == Transport::kXrc ? rep.local_eecn : rep.local_qpn;
    if (Connection* const other = table.by_remote_qpn(rep.local_ca_guid, remote_qpn); other != nullptr) {
      Rej rej;
      rej.local_comm_id = c.number();
      rej.remote_comm_id = rep.local_comm_id;
      rej.answered = Answered::kRep;
      rej.reason = RejectReason::kStaleConnection;
      transmit(info.path, c.transaction, rej);
      retire_stale(now, *other);
      return;
    }
    hush(c);
    info.remote_comm_id = rep.local_comm_id;
    info.remote_ca_guid = rep.local_ca_guid;
    info.remote_qpn = remote_qpn;
    info.remote_qkey = rep.local_qkey;
    info.send_psn = rep.starting_psn;
    info.initiator_depth = rep.responder_resources;
    info.responder_resources = rep.initiator_depth;
    info.rnr_retry_count = rep.rnr_retry_count;
    info.remote_srq = rep.srq;
    if (info.ack_timeout > 0) {
      info.ack_timeout = ack_timeout_code(rep.target_ack_delay, static_cast<std::uint8_t>(info.ack_timeout - 1));
    }
    table.add_remote_id(c);
    table.add_remote_qpn(c);
    info.state = *to;
    tell(EventKind::kRepReceived, c, rep);
  } else if (info.remote_comm_id == rep.local_comm_id && next_state(c.state(), Trigger::kRepAgain)) {
    answer_again(c);
  } else {
    ++counters.out_of_state;
  }
}

void Manager::Impl::handle(TimePoint, const Path& path, std::uint64_t, const Rtu& rtu) {
  const Found found = find(path, rtu.remote_comm_id, rtu.local_comm_id);
  if (found.connection == nullptr) return;
  Connection& c = *found.connection;
  const auto to = c.info.active ? std::nullopt : next_state(c.state(), Trigger::kRtuCame);
  if (!to) {
    ++counters.out_of_state;
  } else if (*to == c.state()) {
    ++counters.duplicates;
  } else {
    hush(c);
    c.info.state = *to;
    tell(EventKind::kRtuReceived, c, rtu);
  }
}

void Manager::Impl::handle(TimePoint now, const Path& path, std::uint64_t, const Mra& mra) {
  const bool of_req = mra.answered == Answered::kReq;
  const Found found =
      find(path, mra.remote_comm_id, of_req ? std::nullopt : std::optional<std::uint32_t>(mra.local_comm_id));
  if (found.connection == nullptr) return;
  Connection& c = *found.connection;
  const auto to = mra.answered == Answered::kOther
                      ? std::nullopt
                      : next_state(c.state(), of_req ? Trigger::kMraOfReq : Trigger::kMraOfRep);
  if (!to) {
    ++counters.out_of_state;
    return;
  }
  if (of_req) c.info.remote_comm_id = mra.local_comm_id;
  c.info.state = *to;
  table.arm(c, now + std::min(timeout_of(mra.service_timeout) + timeout_of(c.info.ack_timeout), kMraMax));
  if (events.size() < options.events_max) tell(EventKind::kMraReceived, c, mra);
}

}  // namespace rocelab::cm
