// CONNECT, ACCEPT, REJECT and DISCONNECT: commands that become messages. See agent.h.
#include "verbs/rdma_cm/agent.h"

namespace rocelab::verbs::rdma_cm {

namespace {

constexpr std::uint8_t kRetriesMax = 7;

/// What goes into the private data of a request: for IP addresses who speaks to whom, then what the program gave.
/// EINVAL: more than `room`.
Result<cm::PrivateData> private_data_of(const Id& id, const rdma_ucm_conn_param& parameters, std::size_t room) {
  cm::PrivateData data;
  const std::size_t head = id.destination.is_ip() ? cm::IpHeader::kSize : 0;
  if (head + parameters.private_data_len > room) return base::fail(EINVAL, "too much private data");
  if (head != 0) {
    cm::IpHeader header;
    header.ip_version = id.destination.kind == Address::Kind::kIpv4 ? 4 : 6;
    header.source_port = id.source.port;
    header.source = id.source.gid;
    header.destination = id.destination.gid;
    header.emit(data.bytes);
  }
  std::memcpy(data.bytes.data() + head, parameters.private_data, parameters.private_data_len);
  data.size = static_cast<std::uint8_t>(head + parameters.private_data_len);
  return data;
}

std::span<const std::byte> given(const rdma_ucm_conn_param& parameters) {
  return std::as_bytes(std::span(parameters.private_data)).first(parameters.private_data_len);
}

cm::Transport transport_of(const Id& id) {
  return id.qp_type == rxe::QpType::kUc ? cm::Transport::kUc : cm::Transport::kRc;
}

}  // namespace

Result<void> Agent::connect(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_connect>(command, offsetof(rdma_ucm_connect, ece));
  if (!wanted) return tl::make_unexpected(wanted.error());
  if (wanted->conn_param.valid == 0) return base::fail(EINVAL, "a connection without parameters");
  DevicePort* port = nullptr;
  rxe::AddressVector way;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto id = find(*file, wanted->id);
    if (!id) return tl::make_unexpected(id.error());
    if ((*id)->state != State::kRouteResolved) return base::fail(EINVAL, "the id's route is not resolved");
    port = (*id)->port;
    way = (*id)->way;
  }
  const auto path = port->service.path_of(way);
  if (!path) return tl::make_unexpected(path.error());
  return port->service.with_manager([&](cm::Manager& manager, base::TimePoint now) -> Result<void> {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = find(*file, wanted->id);
    if (!found) return tl::make_unexpected(found.error());
    Id& id = **found;
    if (id.state != State::kRouteResolved) return base::fail(EINVAL, "another thread connects the id");
    const rdma_ucm_conn_param& parameters = wanted->conn_param;
    const auto data =
        private_data_of(id, parameters, id.is_datagram ? cm::SidrReq::kPrivateBytes : cm::Req::kPrivateBytes);
    if (!data) return tl::make_unexpected(data.error());
    const auto connection = manager.create_id(&id);
    if (!connection) return tl::make_unexpected(connection.error());
    Result<void> sent;
    if (id.is_datagram) {
      cm::SidrReqParam request;
      request.service_id = service_of(id.destination, id.space);
      request.path = *path;
      request.private_data = data->view();
      sent = manager.send_sidr_req(now, *connection, request);
    } else {
      cm::ReqParam request;
      request.service_id = service_of(id.destination, id.space);
      request.path = *path;
      request.service_level = way.service_level;
      request.path_mtu = static_cast<std::uint8_t>(port->device.description().mtu);
      request.ack_timeout = id.ack_timeout.value_or(0);
      request.transport = transport_of(id);
      request.qpn = parameters.qp_num;
      request.qkey = id.destination.kind == Address::Kind::kIb ? parameters.qkey : 0;
      request.starting_psn = id.starting_psn;
      request.responder_resources = parameters.responder_resources;
      request.initiator_depth = parameters.initiator_depth;
      request.flow_control = parameters.flow_control != 0;
      request.retry_count = std::min(parameters.retry_count, kRetriesMax);
      request.rnr_retry_count = std::min(parameters.rnr_retry_count, kRetriesMax);
      request.srq = parameters.srq != 0;
      request.private_data = data->view();
      sent = manager.send_req(now, *connection, request);
    }
    if (!sent) {
      static_cast<void>(manager.destroy_id(now, *connection));
      return sent;
    }
    id.qpn = parameters.qp_num;
    id.cm = *connection;
    id.state = State::kConnect;
    return {};
  });
}

Result<void> Agent::accept(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_accept>(command, offsetof(rdma_ucm_accept, ece));
  if (!wanted) return tl::make_unexpected(wanted.error());
  return with_connection(*file, wanted->id, [&](Id& id, cm::Manager& manager, base::TimePoint now) -> Result<void> {
    if (id.state != State::kConnect) return base::fail(EINVAL, "there is nothing to accept");
    const rdma_ucm_conn_param& parameters = wanted->conn_param;
    if (id.is_datagram) {
      cm::SidrRepParam answer;
      answer.qpn = parameters.qp_num;
      answer.qkey = id.source.kind == Address::Kind::kIb && parameters.qkey != 0 ? parameters.qkey : id.qkey;
      answer.private_data = given(parameters);
      if (auto sent = manager.send_sidr_rep(now, *id.cm, answer); !sent) return sent;
    } else if (parameters.valid == 0) {
      return manager.send_rtu(now, *id.cm, {});  // the active side, which has got the answer
    } else {
      cm::RepParam answer;
      answer.qpn = parameters.qp_num;
      answer.starting_psn = id.starting_psn;
      answer.responder_resources = parameters.responder_resources;
      answer.initiator_depth = parameters.initiator_depth;
      answer.flow_control = parameters.flow_control != 0;
      answer.rnr_retry_count = std::min(parameters.rnr_retry_count, kRetriesMax);
      answer.srq = parameters.srq != 0;
      answer.private_data = given(parameters);
      if (auto sent = manager.send_rep(now, *id.cm, answer); !sent) return sent;
    }
    id.qpn = parameters.qp_num;
    if (parameters.valid != 0) id.uid = wanted->uid;
    return {};
  });
}

Result<void> Agent::reject(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_reject>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  cm::RejParam refusal;
  if (wanted->reason == static_cast<std::uint8_t>(cm::RejectReason::kVendorOptionNotSupported)) {
    refusal.reason = cm::RejectReason::kVendorOptionNotSupported;
  } else if (wanted->reason != 0 && wanted->reason != static_cast<std::uint8_t>(cm::RejectReason::kConsumerDefined)) {
    return base::fail(EINVAL, "no reason that a program may give");
  }
  refusal.private_data = std::as_bytes(std::span(wanted->private_data)).first(wanted->private_data_len);
  return with_connection(*file, wanted->id, [&](Id& id, cm::Manager& manager, base::TimePoint now) -> Result<void> {
    if (!id.is_datagram) return manager.send_rej(now, *id.cm, refusal);
    cm::SidrRepParam answer;
    answer.status = cm::SidrStatus::kRejected;
    answer.private_data = refusal.private_data;
    return manager.send_sidr_rep(now, *id.cm, answer);
  });
}

Result<void> Agent::disconnect(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_disconnect>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  return with_connection(*file, wanted->id, [&](Id& id, cm::Manager& manager, base::TimePoint now) -> Result<void> {
    // Answers the peer's DREQ when there was one; and when all is over already, that is what the program wanted.
    if (!manager.send_dreq(now, *id.cm, {})) static_cast<void>(manager.send_drep(now, *id.cm, {}));
    return {};
  });
}

}  // namespace rocelab::verbs::rdma_cm
