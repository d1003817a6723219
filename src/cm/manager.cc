// See manager.h: ids, what waits to be sent and told, time.
#include "cm/manager.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>
#include <vector>

#include "cm/manager_impl.h"

namespace rocelab::cm {

Manager::Impl::Impl(Manager& manager, const ManagerOptions& o, const Neighbours& n)
    : self(manager),
      options(o),
      neighbours(n),
      rng(o.seed, "cm"),
      table(o.slot, static_cast<std::uint32_t>(rng.below(1u << 24)), o.ids_max) {}

Manager::Manager(const ManagerOptions& options, const Neighbours& neighbours)
    : impl_(std::make_unique<Impl>(*this, options, neighbours)) {}
Manager::~Manager() = default;

wire::Path reversed(const wire::Path& path) {
  wire::Path back = path;
  std::swap(back.source_mac, back.destination_mac);
  std::swap(back.source_gid, back.destination_gid);
  return back;
}

Duration repeat_interval(std::uint8_t response_timeout, std::uint8_t ack_timeout) {
  // An ACK timeout is twice a packet's life time: there, the peer's time, and back.
  return std::min(timeout_of(response_timeout) + timeout_of(ack_timeout), kIntervalMax);
}

// --- helpers -------------------------------------------------------------------------------------------------------

Connection* Manager::Impl::own(Id id) const {
  Connection* const c = table.find(static_cast<std::uint32_t>(id));
  return c == nullptr || c->orphan ? nullptr : c;
}

Connection::Bytes Manager::Impl::encode(std::uint64_t transaction, const Message& message) const {
  Connection::Bytes bytes;
  emit_mad({transaction, message}, bytes);
  return bytes;
}

void Manager::Impl::transmit(const wire::Path& path, const Connection::Bytes& bytes) {
  if (sends.size() >= options.sends_max) {
    ++counters.dropped;
    return;
  }
  ++counters.sent;
  sends.push_back({path, bytes});
}

void Manager::Impl::transmit(const wire::Path& path, std::uint64_t transaction, const Message& message) {
  transmit(path, encode(transaction, message));
}

void Manager::Impl::say_until_answered(TimePoint now, Connection& c, std::uint64_t transaction,
                                       const Message& message) {
  c.repeated = encode(transaction, message);
  c.retries_left = c.retries_max;
  transmit(c.info.path, *c.repeated);
  table.arm(c, now + c.interval);
}

void Manager::Impl::hush(Connection& c) {
  c.repeated.reset();
  table.disarm(c);
}

void Manager::Impl::answer(Connection& c, std::uint64_t transaction, const Message& message) {
  c.answer = encode(transaction, message);
  transmit(c.info.path, *c.answer);
}

void Manager::Impl::answer_again(Connection& c) {
  ++counters.duplicates;
  if (c.answer) transmit(c.info.path, *c.answer);
}

Event Manager::Impl::event_of(EventKind kind, const Connection& c) const {
  Event event;
  event.kind = kind;
  event.id = c.id;
  event.user = c.info.user;
  return event;
}

void Manager::Impl::push(Event event) { events.push_back(std::move(event)); }

void Manager::Impl::tell(EventKind kind, const Connection& c) {
  if (!c.orphan) push(event_of(kind, c));
}

void Manager::Impl::tell(EventKind kind, const Connection& c, const Message& message) {
  if (c.orphan) return;
  Event event = event_of(kind, c);
  event.has_message = true;
  event.message = message;
  push(std::move(event));
}

void Manager::Impl::forget_peer(Connection& c) {
  table.remove_remote_id(c);
  table.remove_remote_qpn(c);
  table.remove_request(c);
}

bool Manager::Impl::enter(TimePoint now, Connection& c, State state) {
  c.info.state = state;
  switch (state) {
    case State::kTimewait:
      c.repeated.reset();
      // The peer may use its QP again when it has waited out its own; a late REQ of this connection is still known.
      table.remove_remote_qpn(c);
      table.arm(c, now + std::min(timeout_of(c.info.ack_timeout), kTimewaitMax));
      return false;
    case State::kIdle:
      hush(c);
      forget_peer(c);
      c.answer.reset();
      if (!c.orphan) return false;
      table.erase(c);
      return true;
    default:
      return false;
  }
}

// --- ids -----------------------------------------------------------------------------------------------------------

Result<Id> Manager::create_id(void* user) {
  Connection* const c = impl_->table.create(user);
  if (c == nullptr) return base::fail(ENOMEM, "there are as many communication ids as there may be");
  return c->id;
}

void Manager::set_user(Id id, void* user) {
  if (Connection* const c = impl_->own(id)) c->info.user = user;
}

Result<Info> Manager::info(Id id) const {
  const Connection* const c = impl_->own(id);
  if (c == nullptr) return base::fail(ENOENT, "there is no such communication id");
  return c->info;
}

Result<void> Manager::destroy_id(TimePoint now, Id id) {
  Impl& impl = *impl_;
  Connection* const c = impl.own(id);
  if (c == nullptr) return base::fail(ENOENT, "there is no such communication id");
  switch (c->state()) {
    case State::kReqSent:
    case State::kMraReqRcvd: {
      // The peer may have it in hand by now, and knows us by GUID and number.
      std::array<std::byte, 8> guid;
      for (std::size_t i = 0; i < guid.size(); ++i) {
        guid[i] = std::byte{static_cast<std::uint8_t>(impl.options.ca_guid >> (56 - 8 * i))};
      }
      static_cast<void>(send_rej(now, id, {RejectReason::kTimeout, guid, {}}));
      break;
    }
    case State::kReqRcvd:
    case State::kMraReqSent:
    case State::kRepSent:
    case State::kMraRepRcvd:
    case State::kRepRcvd:
    case State::kMraRepSent:
      static_cast<void>(send_rej(now, id, {}));
      break;
    case State::kEstablished:
      static_cast<void>(send_dreq(now, id, {}));
      break;
    case State::kDreqRcvd:
      static_cast<void>(send_drep(now, id, {}));
      break;
    case State::kSidrReqRcvd:
      static_cast<void>(send_sidr_rep(now, id, {SidrStatus::kRejected, 0, 0, {}, {}}));
      break;
    case State::kListen:
      impl.drop_unseen(now, id);
      break;
    case State::kIdle:
    case State::kDreqSent:
    case State::kTimewait:
    case State::kSidrReqSent:
      break;
  }
  std::erase_if(impl.events, [id](const Event& event) { return event.id == id; });
  c->orphan = true;
  if (c->state() != State::kDreqSent && c->state() != State::kTimewait) impl.table.erase(*c);
  return {};
}

void Manager::Impl::drop_unseen(TimePoint now, Id listener) {
  std::vector<Id> unseen;
  for (const Event& event : events) {
    if (event.listener == listener) unseen.push_back(event.id);
  }
  for (const Id id : unseen) static_cast<void>(self.destroy_id(now, id));
}

void Manager::destroy_all(TimePoint now) {
  std::vector<Id> all;
  impl_->table.for_each([&all](const Connection& c) {
    if (!c.orphan) all.push_back(c.id);
  });
  for (const Id id : all) static_cast<void>(destroy_id(now, id));  // a listener takes others with it
}

std::bitset<256> Manager::local_peers() const {
  std::bitset<256> slots;
  impl_->table.for_each([&](const Connection& c) {
    if (c.info.remote_comm_id == 0 || c.state() == State::kIdle || c.state() == State::kTimewait) return;
    if (impl_->neighbours.is_local(c.info.path.destination_gid)) slots.set(c.info.remote_comm_id >> 24);
  });
  return slots;
}

std::size_t Manager::id_count() const { return impl_->table.size(); }
std::size_t Manager::connection_count() const { return impl_->table.peer_count(); }
const ManagerCounters& Manager::counters() const { return impl_->counters; }

// --- what to do next -----------------------------------------------------------------------------------------------

const Manager::Send* Manager::next_send() const { return impl_->sends.empty() ? nullptr : &impl_->sends.front(); }
void Manager::pop_send() {
  if (!impl_->sends.empty()) impl_->sends.pop_front();
}

bool Manager::has_event() const { return !impl_->events.empty(); }
std::optional<Event> Manager::poll_event() {
  if (impl_->events.empty()) return std::nullopt;
  Event event = std::move(impl_->events.front());
  impl_->events.pop_front();
  return event;
}

std::optional<TimePoint> Manager::next_timeout() const { return impl_->table.next_deadline(); }

void Manager::handle_timeout(TimePoint now) {
  // An interval is never zero, so each id comes up at most once.
  while (Connection* const c = impl_->table.pop_due(now)) impl_->time_out(now, *c);
}

void Manager::Impl::time_out(TimePoint now, Connection& c) {
  if (c.state() == State::kTimewait) {
    tell(EventKind::kTimewaitExit, c);
    enter(now, c, State::kIdle);
    return;
  }
  if (c.repeated && c.retries_left > 0) {
    --c.retries_left;
    ++counters.repeated;
    transmit(c.info.path, *c.repeated);
    table.arm(c, now + c.interval);
    return;
  }
  const State before = c.state();
  const auto to = next_state(before, Trigger::kRetriesEnd);
  if (!to) return;
  ++counters.timeouts;
  if (before == State::kDreqSent) {
    tell(EventKind::kDreqError, c);
  } else if (before == State::kSidrReqSent) {
    tell(EventKind::kSidrReqError, c);
  } else {
    tell(c.info.active ? EventKind::kReqError : EventKind::kRepError, c);
  }
  enter(now, c, *to);
}

// --- what came -----------------------------------------------------------------------------------------------------

void Manager::handle_mad(TimePoint now, const wire::Path& path, std::span<const std::byte> bytes) {
  Impl& impl = *impl_;
  ++impl.counters.received;
  const ParsedMad parsed = parse_mad(bytes);
  if (!parsed.mad) {
    ++impl.counters.malformed;
    return;
  }
  const std::uint64_t transaction = parsed.mad->transaction_id;
  std::visit([&](const auto& message) { impl.handle(now, path, transaction, message); }, parsed.mad->message);
}

std::string_view to_string(EventKind kind) {
  static constexpr std::string_view kNames[] = {
      "REQ received",  "REQ error",     "REP received",      "REP error",      "RTU received",
      "established",   "MRA received",  "REJ received",      "DREQ received",  "DREQ error",
      "DREP received", "timewait exit", "SIDR_REQ received", "SIDR_REQ error", "SIDR_REP received",
  };
  const auto index = static_cast<std::size_t>(kind);
  return index < std::size(kNames) ? kNames[index] : "?";
}

}  // namespace rocelab::cm
