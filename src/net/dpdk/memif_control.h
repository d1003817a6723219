// The control side of all memif links of a process: one thread that waits for the handshakes' sockets, in place of
// EAL's interrupt thread, and one lock. DPDK's driver unmaps a link's memory from its handshake callback as soon as the
// peer is gone, whatever another thread is doing with it; here callbacks run under the lock that a port also holds
// during each burst, so that a peer may be killed at any moment.
//
// The driver reaches this through memif_calls.cc. Lives from the first memif port to the end of the process.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "base/result.h"
#include "net/dpdk/control_lock.h"
#include "net/dpdk/memif_handshake.h"

struct rte_intr_handle;

namespace rocelab::net::dpdk {

/// Same types as DPDK's rte_intr_callback_fn and rte_intr_unregister_callback_fn.
using DriverCallback = void (*)(void* argument);
using DriverFarewell = void (*)(rte_intr_handle* handle, void* argument);

/// Told after every callback, with the lock held, in the control thread.
class ControlObserver {
 public:
  virtual ~ControlObserver() = default;
  virtual void control_ran() = 0;
};

class MemifControl {
 public:
  /// The process's instance; the first call starts its thread. Needs EAL.
  static base::TextResult<MemifControl*> instance();

  ControlLock& lock() { return lock_; }

  // All that follows is called with the lock held.
  void add_observer(ControlObserver* observer) { observers_.push_back(observer); }
  void remove_observer(ControlObserver* observer) { std::erase(observers_, observer); }

  /// A connection begins on `fd`, accepted by this end or made by it.
  void guard(int fd, bool server) { guards_.insert_or_assign(fd, HandshakeGuard(server)); }
  /// What came on `fd` is what a peer may say now.
  bool in_order(int fd, std::span<const std::byte, HandshakeGuard::kMessageBytes> message, std::size_t descriptors) {
    const auto found = guards_.find(fd);
    return found != guards_.end() && found->second.accepts(message, descriptors);
  }

  // Results as DPDK's functions of the same names give them.
  int register_callback(rte_intr_handle* handle, int fd, DriverCallback callback, void* argument);
  int unregister_callback(int fd, DriverCallback callback, void* argument);
  int unregister_later(int fd, DriverCallback callback, void* argument, DriverFarewell farewell);
  /// Drops and closes a descriptor that the driver has forgotten: it frees a listener without unregistering it.
  void forget(int fd);
  /// The descriptor that was registered last: a listener's, right after its port was made.
  int last_registered() const { return last_registered_; }
  /// Number of that registration, never used again; and whether it still stands: a connection's ends with it.
  std::uint64_t last_registration() const { return next_id_ - 1; }
  bool stands(std::uint64_t registration) const { return entries_.contains(registration); }
  /// The handle that the driver made last: a transmit queue's, right after its set-up. The driver never frees that.
  rte_intr_handle* last_handle() const { return last_handle_; }
  void note_handle(rte_intr_handle* handle) { last_handle_ = handle; }

 private:
  struct Entry {
    rte_intr_handle* handle = nullptr;
    int fd = -1;
    DriverCallback callback = nullptr;
    void* argument = nullptr;
    bool active = false;                ///< its callback is running
    DriverFarewell farewell = nullptr;  ///< what to call when it has returned
  };
  using Entries = std::map<std::uint64_t, Entry>;

  explicit MemifControl(int epoll_fd) : epoll_fd_(epoll_fd) {}
  Entries::iterator find(int fd, DriverCallback callback, void* argument);
  void drop(Entries::iterator entry);
  void handle(std::uint64_t id);
  [[noreturn]] void run();

  const int epoll_fd_;
  ControlLock lock_;
  Entries entries_;  ///< by a number that is never used again, so that a late event finds nothing
  std::uint64_t next_id_ = 1;
  std::vector<ControlObserver*> observers_;
  std::map<int, HandshakeGuard> guards_;  ///< by descriptor; a dead connection's is replaced when its number comes back
  int last_registered_ = -1;
  rte_intr_handle* last_handle_ = nullptr;
};

}  // namespace rocelab::net::dpdk
