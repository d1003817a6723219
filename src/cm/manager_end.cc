// Messages that end or refuse a connection: REJ, DREQ and DREP (IBTA vol 1, 12.6.7, 12.6.10, 12.9.8.3), LAP and APR,
// which are refused (12.8), and what a dead process can no longer say.
#include <vector>

#include "cm/manager_impl.h"
#include "wire/bytes.h"

namespace rocelab::cm {

// --- REJ -----------------------------------------------------------------------------------------------------------

void Manager::Impl::handle(TimePoint now, const Path& path, std::uint64_t, const Rej& rej) {
  Connection* found = nullptr;
  if (rej.reason == RejectReason::kTimeout && rej.info_size >= sizeof(std::uint64_t)) {
    // The peer has given up and may never have learned our number: its GUID and its own number say who it is.
    found = table.by_remote_id(wire::load_be<std::uint64_t>(rej.info.data()), rej.local_comm_id);
    if (found != nullptr && found->info.path.destination_gid != path.source_gid) found = nullptr;
  }
  if (found == nullptr && rej.remote_comm_id == 0) {
    ++counters.not_ours;
    return;
  }
  if (found == nullptr) {
    const auto their_id =
        rej.answered == Answered::kReq ? std::nullopt : std::optional<std::uint32_t>(rej.local_comm_id);
    found = find(path, rej.remote_comm_id, their_id).connection;
    if (found == nullptr) return;
  }
  Connection& c = *found;
  const bool stale = rej.reason == RejectReason::kStaleConnection;
  const auto to = next_state(c.state(), stale ? Trigger::kStaleRejCame : Trigger::kRejCame);
  // Who has not told its number yet can refuse a REQ that is still open, and nothing else.
  const bool unproven = rej.answered == Answered::kReq && c.info.remote_comm_id != rej.local_comm_id;
  const bool open = c.state() == State::kReqSent || c.state() == State::kMraReqRcvd;
  if (!to || (unproven && !open)) {
    ++counters.out_of_state;
    return;
  }
  hush(c);
  tell(EventKind::kRejReceived, c, rej);
  enter(now, c, *to);
}

// --- DREQ, DREP ----------------------------------------------------------------------------------------------------

void Manager::Impl::disconnect(TimePoint now, Connection& c, const PrivateData& private_data) {
  c.info.state = State::kDreqSent;
  c.dreq_transaction = new_transaction(c);
  say_until_answered(now, c, c.dreq_transaction,
                     Dreq{c.number(), c.info.remote_comm_id, c.info.remote_qpn, private_data});
}

void Manager::Impl::handle(TimePoint now, const Path& path, std::uint64_t tid, const Dreq& dreq) {
  const Found found = find(path, dreq.remote_comm_id, dreq.local_comm_id);
  const bool right = found.connection != nullptr && (found.connection->info.local_qpn == dreq.remote_qpn ||
                                                     found.connection->info.transport == Transport::kXrc);
  if (!right) {
    // It is no connection of ours: that is what a DREP says (IBTA vol 1, 12.9.8.3.1).
    if (found.connection != nullptr) ++counters.unknown;
    if (found.connection != nullptr || found.answerable) {
      transmit(reversed(path), tid, Drep{dreq.remote_comm_id, dreq.local_comm_id, {}});
    }
    return;
  }
  Connection& c = *found.connection;
  const State before = c.state();
  const auto to = next_state(before, Trigger::kDreqCame);
  if (!to) {
    ++counters.out_of_state;
    return;
  }
  c.dreq_transaction = tid;
  if (before == State::kTimewait) {
    ++counters.duplicates;
    transmit(c.info.path, tid, Drep{c.number(), c.info.remote_comm_id, {}});
  } else if (before == State::kDreqRcvd) {
    ++counters.duplicates;
  } else if (before == State::kDreqSent) {
    hush(c);
    answer(c, tid, Drep{c.number(), c.info.remote_comm_id, {}});
    tell(EventKind::kDreqReceived, c, dreq);
    enter(now, c, *to);
  } else {
    hush(c);
    c.info.state = *to;
    tell(EventKind::kDreqReceived, c, dreq);
  }
}

void Manager::Impl::handle(TimePoint now, const Path& path, std::uint64_t, const Drep& drep) {
  const Found found = find(path, drep.remote_comm_id, drep.local_comm_id);
  if (found.connection == nullptr) return;
  Connection& c = *found.connection;
  const auto to = next_state(c.state(), Trigger::kDrepCame);
  if (!to) {
    ++counters.out_of_state;
    return;
  }
  hush(c);
  tell(EventKind::kDrepReceived, c, drep);
  enter(now, c, *to);
}

// --- alternate paths -----------------------------------------------------------------------------------------------

void Manager::Impl::handle(TimePoint, const Path& path, std::uint64_t tid, const Lap& lap) {
  const Found found = find(path, lap.remote_comm_id, lap.local_comm_id);
  Apr apr;
  apr.local_comm_id = lap.remote_comm_id;
  apr.remote_comm_id = lap.local_comm_id;
  if (found.connection != nullptr) {
    if (!next_state(found.connection->state(), Trigger::kLapCame)) {
      ++counters.out_of_state;
      return;
    }
    apr.status = AprStatus::kNotSupported;
  } else if (found.answerable) {
    apr.status = AprStatus::kInvalidCommId;
  } else {
    return;
  }
  transmit(reversed(path), tid, apr);
}

void Manager::Impl::handle(TimePoint, const Path&, std::uint64_t, const Apr&) {
  ++counters.out_of_state;  // we never ask
}

// --- deaths --------------------------------------------------------------------------------------------------------

void Manager::handle_peer_death(TimePoint now, std::uint8_t slot) {
  Impl& impl = *impl_;
  std::vector<std::uint32_t> bereaved;
  impl.table.for_each([&](const Connection& c) {
    if (c.info.remote_comm_id >> 24 != slot || !impl.neighbours.is_local(c.info.path.destination_gid)) return;
    if (next_state(c.state(), Trigger::kPeerDied)) bereaved.push_back(c.number());
  });
  for (const std::uint32_t number : bereaved) {
    Connection& c = *impl.table.find(number);
    const State before = c.state();
    const State to = *next_state(before, Trigger::kPeerDied);
    impl.hush(c);
    if (before == State::kEstablished) {
      impl.tell(EventKind::kDreqReceived, c);
    } else if (before == State::kDreqSent) {
      impl.tell(EventKind::kDreqError, c);
    } else if (before == State::kRepSent || before == State::kMraRepRcvd) {
      impl.tell(EventKind::kRepError, c);
    } else {
      impl.tell(before == State::kMraReqRcvd ? EventKind::kReqError : EventKind::kRejReceived, c);
    }
    impl.enter(now, c, to);
  }
}

}  // namespace rocelab::cm
