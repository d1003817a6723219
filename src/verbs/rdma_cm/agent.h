// The rdma_cm device of this process: what /dev/infiniband/rdma_cm is to librdmacm, answered here instead of by a
// kernel. Knows open files, ids and groups; carries out the commands that librdmacm writes; turns events of connection
// management (runtime/connection_service.h) into its own. Owned by verbs::Process; the preload shim calls it by
// exports.cc.
//
// Locks: the engine lock (ConnectionService::with_manager) is taken first, mutex_ inside it. So whoever holds mutex_
// never calls a device, and what may wait (opening a device, looking for a neighbour) is done with neither. Files and
// ids may be used by several threads at once, as those of the kernel.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <queue>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "runtime/connection_service.h"
#include "runtime/host.h"
#include "verbs/rdma_cm/abi.h"
#include "verbs/rdma_cm/id.h"

namespace rocelab::verbs::rdma_cm {

class Agent;

/// A device of the host with its connection management; takes that one's events for the Agent. Lives as long.
class DevicePort final : public runtime::ConnectionHandler {
 public:
  DevicePort(Agent& agent, runtime::LocalDevice& opened, runtime::ConnectionService& connections)
      : device(opened), service(connections), agent_(agent) {}
  void on_connection_event(cm::Manager& manager, base::TimePoint now, const cm::Event& event) noexcept override;

  runtime::LocalDevice& device;
  runtime::ConnectionService& service;

 private:
  Agent& agent_;
};

class Agent {
 public:
  explicit Agent(std::uint64_t seed);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // --- files ---------------------------------------------------------------------------------------------------------
  /// A new descriptor, or a negative errno value. Flags: O_CLOEXEC, O_NONBLOCK.
  int open(int flags);
  /// `copy` has become another name for the file behind `fd`.
  void duplicated(int fd, int copy);
  /// The descriptor is about to be closed. With the last one of a file its ids are destroyed.
  void closing(int fd);
  /// write(2) on the device: one command. How much was taken (all), or a negative errno value.
  ssize_t write(int fd, const void* bytes, std::size_t size);

 private:
  friend class DevicePort;
  using CommandFunction = Result<void> (Agent::*)(const std::shared_ptr<File>&, const Command&);
  static CommandFunction function_of(std::uint32_t number);

  // --- the commands of <rdma/rdma_user_cm.h>
  // ---------------------------------------------------------------------------
  Result<void> create_id(const std::shared_ptr<File>& file, const Command& command);
  Result<void> destroy_id(const std::shared_ptr<File>& file, const Command& command);
  Result<void> bind_ip(const std::shared_ptr<File>& file, const Command& command);
  Result<void> bind(const std::shared_ptr<File>& file, const Command& command);
  Result<void> resolve_ip(const std::shared_ptr<File>& file, const Command& command);
  Result<void> resolve_addr(const std::shared_ptr<File>& file, const Command& command);
  Result<void> resolve_route(const std::shared_ptr<File>& file, const Command& command);
  Result<void> query_route(const std::shared_ptr<File>& file, const Command& command);
  Result<void> query(const std::shared_ptr<File>& file, const Command& command);
  Result<void> connect(const std::shared_ptr<File>& file, const Command& command);
  Result<void> listen(const std::shared_ptr<File>& file, const Command& command);
  Result<void> accept(const std::shared_ptr<File>& file, const Command& command);
  Result<void> reject(const std::shared_ptr<File>& file, const Command& command);
  Result<void> disconnect(const std::shared_ptr<File>& file, const Command& command);
  Result<void> init_qp_attr(const std::shared_ptr<File>& file, const Command& command);
  Result<void> next_event(const std::shared_ptr<File>& file, const Command& command);
  Result<void> set_option(const std::shared_ptr<File>& file, const Command& command);
  Result<void> notify(const std::shared_ptr<File>& file, const Command& command);
  Result<void> join_ip_multicast(const std::shared_ptr<File>& file, const Command& command);
  Result<void> join_multicast(const std::shared_ptr<File>& file, const Command& command);
  Result<void> leave_multicast(const std::shared_ptr<File>& file, const Command& command);
  Result<void> migrate_id(const std::shared_ptr<File>& file, const Command& command);

  // --- tables (agent.cc); under the lock
  // -------------------------------------------------------------------------------
  std::shared_ptr<File> file_of(int fd);  ///< takes the lock
  /// ENOENT: no such id; EINVAL: it belongs to another file.
  Result<Id*> find(const File& file, std::uint32_t number);
  Result<Id*> insert(std::unique_ptr<Id> id, File& file);
  void enqueue(File& file, QueuedEvent event);
  void enqueue(Id& id, CmEvent event, std::int32_t status);
  /// Takes the id and what waits in its file for it out of the tables.
  struct Removed {
    std::unique_ptr<Id> id;
    std::vector<std::unique_ptr<Id>> incoming;  ///< requests that nobody has seen
  };
  Removed remove(Id& id);
  void forget_events(File& file, const Multicast& group);

  // --- without the lock
  // ------------------------------------------------------------------------------------------------
  void dispose(Removed removed);  ///< the protocol's part of the end of an id
  void dispose(std::unique_ptr<Id> id);
  /// Runs `f(Id&, cm::Manager&, now) -> Result<T>` with both locks, for an id with a connection; EINVAL without one.
  template <class F>
  auto with_connection(File& file, std::uint32_t number, F&& f)
      -> std::invoke_result_t<F, Id&, cm::Manager&, base::TimePoint> {
    DevicePort* port = nullptr;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      const auto id = find(file, number);
      if (!id) return tl::make_unexpected(id.error());
      if (!(*id)->cm) return base::fail(EINVAL, "the id has no connection");
      port = (*id)->port;
    }
    return port->service.with_manager(
        [&](cm::Manager& manager, base::TimePoint now) -> std::invoke_result_t<F, Id&, cm::Manager&, base::TimePoint> {
          const std::lock_guard<std::mutex> lock(mutex_);
          const auto id = find(file, number);
          if (!id) return tl::make_unexpected(id.error());
          return f(**id, manager, now);
        });
  }

  // --- addresses (addressing.cc); without the lock
  // ---------------------------------------------------------------------
  /// An entry of a device's GID table.
  struct Source {
    std::uint32_t device = 0;
    std::uint8_t sgid_index = 0;
    wire::Gid gid;
  };
  Result<runtime::Host*> host();
  Result<DevicePort*> port(std::uint32_t device);
  Result<Source> source_of(const Address& address);
  Result<Source> source_towards(const Address& destination);
  Result<void> bind_to(File& file, std::uint32_t number, const Address& wanted);
  Result<void> resolve_to(File& file, std::uint32_t number, const Address& from, const Address& to);
  struct Way {
    Source source;
    rxe::AddressVector vector;
    DevicePort* port;
  };
  Result<Way> find_way(const Address& from, const Address& to, std::uint8_t type_of_service);
  Result<void> listen_on(File& file, std::uint32_t number, DevicePort& port, const cm::Service& service);

  // --- the rest
  // --------------------------------------------------------------------------------------------------------
  Result<void> set_option_of_id(Id& id, const rdma_ucm_set_option& wanted);
  Result<void> set_path(Id& id, const rdma_ucm_set_option& wanted);
  Result<void> join(File& file, const Command& command, const rdma_ucm_join_mcast& wanted, const Address& address);

  // --- events (events.cc); under both locks
  // ------------------------------------------------------------------------------
  void handle_event(DevicePort& port, cm::Manager& manager, base::TimePoint now, const cm::Event& event);
  void handle_request(DevicePort& port, cm::Manager& manager, base::TimePoint now, const cm::Event& event,
                      Id& listener);

  std::mutex opening_;  ///< taken first of all
  std::vector<std::unique_ptr<DevicePort>> ports_;

  std::mutex mutex_;
  std::unordered_map<int, std::shared_ptr<File>> files_;
  std::vector<std::unique_ptr<Id>> ids_;  ///< by number
  std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> free_numbers_;
  std::unordered_map<std::uint32_t, Multicast*> groups_;
  std::uint32_t next_group_ = 0;
  base::Rng random_;
};

/// As the QP attributes and events of the kernel carry it.
void fill_address_handle(ib_uverbs_ah_attr& to, const rxe::AddressVector& from);

}  // namespace rocelab::verbs::rdma_cm
