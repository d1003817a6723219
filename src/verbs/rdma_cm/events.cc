// Events of connection management become those of rdma_cm. Everything here runs under the engine lock, from whichever
// thread drives it. See agent.h.
#include "verbs/rdma_cm/agent.h"

namespace rocelab::verbs::rdma_cm {

namespace {

void put_private_data(std::uint8_t (&to)[RDMA_MAX_PRIVATE_DATA], std::uint8_t& length,
                      std::span<const std::byte> from) {
  std::memcpy(to, from.data(), from.size());
  length = static_cast<std::uint8_t>(from.size());
}

/// A request's private data as the program wants it: without the addresses.
std::span<const std::byte> of_program(std::uint64_t service, std::span<const std::byte> data) {
  if (!cm::has_ip_header(service) || !cm::IpHeader::parse(data)) return data;
  return data.subspan(cm::IpHeader::kSize);
}

/// Who asks for what, as addresses: from the request's header or, without one, by GIDs.
void set_addresses(Id& id, const Id& listener, std::uint64_t service, std::span<const std::byte> data,
                   const wire::Path& path) {
  const auto header = cm::has_ip_header(service) ? cm::IpHeader::parse(data) : std::nullopt;
  if (header && listener.source.is_ip()) {
    const auto kind = header->ip_version == 4 ? Address::Kind::kIpv4 : Address::Kind::kIpv6;
    id.source = with_gid(kind, header->destination, listener.source.port);
    id.destination = with_gid(kind, header->source, header->source_port);
    return;
  }
  id.source = with_gid(Address::Kind::kIb, path.source_gid, 0);
  id.source.service_id = service;
  id.source.service_mask = cm::kExactService;
  id.destination = with_gid(Address::Kind::kIb, path.destination_gid, 0);
}

rxe::AddressVector vector_of(const rxe::DeviceDescription& device, const wire::Path& path) {
  rxe::AddressVector vector;
  const bool v1 = path.encapsulation == wire::Encapsulation::kRoceV1;
  for (std::size_t i = 0; i < device.gids.size(); ++i) {
    const rxe::GidEntry& entry = device.gids[i];
    if (!entry.valid || entry.gid != path.source_gid || (entry.type == rxe::GidType::kRoceV1) != v1) continue;
    if (entry.has_vlan != path.has_vlan || (entry.has_vlan && entry.vlan_id != path.vlan_id)) continue;
    vector.sgid_index = static_cast<std::uint8_t>(i);
  }
  vector.dgid = path.destination_gid;
  vector.hop_limit = path.hop_limit;
  vector.traffic_class = path.traffic_class;
  vector.flow_label = path.flow_label;
  vector.destination_mac = path.destination_mac;
  return vector;
}

}  // namespace

void DevicePort::on_connection_event(cm::Manager& manager, base::TimePoint now, const cm::Event& event) noexcept {
  const std::lock_guard<std::mutex> lock(agent_.mutex_);
  agent_.handle_event(*this, manager, now, event);
}

void Agent::handle_request(DevicePort& port, cm::Manager& manager, base::TimePoint now, const cm::Event& event,
                           Id& listener) {
  if (listener.closing || listener.state != State::kListen || listener.backlog == 0) {
    static_cast<void>(manager.destroy_id(now, event.id));  // which refuses the request
    return;
  }
  --listener.backlog;
  auto id = std::make_unique<Id>();
  id->file = listener.file;
  id->space = listener.space;
  id->is_datagram = listener.is_datagram;
  id->qp_type = listener.qp_type;
  id->state = State::kConnect;
  id->type_of_service = listener.type_of_service;
  id->ack_timeout = listener.ack_timeout;
  id->starting_psn = static_cast<std::uint32_t>(random_.next()) & 0xff'ffffu;
  id->port = &port;
  id->cm = event.id;
  id->way = vector_of(port.device.description(), event.path);
  id->sgid_index = id->way.sgid_index;
  manager.set_user(event.id, id.get());

  QueuedEvent queued;
  queued.id = &listener;
  queued.reply.uid = listener.uid;
  queued.reply.event = static_cast<std::uint32_t>(CmEvent::kConnectRequest);
  if (const auto* request = std::get_if<cm::Req>(&event.message)) {
    const std::span<const std::byte> data = request->private_data.view();
    set_addresses(*id, listener, request->service_id, data, event.path);
    rdma_ucm_conn_param& to = queued.reply.param.conn;
    put_private_data(to.private_data, to.private_data_len, of_program(request->service_id, data));
    // Seen from the other side.
    to.responder_resources = request->initiator_depth;
    to.initiator_depth = request->responder_resources;
    to.flow_control = request->flow_control;
    to.retry_count = request->retry_count;
    to.rnr_retry_count = request->rnr_retry_count;
    to.srq = request->srq;
    to.qp_num = request->local_qpn;
    static_cast<void>(manager.send_mra(now, event.id, cm::kMraTimeout, cm::MraWhen::kOnRepetition, {}));
  } else if (const auto* inquiry = std::get_if<cm::SidrReq>(&event.message)) {
    const std::span<const std::byte> data = inquiry->private_data.view();
    set_addresses(*id, listener, inquiry->service_id, data, event.path);
    rdma_ucm_ud_param& to = queued.reply.param.ud;
    put_private_data(to.private_data, to.private_data_len, of_program(inquiry->service_id, data));
    fill_address_handle(to.ah_attr, id->way);
  }
  queued.incoming = std::move(id);
  enqueue(*listener.file, std::move(queued));
}

void Agent::handle_event(DevicePort& port, cm::Manager& manager, base::TimePoint now, const cm::Event& event) {
  if (event.user == nullptr) return;
  Id& id = *static_cast<Id*>(event.user);
  if (event.kind == cm::EventKind::kReqReceived || event.kind == cm::EventKind::kSidrReqReceived) {
    handle_request(port, manager, now, event, id);
    return;
  }
  QueuedEvent queued;
  queued.id = &id;
  queued.reply.uid = id.uid;
  queued.reply.id = id.number;
  rdma_ucm_conn_param& connection = queued.reply.param.conn;
  CmEvent kind;
  std::int32_t status = 0;
  switch (event.kind) {
    case cm::EventKind::kReqError:
    case cm::EventKind::kRepError:
    case cm::EventKind::kSidrReqError:
      kind = CmEvent::kUnreachable;
      status = -ETIMEDOUT;
      break;
    case cm::EventKind::kRepReceived:
      kind = CmEvent::kConnectResponse;
      if (const auto* answer = std::get_if<cm::Rep>(&event.message)) {
        put_private_data(connection.private_data, connection.private_data_len, answer->private_data.view());
        connection.responder_resources = answer->initiator_depth;
        connection.initiator_depth = answer->responder_resources;
        connection.flow_control = answer->flow_control;
        connection.rnr_retry_count = answer->rnr_retry_count;
        connection.srq = answer->srq;
        connection.qp_num = answer->local_qpn;
      }
      static_cast<void>(manager.send_mra(now, event.id, cm::kMraTimeout, cm::MraWhen::kOnRepetition, {}));
      break;
    case cm::EventKind::kRtuReceived:
    case cm::EventKind::kUserEstablished:
      kind = CmEvent::kEstablished;
      break;
    case cm::EventKind::kRejReceived:
      kind = CmEvent::kRejected;
      if (const auto* refusal = std::get_if<cm::Rej>(&event.message)) {
        status = static_cast<std::int32_t>(refusal->reason);
        put_private_data(connection.private_data, connection.private_data_len, refusal->private_data.view());
      } else {
        status = static_cast<std::int32_t>(cm::RejectReason::kNoResources);  // the peer process has died
      }
      break;
    case cm::EventKind::kDreqError:
      status = -ETIMEDOUT;
      [[fallthrough]];
    case cm::EventKind::kDreqReceived:
    case cm::EventKind::kDrepReceived:
      if (id.state != State::kConnect) return;
      id.state = State::kDisconnect;
      kind = CmEvent::kDisconnected;
      break;
    case cm::EventKind::kTimewaitExit:
      kind = CmEvent::kTimewaitExit;
      break;
    case cm::EventKind::kSidrRepReceived: {
      const auto* answer = std::get_if<cm::SidrRep>(&event.message);
      if (answer == nullptr) return;
      kind = answer->status == cm::SidrStatus::kSuccess ? CmEvent::kEstablished : CmEvent::kUnreachable;
      status = static_cast<std::int32_t>(answer->status);
      rdma_ucm_ud_param& datagram = queued.reply.param.ud;
      put_private_data(datagram.private_data, datagram.private_data_len, answer->private_data.view());
      fill_address_handle(datagram.ah_attr, id.way);
      datagram.qp_num = answer->qpn;
      datagram.qkey = answer->qkey;
      break;
    }
    default:
      return;  // the peer asks for more time, which it has got
  }
  // A request that the program has not accepted has no events: accepting it will fail.
  if (id.closing || id.uid == 0) return;
  queued.reply.event = static_cast<std::uint32_t>(kind);
  queued.reply.status = static_cast<std::uint32_t>(status);
  enqueue(*id.file, std::move(queued));
}

}  // namespace rocelab::verbs::rdma_cm
