// What is behind an rdma_cm_id and behind an open rdma_cm device: plain state, all of it under the Agent's lock. Which
// calls are in order in which state is the kernel's rdma_cm's business, and so ours.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "cm/types.h"
#include "runtime/cm_page.h"
#include "rxe/types.h"
#include "verbs/rdma_cm/abi.h"
#include "verbs/rdma_cm/address.h"
#include "verbs/ready_fd.h"

namespace rocelab::verbs::rdma_cm {

class DevicePort;
struct File;
struct Id;

enum class State : std::uint8_t {
  kIdle,
  kBound,
  kAddrQuery,  ///< a thread is looking for the way, without the lock
  kAddrResolved,
  kRouteResolved,
  kListen,
  kConnect,     ///< from connect() on, or with a request that came
  kDisconnect,  ///< and the program has been told
};

/// A group that an id has joined.
struct Multicast {
  std::uint32_t number = 0;
  std::uint64_t uid = 0;
  Id* id = nullptr;
  std::uint32_t events_reported = 0;
};

struct Id {
  std::uint32_t number = 0;
  File* file = nullptr;
  std::uint64_t uid = 0;  ///< the program's; 0 for a request that it has not accepted
  cm::PortSpace space = cm::PortSpace::kTcp;
  bool is_datagram = false;  ///< UD QPs, found by SIDR
  rxe::QpType qp_type = rxe::QpType::kRc;
  State state = State::kIdle;
  bool closing = false;  ///< out of the table already; events are dropped

  // Options.
  std::optional<std::uint8_t> type_of_service;
  std::optional<std::uint8_t> ack_timeout;
  bool reuse_address = false;
  bool family_only = false;

  Address source;
  Address destination;
  std::optional<runtime::PortBinding> binding;

  DevicePort* port = nullptr;  ///< the device; none while all are meant
  std::uint8_t sgid_index = 0;
  rxe::AddressVector way;  ///< to the destination, from kAddrResolved on

  struct Listening {
    DevicePort* port;
    cm::Id cm;
  };
  std::vector<Listening> listening;
  std::uint32_t backlog = 0;  ///< requests that may still wait

  std::optional<cm::Id> cm;  ///< of the connection
  std::uint32_t qpn = 0;
  std::uint32_t starting_psn = 0;
  std::uint32_t qkey = kUdpQkey;

  std::uint32_t events_reported = 0;
  std::vector<std::unique_ptr<Multicast>> groups;
};

/// Waits in a File.
struct QueuedEvent {
  Id* id = nullptr;                ///< whose; of a request: the listener
  Multicast* multicast = nullptr;  ///< and the group's
  std::unique_ptr<Id> incoming;    ///< a request: it gets its number when the program takes the event
  rdma_ucm_event_resp reply{};
};

/// An open device: one event channel. Readable while events wait.
struct File {
  ReadyFd ready;
  std::deque<QueuedEvent> events;
  std::vector<Id*> ids;
};

}  // namespace rocelab::verbs::rdma_cm
