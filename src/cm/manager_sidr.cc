// Service id resolution (IBTA vol 1, 12.11): one question, one answer, no connection.
#include <algorithm>
#include <cerrno>

#include "cm/manager_impl.h"

namespace rocelab::cm {

namespace {

constexpr const char* kNoId = "there is no such communication id";
constexpr const char* kWrongState = "the communication id is in another state";
constexpr const char* kTooLong = "the private data is longer than its field";

}  // namespace

Result<void> Manager::send_sidr_req(TimePoint now, Id id, const SidrReqParam& param) {
  Connection* const c = impl_->own(id);
  if (c == nullptr) return base::fail(ENOENT, kNoId);
  const auto to = next_state(c->state(), Trigger::kSendSidrReq);
  if (!to) return base::fail(EINVAL, kWrongState);
  if (param.private_data.size() > SidrReq::kPrivateBytes) return base::fail(EINVAL, kTooLong);
  if (param.timeout <= Duration()) return base::fail(EINVAL, "the timeout is not positive");
  c->info.active = true;
  c->info.path = param.path;
  c->info.service_id = param.service_id;
  c->info.pkey = param.pkey;
  c->transaction = impl_->new_transaction(*c);
  c->interval = param.timeout;
  c->retries_max = std::min<std::uint8_t>(param.max_cm_retries, kCmRetriesMax);
  c->info.state = *to;
  impl_->say_until_answered(now, *c, c->transaction,
                            SidrReq{c->number(), param.pkey, param.service_id, PrivateData::of(param.private_data)});
  return {};
}

Result<void> Manager::send_sidr_rep(TimePoint now, Id id, const SidrRepParam& param) {
  Connection* const c = impl_->own(id);
  if (c == nullptr) return base::fail(ENOENT, kNoId);
  const auto to = next_state(c->state(), Trigger::kSendSidrRep);
  if (!to) return base::fail(EINVAL, kWrongState);
  if (param.private_data.size() > SidrRep::kPrivateBytes || param.info.size() > SidrRep::kInfoBytes) {
    return base::fail(EINVAL, kTooLong);
  }
  SidrRep rep;
  rep.request_id = *c->remote_request;
  rep.status = param.status;
  rep.info_size = static_cast<std::uint8_t>(param.info.size());
  rep.qpn = param.qpn;
  rep.service_id = c->info.service_id;
  rep.qkey = param.qkey;
  std::copy(param.info.begin(), param.info.end(), rep.info.begin());
  rep.private_data = PrivateData::of(param.private_data);
  const Connection::Bytes bytes = impl_->encode(c->transaction, rep);
  impl_->transmit(c->info.path, bytes);
  auto& resolved = impl_->resolved;
  while (!resolved.empty() &&
         (resolved.size() >= Impl::kResolvedMax || now - resolved.front().when > Impl::kResolvedFor)) {
    resolved.pop_front();
  }
  resolved.push_back({c->info.path.destination_gid, *c->remote_request, now, {c->info.path, bytes}});
  impl_->enter(now, *c, *to);
  return {};
}

void Manager::Impl::handle(TimePoint now, const Path& path, std::uint64_t tid, const SidrReq& req) {
  if (table.by_request(path.source_gid, req.request_id) != nullptr) {  // the consumer thinks about it
    ++counters.duplicates;
    return;
  }
  for (const Resolved& known : resolved) {
    if (known.request != req.request_id || known.gid != path.source_gid || now - known.when > kResolvedFor) continue;
    ++counters.duplicates;
    transmit(known.answer.path, known.answer.bytes);
    return;
  }
  bool refused = false;
  Connection* const listener = find_listener(req.service_id, req.private_data.view(), refused);
  if (listener == nullptr) {
    if (!refused) return;
    SidrRep rep;
    rep.request_id = req.request_id;
    rep.status = SidrStatus::kUnsupported;
    rep.service_id = req.service_id;
    transmit(reversed(path), tid, rep);
    return;
  }
  if (events.size() >= options.events_max) {
    ++counters.dropped;
    return;
  }
  const Id listener_id = listener->id;
  Connection* const c = table.create(listener->info.user);
  if (c == nullptr) {
    ++counters.dropped;
    return;
  }
  c->info.path = reversed(path);
  c->info.path.udp_source_port = 0;
  c->info.path.ipv4_identification = 0;
  c->info.service_level = path.priority;
  c->info.service_id = req.service_id;
  c->info.pkey = req.pkey;
  c->transaction = tid;
  c->remote_request = req.request_id;
  c->info.state = State::kSidrReqRcvd;
  table.add_request(*c);

  Event event = event_of(EventKind::kSidrReqReceived, *c);
  event.listener = listener_id;
  event.path = c->info.path;
  event.has_message = true;
  event.message = req;
  push(std::move(event));
}

void Manager::Impl::handle(TimePoint now, const Path& path, std::uint64_t, const SidrRep& rep) {
  const Found found = find(path, rep.request_id, std::nullopt);
  if (found.connection == nullptr) return;
  Connection& c = *found.connection;
  const auto to = next_state(c.state(), Trigger::kSidrRepCame);
  if (!to) {
    ++counters.out_of_state;
    return;
  }
  c.info.remote_qpn = rep.qpn;
  c.info.remote_qkey = rep.qkey;
  tell(EventKind::kSidrRepReceived, c, rep);
  enter(now, c, *to);
}

}  // namespace rocelab::cm
