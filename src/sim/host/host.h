// A simulated host: one NIC port, the engine of src/rxe (made when it is first needed), and those who use it: flows by
// the calls below, or simulated processes (process.h) with the verbs API. All time is virtual; every call is made
// inside an event of this very host, setup calls before the run.
//
//   Host a(options, pools, 0, "host0"), b(options, pools, 1, "host1");
//   const auto [ab, ba] = connect(a, b, connection_options, &owner, nullptr);
//   ... in an event of a:  a.post_write(context, ab, bytes, user);
//   ... later              owner.on_complete(a, context, ab, user, status)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "rxe/device.h"
#include "rxe/verbs_device.h"
#include "sim/fabric/packet_pool.h"
#include "sim/fabric/port.h"
#include "sim/host/connection_table.h"
#include "sim/host/host_options.h"
#include "sim/host/host_processes.h"
#include "sim/host/receive_buffer.h"
#include "sim/kernel/context.h"
#include "sim/kernel/node.h"
#include "wire/gid.h"
#include "wire/mac.h"

namespace rocelab::sim {

class HostStack;  // sim/host/host_stack.h: the engine and what belongs to it

/// Addresses of host `index`: 10.x.y.z counted from 1, as GID 0 (RoCE v2) and GID 1 (v1); MAC 02:00:xx:xx:xx:xx.
wire::Gid host_gid(std::uint32_t index);
wire::MacAddress host_mac(std::uint32_t index);
/// kNoNode: not an address of a host.
NodeId host_of(const wire::Gid& gid);

struct HostCounters {
  std::uint64_t posted = 0;          ///< requests of flows
  std::uint64_t completed = 0;       ///< of those
  std::uint64_t failed = 0;          ///< of those, with an error
  std::uint64_t disordered = 0;      ///< completions of requests that were not the oldest: never
  std::uint64_t messages = 0;        ///< received with notification
  std::uint64_t acked_bytes = 0;     ///< of requests completed without error
  std::uint64_t tx_packets = 0;      ///< of the engine
  std::uint64_t tx_payload = 0;      ///< bytes
  std::uint64_t rx_packets = 0;      ///< given to the engine
  std::uint64_t rx_payload = 0;      ///< bytes
  std::uint64_t rx_trimmed = 0;      ///< dropped: a switch cut the payload
  std::uint64_t rx_buffer_full = 0;  ///< dropped: no room in the receive buffer
  std::uint64_t rx_not_for_us = 0;   ///< dropped: for another host
  std::uint64_t rx_bad_frames = 0;   ///< kWireExact: dropped, encoding or ICRC wrong
  std::uint64_t misdelivered = 0;    ///< kReal, kWireExact: messages with wrong bytes
};

class Host final : public Node, public PacketSource {
 public:
  /// `options` and `pools` outlive the host. `index` is the host's number in the topology and its NodeId.
  Host(const HostOptions& options, PacketPools& pools, std::uint32_t index, std::string name);
  ~Host() override;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  std::uint32_t index() const { return index_; }
  const std::string& name() const { return name_; }
  const HostOptions& options() const { return options_; }
  /// To be attached to its link before the run.
  Port& port() { return port_; }
  const Port& port() const { return port_; }
  void set_user(HostUser* user) { user_ = user; }

  // --- flows -------------------------------------------------------------------------------------------------------
  /// Posts a request of `bytes` (at least 1); `user` comes back with on_complete(). Requests of a connection are
  /// carried out in order. They wait in the host when more than send_depth are outstanding. With `notify` the receiver
  /// learns of the message and of `immediate` (it must have been connected with receive_depth).
  base::Result<void> post_write(Context& context, ConnectionId connection, std::uint64_t bytes, std::uint64_t user,
                                bool notify = false, std::uint32_t immediate = 0);
  base::Result<void> post_send(Context& context, ConnectionId connection, std::uint64_t bytes, std::uint64_t user,
                               std::uint32_t immediate = 0);
  base::Result<void> post_read(Context& context, ConnectionId connection, std::uint64_t bytes, std::uint64_t user);
  /// This side's QP is destroyed; requests that are not complete never will be. A later post opens no new one.
  void close(Context& context, ConnectionId connection);
  const ConnectionTable& connections() const { return connections_; }
  /// In on_complete(): packets sent again since the connection's completion before this one.
  std::uint32_t resent_packets(ConnectionId connection) const { return connections_.at(connection).resent_last; }

  // --- processes ---------------------------------------------------------------------------------------------------
  /// A process of this host, before the run; it starts when an event host_event::kProcess with its number as `port`
  /// comes. Its body may make verbs calls once somebody has bound verbs_device() to the library (ProcessHooks).
  std::uint16_t add_process(Process::Body body);
  void set_process_hooks(ProcessHooks* hooks);
  /// After the run: unwinds the processes that have not ended; the hooks are forgotten.
  void end_processes() { processes_.reset(); }
  /// Makes the engine if there is none.
  rxe::VerbsDevice& verbs_device();
  HostProcesses& processes();
  HostStack& stack();

  // --- observation -------------------------------------------------------------------------------------------------
  const HostCounters& counters() const { return counters_; }
  /// nullptr: this host has not needed an engine.
  const rxe::Device* engine() const;
  std::uint32_t buffered_bytes() const { return buffer_.bytes(); }
  bool halted() const { return halted_; }

  // --- the kernel's and the port's side ----------------------------------------------------------------------------
  void handle_event(Context& context, const Event& event) override;
  Packet* next(Context& context, std::uint8_t paused_mask) override;
  bool has_more(std::uint8_t paused_mask) const override;

 private:
  friend class HostStack;
  friend std::pair<ConnectionId, ConnectionId> connect(Host&, Host&, const ConnectionOptions&, FlowOwner*, FlowOwner*);
  friend std::vector<std::string> check_hosts(std::span<const std::unique_ptr<Host>> hosts);

  base::Result<void> post(Context& context, ConnectionId connection, const FlowRequest& request);
  void handle_rare_event(Context& context, const Event& event);
  void arrive(Context& context, Packet* packet);
  void take(Context& context, Packet* packet);
  void schedule_receive(Context& context);
  void receive_next(Context& context);
  void set_receive_rate(Context& context, std::uint64_t bits_per_s);
  void set_halted(Context& context, bool halted);
  void pause_peer(Context& context, std::uint8_t mask, bool pause);
  void free(Context& context, Packet* packet) { pools_.at(context.partition()).free(packet); }

  const HostOptions& options_;
  PacketPools& pools_;
  std::unique_ptr<HostStack> stack_;
  std::unique_ptr<rxe::VerbsDevice> verbs_device_;
  std::unique_ptr<HostProcesses> processes_;  ///< goes first: what it unwinds uses the others
  HostUser* user_ = nullptr;
  std::uint32_t index_;
  bool halted_ = false;
  Port port_;
  ReceiveBuffer buffer_;
  TimePoint cpu_free_;  ///< when the program has done its work for the requests posted so far
  ConnectionTable connections_;
  HostCounters counters_;
  std::string name_;
};

/// Connects two hosts out of band, before the run: each side has a connection id of its own, and a QP that is made when
/// the first packet or request needs it. `options` outlives the hosts. `a` and `b` may be one host.
std::pair<ConnectionId, ConnectionId> connect(Host& a, Host& b, const ConnectionOptions& options, FlowOwner* a_owner,
                                              FlowOwner* b_owner);

/// After a run that has come to its end: every request completed exactly once, receive buffers empty, delivered bytes
/// right (with real payload). One sentence for each thing that is wrong.
std::vector<std::string> check_hosts(std::span<const std::unique_ptr<Host>> hosts);

}  // namespace rocelab::sim
