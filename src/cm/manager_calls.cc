// What the consumer wants: each call checks the state and the lengths, builds its message and enters the next state.
#include <algorithm>
#include <cerrno>

#include "cm/manager.h"
#include "cm/manager_impl.h"

namespace rocelab::cm {

namespace {

constexpr const char* kNoId = "there is no such communication id";
constexpr const char* kWrongState = "the communication id is in another state";
constexpr const char* kTooLong = "the private data is longer than its field";
constexpr std::uint16_t kPermissiveLid = 0xffff;  ///< IBTA vol 1, 4.1.3: of any port

/// The id and the state that the trigger leads to.
struct Step {
  Connection* connection;
  State to;
};

base::Result<Step> step(Connection* c, Trigger trigger) {
  if (c == nullptr) return base::fail(ENOENT, kNoId);
  const auto to = next_state(c->state(), trigger);
  if (!to) return base::fail(EINVAL, kWrongState);
  return Step{c, *to};
}

/// Routed paths have no LIDs to name (IBTA vol 1, 12.7.10 and annex A16).
RequestPath request_path(const ReqParam& param, std::uint8_t ack_timeout) {
  RequestPath path;
  path.subnet_local = param.path.hop_limit <= 1;
  path.local_lid = path.remote_lid = path.subnet_local ? 0 : kPermissiveLid;
  path.local_gid = param.path.source_gid;
  path.remote_gid = param.path.destination_gid;
  path.flow_label = param.path.flow_label;
  path.packet_rate = param.packet_rate;
  path.traffic_class = param.path.traffic_class;
  path.hop_limit = param.path.hop_limit;
  path.service_level = param.service_level;
  path.ack_timeout = ack_timeout;
  return path;
}

/// Which message a refusal is about, and whether the sender's number has been told (IBTA vol 1, 12.6.7).
void address_rej(const Connection& c, Rej& rej) {
  rej.local_comm_id = c.number();
  rej.remote_comm_id = c.info.remote_comm_id;
  switch (c.state()) {
    case State::kReqRcvd:
      rej.local_comm_id = 0;
      rej.answered = Answered::kReq;
      break;
    case State::kMraReqSent:
      rej.answered = Answered::kReq;
      break;
    case State::kRepRcvd:
    case State::kMraRepSent:
      rej.answered = Answered::kRep;
      break;
    default:
      rej.answered = Answered::kOther;
  }
}

}  // namespace

Result<void> Manager::listen(Id id, const Service& service) {
  const auto next = step(impl_->own(id), Trigger::kListen);
  if (!next) return tl::make_unexpected(next.error());
  if (impl_->table.is_listened(service)) return base::fail(EADDRINUSE, "another id listens to this service");
  Connection& c = *next->connection;
  c.service = service;
  c.info.service_id = service.id;
  impl_->table.add_listener(c);
  c.info.state = next->to;
  return {};
}

Result<void> Manager::send_req(TimePoint now, Id id, const ReqParam& param) {
  const auto next = step(impl_->own(id), Trigger::kSendReq);
  if (!next) return tl::make_unexpected(next.error());
  if (param.private_data.size() > Req::kPrivateBytes) return base::fail(EINVAL, kTooLong);
  if (param.path_mtu < 1 || param.path_mtu > 5) return base::fail(EINVAL, "the path MTU's code is not one of 1 to 5");
  if (param.transport == Transport::kRd) return base::fail(EINVAL, "reliable datagrams are not supported");
  Connection& c = *next->connection;
  Info& info = c.info;
  const std::uint8_t ack_timeout =
      param.ack_timeout != 0 ? param.ack_timeout : ack_timeout_code(kAckDelay, param.packet_life_time);
  info.active = true;
  info.service_id = param.service_id;
  info.path = param.path;
  info.service_level = param.service_level;
  info.transport = param.transport;
  info.pkey = param.pkey;
  info.local_qpn = param.qpn;
  info.receive_psn = param.starting_psn;
  info.responder_resources = param.responder_resources;
  info.initiator_depth = param.initiator_depth;
  info.path_mtu = param.path_mtu;
  info.ack_timeout = ack_timeout;
  info.retry_count = param.retry_count;
  info.remote_comm_id = 0;
  c.transaction = impl_->new_transaction(c);
  c.interval = repeat_interval(param.remote_response_timeout, ack_timeout);
  c.retries_max = std::min<std::uint8_t>(param.max_cm_retries, kCmRetriesMax);

  Req req;
  req.local_comm_id = c.number();
  req.service_id = param.service_id;
  req.local_ca_guid = impl_->options.ca_guid;
  req.local_qkey = param.qkey;
  req.local_qpn = param.qpn;
  req.responder_resources = param.responder_resources;
  req.initiator_depth = param.initiator_depth;
  req.remote_response_timeout = param.remote_response_timeout;
  req.transport = param.transport;
  req.extended_transport = param.transport == Transport::kXrc ? 1 : 0;
  req.flow_control = param.flow_control;
  req.starting_psn = param.starting_psn;
  req.local_response_timeout = param.local_response_timeout;
  req.retry_count = param.retry_count;
  req.pkey = param.pkey;
  req.path_mtu = param.path_mtu;
  req.rnr_retry_count = param.rnr_retry_count;
  req.max_cm_retries = param.max_cm_retries;
  req.srq = param.srq;
  req.primary = request_path(param, ack_timeout);
  req.private_data = PrivateData::of(param.private_data);
  info.state = next->to;
  impl_->say_until_answered(now, c, c.transaction, req);
  return {};
}

Result<void> Manager::send_rep(TimePoint now, Id id, const RepParam& param) {
  const auto next = step(impl_->own(id), Trigger::kSendRep);
  if (!next) return tl::make_unexpected(next.error());
  if (param.private_data.size() > Rep::kPrivateBytes) return base::fail(EINVAL, kTooLong);
  Connection& c = *next->connection;
  Info& info = c.info;
  info.local_qpn = param.qpn;
  info.receive_psn = param.starting_psn;
  info.responder_resources = param.responder_resources;
  info.initiator_depth = param.initiator_depth;

  Rep rep;
  rep.local_comm_id = c.number();
  rep.remote_comm_id = info.remote_comm_id;
  rep.local_qkey = param.qkey;
  rep.local_qpn = param.qpn;
  rep.starting_psn = param.starting_psn;
  rep.responder_resources = param.responder_resources;
  rep.initiator_depth = param.initiator_depth;
  rep.target_ack_delay = param.target_ack_delay;
  rep.flow_control = param.flow_control;
  rep.rnr_retry_count = param.rnr_retry_count;
  rep.srq = param.srq;
  rep.local_ca_guid = impl_->options.ca_guid;
  rep.private_data = PrivateData::of(param.private_data);
  if (info.transport == Transport::kXrc) {  // annex A14: the target's number is in the field of the EECN
    rep.local_eecn = param.qpn;
  }
  info.state = next->to;
  impl_->say_until_answered(now, c, c.transaction, rep);
  return {};
}

Result<void> Manager::send_rtu(TimePoint, Id id, std::span<const std::byte> private_data) {
  const auto next = step(impl_->own(id), Trigger::kSendRtu);
  if (!next) return tl::make_unexpected(next.error());
  if (private_data.size() > Rtu::kPrivateBytes) return base::fail(EINVAL, kTooLong);
  Connection& c = *next->connection;
  c.info.state = next->to;
  impl_->answer(c, c.transaction, Rtu{c.number(), c.info.remote_comm_id, PrivateData::of(private_data)});
  return {};
}

Result<void> Manager::send_rej(TimePoint now, Id id, const RejParam& param) {
  const auto next = step(impl_->own(id), Trigger::kSendRej);
  if (!next) return tl::make_unexpected(next.error());
  if (param.private_data.size() > Rej::kPrivateBytes || param.info.size() > Rej::kInfoBytes) {
    return base::fail(EINVAL, kTooLong);
  }
  Connection& c = *next->connection;
  Rej rej;
  address_rej(c, rej);
  rej.reason = param.reason;
  rej.info_size = static_cast<std::uint8_t>(param.info.size());
  std::copy(param.info.begin(), param.info.end(), rej.info.begin());
  rej.private_data = PrivateData::of(param.private_data);
  impl_->transmit(c.info.path, c.transaction, rej);
  impl_->enter(now, c, next->to);
  return {};
}

Result<void> Manager::send_mra(TimePoint, Id id, std::uint8_t service_timeout, MraWhen when,
                               std::span<const std::byte> private_data) {
  const auto next = step(impl_->own(id), Trigger::kSendMra);
  if (!next) return tl::make_unexpected(next.error());
  if (private_data.size() > Mra::kPrivateBytes) return base::fail(EINVAL, kTooLong);
  Connection& c = *next->connection;
  Mra mra{c.number(), c.info.remote_comm_id, c.info.active ? Answered::kRep : Answered::kReq, service_timeout,
          PrivateData::of(private_data)};
  c.info.state = next->to;
  if (when == MraWhen::kNow) {
    impl_->answer(c, c.transaction, mra);
  } else {
    c.answer = impl_->encode(c.transaction, mra);
  }
  return {};
}

Result<void> Manager::send_dreq(TimePoint now, Id id, std::span<const std::byte> private_data) {
  const auto next = step(impl_->own(id), Trigger::kSendDreq);
  if (!next) return tl::make_unexpected(next.error());
  if (private_data.size() > Dreq::kPrivateBytes) return base::fail(EINVAL, kTooLong);
  impl_->disconnect(now, *next->connection, PrivateData::of(private_data));
  return {};
}

Result<void> Manager::send_drep(TimePoint now, Id id, std::span<const std::byte> private_data) {
  const auto next = step(impl_->own(id), Trigger::kSendDrep);
  if (!next) return tl::make_unexpected(next.error());
  if (private_data.size() > Drep::kPrivateBytes) return base::fail(EINVAL, kTooLong);
  Connection& c = *next->connection;
  impl_->answer(c, c.dreq_transaction, Drep{c.number(), c.info.remote_comm_id, PrivateData::of(private_data)});
  impl_->enter(now, c, next->to);
  return {};
}

Result<void> Manager::notify_established(TimePoint, Id id) {
  const auto next = step(impl_->own(id), Trigger::kNotifyEstablished);
  if (!next) return tl::make_unexpected(next.error());
  Connection& c = *next->connection;
  if (c.state() == next->to) return {};
  impl_->hush(c);
  c.info.state = next->to;
  impl_->tell(EventKind::kUserEstablished, c);
  return {};
}

}  // namespace rocelab::cm
