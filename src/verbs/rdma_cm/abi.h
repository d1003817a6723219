// What librdmacm and the rdma_cm device say to each other: the structs of <rdma/rdma_user_cm.h>, and what that header
// leaves to others: the numbers of events, addresses of InfiniBand, constants of rdma_cm. Commands are read and replies
// are written here, as far as the lengths that the caller gave allow.
#pragma once

#include <rdma/rdma_user_cm.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/result.h"

namespace rocelab::verbs::rdma_cm {

using base::Result;

/// rdma_ucm_event_resp.event: enum rdma_cm_event_type of librdmacm.
enum class CmEvent : std::uint32_t {
  kAddrResolved = 0,
  kAddrError = 1,
  kRouteResolved = 2,
  kRouteError = 3,
  kConnectRequest = 4,
  kConnectResponse = 5,
  kConnectError = 6,
  kUnreachable = 7,
  kRejected = 8,
  kEstablished = 9,
  kDisconnected = 10,
  kDeviceRemoval = 11,
  kMulticastJoin = 12,
  kMulticastError = 13,
  kAddrChange = 14,
  kTimewaitExit = 15,
};

inline constexpr std::uint16_t kFamilyIb = 27;          ///< AF_IB
inline constexpr std::uint32_t kUdpQkey = 0x0123'4567;  ///< RDMA_UDP_QKEY
inline constexpr std::uint32_t kMulticastQpn = 0xff'ffff;
inline constexpr std::uint32_t kBacklogMax = 1024;  ///< net.rdma_ucm.max_backlog
inline constexpr std::uint32_t kIdsMax = 65'536;    ///< librdmacm has no room for larger numbers

/// sockaddr_ib; all but the family in network order.
struct SockaddrIb {
  std::uint16_t family;
  std::uint16_t pkey;
  std::uint32_t flow_info;
  std::uint8_t gid[16];
  std::uint64_t service_id;
  std::uint64_t service_mask;
  std::uint64_t scope_id;
};
static_assert(sizeof(SockaddrIb) == 48);

/// What write() carries: the command's number, its struct, and how much room for the reply there is.
struct Command {
  std::uint32_t number = 0;
  std::span<const std::byte> in;
  std::size_t out_bytes = 0;
};

/// The command's struct. `required`: how much of it must be there, for structs that have grown; the rest is zero.
template <class T>
Result<T> read_command(const Command& command, std::size_t required = sizeof(T)) {
  if (command.in.size() < required) return base::fail(EINVAL, "the command is too short");
  T value{};
  std::memcpy(&value, command.in.data(), std::min(sizeof(T), command.in.size()));
  return value;
}

/// ENOSPC when the caller has no room for what is `required`. To be asked before the command does anything.
template <class T>
Result<void> check_room(const Command& command, std::size_t required = sizeof(T)) {
  if (command.out_bytes < required) return base::fail(ENOSPC, "there is no room for the reply");
  return {};
}

inline Result<void> write_reply(const Command& command, std::uint64_t address, const void* reply, std::size_t bytes) {
  if (address == 0) return base::fail(EFAULT, "the reply has no address");
  std::memcpy(reinterpret_cast<void*>(static_cast<std::uintptr_t>(address)), reply, std::min(bytes, command.out_bytes));
  return {};
}

}  // namespace rocelab::verbs::rdma_cm
