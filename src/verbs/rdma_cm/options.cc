// Options of ids, and what else changes how they behave: see agent.h.
#include <infiniband/sa.h>

#include "verbs/rdma_cm/agent.h"

namespace rocelab::verbs::rdma_cm {

namespace {

template <class T>
Result<T> read_value(const rdma_ucm_set_option& wanted) {
  if (wanted.optlen != sizeof(T)) return base::fail(EINVAL, "the option has another size");
  if (wanted.optval == 0) return base::fail(EFAULT, "the option has no value");
  T value;
  std::memcpy(&value, reinterpret_cast<const void*>(static_cast<std::uintptr_t>(wanted.optval)), sizeof(value));
  return value;
}

}  // namespace

Result<void> Agent::set_option(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_set_option>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto id = find(*file, wanted->id);
  if (!id) return tl::make_unexpected(id.error());
  if (wanted->level == RDMA_OPTION_ID) return set_option_of_id(**id, *wanted);
  if (wanted->level == RDMA_OPTION_IB && wanted->optname == RDMA_OPTION_IB_PATH) return set_path(**id, *wanted);
  return base::fail(ENOSYS, "no such option");
}

Result<void> Agent::set_option_of_id(Id& id, const rdma_ucm_set_option& wanted) {
  switch (wanted.optname) {
    case RDMA_OPTION_ID_TOS: {
      const auto value = read_value<std::uint8_t>(wanted);
      if (!value) return tl::make_unexpected(value.error());
      id.type_of_service = *value;
      return {};
    }
    case RDMA_OPTION_ID_REUSEADDR: {
      const auto value = read_value<int>(wanted);
      if (!value) return tl::make_unexpected(value.error());
      if (id.state != State::kIdle && (*value == 0 || id.state == State::kListen)) {
        return base::fail(EINVAL, "the port is in use already");
      }
      id.reuse_address = *value != 0;
      return {};
    }
    case RDMA_OPTION_ID_AFONLY: {
      const auto value = read_value<int>(wanted);
      if (!value) return tl::make_unexpected(value.error());
      if (id.state != State::kIdle && id.state != State::kBound) {
        return base::fail(EINVAL, "only before the id is used");
      }
      id.family_only = *value != 0;
      return {};
    }
    case RDMA_OPTION_ID_ACK_TIMEOUT: {
      const auto value = read_value<std::uint8_t>(wanted);
      if (!value) return tl::make_unexpected(value.error());
      if (id.qp_type != rxe::QpType::kRc) return base::fail(EINVAL, "only reliable connections have an ACK timeout");
      id.ack_timeout = *value;
      return {};
    }
    default:
      return base::fail(ENOSYS, "no such option");
  }
}

Result<void> Agent::set_path(Id& id, const rdma_ucm_set_option& wanted) {
  // A record of an InfiniBand subnet's administrator. On Ethernet the way is known already; the record must fit it.
  constexpr std::uint32_t kUsable = IB_PATH_GMP | IB_PATH_PRIMARY | IB_PATH_BIDIRECTIONAL;
  if (wanted.optval == 0 || wanted.optlen == 0 || wanted.optlen % sizeof(ibv_path_data) != 0) {
    return base::fail(EINVAL, "no path records");
  }
  const auto* at = reinterpret_cast<const std::byte*>(static_cast<std::uintptr_t>(wanted.optval));
  ibv_path_data record{};
  bool found = false;
  for (std::size_t i = 0; i < wanted.optlen / sizeof(record) && !found; ++i) {
    std::memcpy(&record, at + i * sizeof(record), sizeof(record));
    found = record.flags == kUsable;
  }
  if (!found) return base::fail(EINVAL, "no record of a path for both directions");
  if (id.state != State::kAddrResolved) return base::fail(EINVAL, "the address is not resolved");
  if (std::memcmp(record.path.dgid.raw, id.way.dgid.bytes.data(), sizeof(record.path.dgid.raw)) != 0) {
    return base::fail(EINVAL, "the record leads elsewhere");
  }
  id.state = State::kRouteResolved;
  enqueue(id, CmEvent::kRouteResolved, 0);
  return {};
}

Result<void> Agent::notify(const std::shared_ptr<File>& file, const Command& command) {
  const auto wanted = read_command<rdma_ucm_notify>(command);
  if (!wanted) return tl::make_unexpected(wanted.error());
  constexpr std::uint32_t kCommunicationEstablished = 4;  // IBV_EVENT_COMM_EST
  return with_connection(*file, wanted->id, [&](Id& id, cm::Manager& manager, base::TimePoint now) -> Result<void> {
    if (wanted->event != kCommunicationEstablished) return base::fail(EINVAL, "no event of a connection");
    return manager.notify_established(now, *id.cm);
  });
}

}  // namespace rocelab::verbs::rdma_cm
