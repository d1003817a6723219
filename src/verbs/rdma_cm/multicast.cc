// JOIN and LEAVE. On Ethernet joining needs no administrator: the group follows from the address, and librdmacm
// attaches the QP itself. See agent.h.
#include "verbs/rdma_cm/agent.h"

namespace rocelab::verbs::rdma_cm {

Result<void> Agent::join(File& file, const Command& command, const rdma_ucm_join_mcast& wanted,
                         const Address& address) {
  if (auto room = check_room<rdma_ucm_create_id_resp>(command); !room) return room;
  if (wanted.join_flags >= RDMA_MC_JOIN_FLAG_RESERVED) return base::fail(EINVAL, "no way to join");
  const auto group = multicast_group(address);
  if (!group) return tl::make_unexpected(group.error());
  DevicePort* port = nullptr;
  std::uint8_t sgid_index = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto id = find(file, wanted.id);
    if (!id) return tl::make_unexpected(id.error());
    if ((*id)->port == nullptr || !(*id)->is_datagram) return base::fail(EINVAL, "the id is not one to join with");
    if ((*id)->state != State::kBound && (*id)->state != State::kAddrResolved) {
      return base::fail(EINVAL, "the id is neither bound nor resolved");
    }
    port = (*id)->port;
    sgid_index = (*id)->sgid_index;
  }
  const auto mac = port->device.resolve(*group, sgid_index);
  if (!mac) return tl::make_unexpected(mac.error());
  port->device.meet_everybody();
  rdma_ucm_create_id_resp reply{};
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = find(file, wanted.id);
    if (!found) return tl::make_unexpected(found.error());
    Id& id = **found;
    auto membership = std::make_unique<Multicast>();
    while (groups_.contains(next_group_)) ++next_group_;
    membership->number = next_group_++;
    membership->uid = wanted.uid;
    membership->id = &id;
    QueuedEvent queued;
    queued.id = &id;
    queued.multicast = membership.get();
    queued.reply.uid = membership->uid;
    queued.reply.id = reply.id = membership->number;
    queued.reply.event = static_cast<std::uint32_t>(CmEvent::kMulticastJoin);
    rxe::AddressVector way;
    way.dgid = *group;
    way.sgid_index = sgid_index;
    way.hop_limit = id.way.hop_limit;
    way.traffic_class = id.type_of_service.value_or(0);
    fill_address_handle(queued.reply.param.ud.ah_attr, way);
    queued.reply.param.ud.qp_num = kMulticastQpn;
    queued.reply.param.ud.qkey = id.qkey;
    groups_[membership->number] = membership.get();
    id.groups.push_back(std::move(membership));
    enqueue(*id.file, std::move(queued));
  }
  return write_reply(command, wanted.response, &reply, sizeof(reply));
}

Result<void> Agent::join_ip_multicast(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_join_ip_mcast>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  const auto address = read_address_within(std::as_bytes(std::span(&wanted->addr, 1)));
  if (!address) return base::fail(EINVAL, "no such address");
  rdma_ucm_join_mcast full{};
  full.response = wanted->response;
  full.uid = wanted->uid;
  full.id = wanted->id;
  full.join_flags = RDMA_MC_JOIN_FLAG_FULLMEMBER;
  return join(*file, command, full, *address);
}

Result<void> Agent::join_multicast(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_join_mcast>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  const auto room = std::as_bytes(std::span(&wanted->addr, 1));
  if (wanted->addr_size > room.size()) return base::fail(EINVAL, "no such address");
  const auto address = read_address(room.first(wanted->addr_size));
  if (!address) return base::fail(EINVAL, "no such address");
  return join(*file, command, *wanted, *address);
}

Result<void> Agent::leave_multicast(const std::shared_ptr<File>& file, const Command& command) {
  if (auto room = check_room<rdma_ucm_destroy_id_resp>(command); !room) return room;
  const auto wanted = read_command<rdma_ucm_destroy_id>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  rdma_ucm_destroy_id_resp reply{};
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = groups_.find(wanted->id);
    if (found == groups_.end()) return base::fail(ENOENT, "there is no such membership");
    Multicast& membership = *found->second;
    if (membership.id->file != file.get()) return base::fail(EINVAL, "it belongs to another event channel");
    reply.events_reported = membership.events_reported;
    forget_events(*file, membership);
    groups_.erase(found);
    std::erase_if(membership.id->groups, [&](const auto& group) { return group.get() == &membership; });
  }
  return write_reply(command, wanted->response, &reply, sizeof(reply));
}

}  // namespace rocelab::verbs::rdma_cm
