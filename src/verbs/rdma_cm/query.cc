// What an id knows: QUERY, QUERY_ROUTE and INIT_QP_ATTR. See agent.h.
#include <endian.h>
#include <infiniband/sa.h>

#include <array>

#include "verbs/rdma_cm/agent.h"

namespace rocelab::verbs::rdma_cm {

namespace {

constexpr std::uint8_t kPortNumber = 1;
constexpr std::uint16_t kPkey = 0xffff;
constexpr std::uint8_t kExactly = 2;     ///< selector of an SA record's MTU, rate and life time
constexpr std::uint8_t kRate100Gb = 16;  // of an SA record
constexpr std::uint32_t kFlowLabelMask = 0xf'ffff;

bool has_path(const Id& id) { return id.state == State::kRouteResolved || id.cm.has_value(); }

wire::Gid source_gid(const Id& id) {
  if (id.port == nullptr) return {};
  return id.port->device.description().gids[id.sgid_index].gid;
}

wire::Gid destination_gid(const Id& id) {
  return id.port != nullptr && !id.way.dgid.is_zero() ? id.way.dgid : id.destination.gid;
}

std::uint64_t node_guid(const rxe::DeviceDescription& device) {
  std::uint64_t guid;
  std::memcpy(&guid, device.node_guid.data(), sizeof(guid));
  return guid;
}

rdma_ucm_query_addr_resp about_device(const Id& id) {
  rdma_ucm_query_addr_resp reply{};
  if (id.port == nullptr) return reply;
  const rxe::DeviceDescription& device = id.port->device.description();
  reply.node_guid = node_guid(device);
  reply.port_num = kPortNumber;
  reply.pkey = kPkey;
  reply.ibdev_index = device.index;
  return reply;
}

rdma_ucm_query_addr_resp addresses(const Id& id) {
  rdma_ucm_query_addr_resp reply = about_device(id);
  reply.src_size = static_cast<std::uint16_t>(write_address(id.source, &reply.src_addr));
  reply.dst_size = static_cast<std::uint16_t>(write_address(id.destination, &reply.dst_addr));
  return reply;
}

/// As sockaddr_ib, whatever the family of the id.
rdma_ucm_query_addr_resp gids(const Id& id) {
  rdma_ucm_query_addr_resp reply = about_device(id);
  const auto as_ib = [&](const Address& address, const wire::Gid& gid) {
    if (address.kind == Address::Kind::kIb) return address;
    Address ib;
    ib.kind = Address::Kind::kIb;
    ib.gid = gid;
    ib.pkey = reply.pkey;
    ib.service_id = address.kind == Address::Kind::kNone ? 0 : service_of(address, id.space);
    return ib;
  };
  reply.src_size = static_cast<std::uint16_t>(write_address(as_ib(id.source, source_gid(id)), &reply.src_addr));
  reply.dst_size =
      static_cast<std::uint16_t>(write_address(as_ib(id.destination, destination_gid(id)), &reply.dst_addr));
  return reply;
}

ibv_path_record packed_path(const Id& id) {
  const rxe::DeviceDescription& device = id.port->device.description();
  ibv_path_record record{};
  record.service_id = htobe64(service_of(id.destination, id.space));
  std::memcpy(record.dgid.raw, id.way.dgid.bytes.data(), sizeof(record.dgid.raw));
  const wire::Gid source = source_gid(id);
  std::memcpy(record.sgid.raw, source.bytes.data(), sizeof(record.sgid.raw));
  record.flowlabel_hoplimit = htobe32((id.way.flow_label & kFlowLabelMask) << 8 | id.way.hop_limit);
  record.tclass = id.way.traffic_class;
  record.reversible_numpath = 0x80 | 1;
  record.pkey = htobe16(kPkey);
  record.qosclass_sl = htobe16(id.way.service_level);
  record.mtu = static_cast<std::uint8_t>(kExactly << 6 | static_cast<unsigned>(device.mtu));
  record.rate = kExactly << 6 | kRate100Gb;
  record.packetlifetime = kExactly << 6 | cm::kPacketLifeTime;
  return record;
}

ib_user_path_rec user_path(const Id& id) {
  ib_user_path_rec record{};
  const wire::Gid source = source_gid(id), destination = destination_gid(id);
  std::memcpy(record.sgid, source.bytes.data(), sizeof(record.sgid));
  std::memcpy(record.dgid, destination.bytes.data(), sizeof(record.dgid));
  record.pkey = htobe16(kPkey);
  if (!has_path(id)) return record;
  record.flow_label = htobe32(id.way.flow_label & kFlowLabelMask);
  record.reversible = 1;
  record.mtu = static_cast<std::uint32_t>(id.port->device.description().mtu);
  record.hop_limit = id.way.hop_limit;
  record.traffic_class = id.way.traffic_class;
  record.numb_path = 1;
  record.sl = id.way.service_level;
  record.mtu_selector = record.rate_selector = record.packet_life_time_selector = kExactly;
  record.rate = kRate100Gb;
  record.packet_life_time = cm::kPacketLifeTime;
  return record;
}

void copy_attributes(ib_uverbs_qp_attr& to, const rxe::QpAttr& from) {
  to.path_mtu = static_cast<std::uint32_t>(from.path_mtu);
  to.qkey = from.qkey;
  to.rq_psn = from.rq_psn;
  to.sq_psn = from.sq_psn;
  to.dest_qp_num = from.dest_qpn;
  to.qp_access_flags = from.access_flags;
  fill_address_handle(to.ah_attr, from.av);
  to.pkey_index = from.pkey_index;
  to.max_rd_atomic = from.max_rd_atomic;
  to.max_dest_rd_atomic = from.max_dest_rd_atomic;
  to.min_rnr_timer = from.min_rnr_timer;
  to.port_num = from.port;
  to.timeout = from.timeout;
  to.retry_cnt = from.retry_cnt;
  to.rnr_retry = from.rnr_retry;
}

}  // namespace

void fill_address_handle(ib_uverbs_ah_attr& to, const rxe::AddressVector& from) {
  std::memcpy(to.grh.dgid, from.dgid.bytes.data(), sizeof(to.grh.dgid));
  to.grh.flow_label = from.flow_label;
  to.grh.sgid_index = from.sgid_index;
  to.grh.hop_limit = from.hop_limit;
  to.grh.traffic_class = from.traffic_class;
  to.sl = from.service_level;
  to.is_global = 1;
  to.port_num = kPortNumber;
}

Result<void> Agent::query(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_query>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  if (wanted->option == RDMA_USER_CM_QUERY_PATH) {
    struct {
      std::uint32_t num_paths;  // rdma_ucm_query_path_resp, whose last member has no size
      std::uint32_t reserved;
      ibv_path_data path;
    } reply{};
    static_assert(sizeof(reply) == sizeof(rdma_ucm_query_path_resp) + sizeof(ib_path_rec_data));
    if (auto room = check_room<rdma_ucm_query_path_resp>(command); !room) return room;
    std::size_t bytes = sizeof(rdma_ucm_query_path_resp);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      const auto id = find(*file, wanted->id);
      if (!id) return tl::make_unexpected(id.error());
      if (has_path(**id)) {
        reply.num_paths = 1;
        reply.path.flags = IB_PATH_GMP | IB_PATH_PRIMARY | IB_PATH_BIDIRECTIONAL;
        reply.path.path = packed_path(**id);
        if (command.out_bytes >= sizeof(reply)) bytes = sizeof(reply);
      }
    }
    return write_reply(command, wanted->response, &reply, bytes);
  }
  if (wanted->option != RDMA_USER_CM_QUERY_ADDR && wanted->option != RDMA_USER_CM_QUERY_GID) {
    return base::fail(ENOSYS, "no such question");
  }
  constexpr std::size_t kOldSize = offsetof(rdma_ucm_query_addr_resp, ibdev_index);
  if (auto room = check_room<rdma_ucm_query_addr_resp>(command, kOldSize); !room) return room;
  rdma_ucm_query_addr_resp reply{};
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto id = find(*file, wanted->id);
    if (!id) return tl::make_unexpected(id.error());
    reply = wanted->option == RDMA_USER_CM_QUERY_ADDR ? addresses(**id) : gids(**id);
  }
  return write_reply(command, wanted->response, &reply, sizeof(reply));
}

Result<void> Agent::query_route(const std::shared_ptr<File>& file, const Command& command) {
  constexpr std::size_t kOldSize = offsetof(rdma_ucm_query_route_resp, ibdev_index);
  if (auto room = check_room<rdma_ucm_query_route_resp>(command, kOldSize); !room) return room;
  const auto wanted = read_command<rdma_ucm_query>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  rdma_ucm_query_route_resp reply{};
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = find(*file, wanted->id);
    if (!found) return tl::make_unexpected(found.error());
    const Id& id = **found;
    // This reply has room for IP addresses only.
    if (id.source.is_ip()) write_address(id.source, &reply.src_addr);
    if (id.destination.is_ip()) write_address(id.destination, &reply.dst_addr);
    if (id.port != nullptr) {
      const rxe::DeviceDescription& device = id.port->device.description();
      reply.node_guid = node_guid(device);
      reply.port_num = kPortNumber;
      reply.ibdev_index = device.index;
      reply.num_paths = has_path(id) ? 1 : 0;
      reply.ib_route[0] = user_path(id);
    }
  }
  return write_reply(command, wanted->response, &reply, sizeof(reply));
}

Result<void> Agent::init_qp_attr(const std::shared_ptr<File>& file, const Command& command) {
  if (auto room = check_room<ib_uverbs_qp_attr>(command); !room) return room;
  const auto wanted = read_command<rdma_ucm_init_qp_attr>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  if (wanted->qp_state > static_cast<std::uint32_t>(rxe::QpState::kErr)) return base::fail(EINVAL, "no such state");
  const auto state = static_cast<rxe::QpState>(wanted->qp_state);
  ib_uverbs_qp_attr reply{};
  DevicePort* port = nullptr;
  std::optional<cm::Id> connection;
  std::optional<std::uint8_t> ack_timeout;
  std::uint32_t starting_psn = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = find(*file, wanted->id);
    if (!found) return tl::make_unexpected(found.error());
    const Id& id = **found;
    if (id.port == nullptr) return base::fail(EINVAL, "the id has no device");
    port = id.port;
    if (!id.is_datagram) connection = id.cm;
    ack_timeout = id.ack_timeout;
    starting_psn = id.starting_psn;
    // Without a connection: what brings a QP to INIT.
    reply.port_num = kPortNumber;
    reply.qp_attr_mask = rxe::qp_attr::kState | rxe::qp_attr::kPkeyIndex | rxe::qp_attr::kPort;
    if (id.is_datagram) {
      reply.qkey = id.qkey;
      reply.qp_attr_mask |= rxe::qp_attr::kQkey;
    } else {
      reply.qp_attr_mask |= rxe::qp_attr::kAccessFlags;
    }
  }
  if (connection) {
    const auto change = port->service.qp_change(*connection, state);
    if (!change) return tl::make_unexpected(change.error());
    copy_attributes(reply, change->attr);
    reply.qp_attr_mask = change->mask;
    // Chosen here and told to the peer in the REQ, or in the REP that is still to be sent.
    if (state == rxe::QpState::kRtr) reply.rq_psn = starting_psn;
    if ((change->mask & rxe::qp_attr::kTimeout) != 0) reply.timeout = ack_timeout.value_or(reply.timeout);
  }
  reply.qp_state = reply.cur_qp_state = wanted->qp_state;
  return write_reply(command, wanted->response, &reply, sizeof(reply));
}

}  // namespace rocelab::verbs::rdma_cm
