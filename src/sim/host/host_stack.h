// The part of a host that exists only when it is needed: the engine with its flows' protection domain, memory region
// and completion queue, and the way of packets between engine and port. Owned by Host.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "rxe/device.h"
#include "rxe/verbs_device.h"
#include "sim/fabric/packet.h"
#include "sim/host/connection_table.h"
#include "sim/host/delay_line.h"
#include "sim/host/host_options.h"
#include "sim/kernel/context.h"

namespace rocelab::sim {

class FrameEdge;  // sim/host/frame_edge.h: packets as bytes

class HostStack final : public rxe::TxSink {
 public:
  explicit HostStack(Host& host);
  ~HostStack() override;
  HostStack(const HostStack&) = delete;
  HostStack& operator=(const HostStack&) = delete;

  rxe::Device& device() { return device_; }
  const rxe::Device& device() const { return device_; }

  // --- packets -----------------------------------------------------------------------------------------------------
  /// The next packet for the port; nullptr: nothing may be sent now.
  Packet* pull(Context& context, std::uint8_t paused_mask);
  /// Hands the packet to the engine; the caller frees it.
  void receive(Context& context, Packet& packet);
  /// A kTimer event.
  void handle_timer(Context& context);
  /// After everything that may have given the engine something to say or the program something to learn: sends if the
  /// port is idle, hands out completions and events, sets the timer.
  void settle(Context& context);

  // --- flows -------------------------------------------------------------------------------------------------------
  /// Makes the QP of a planned connection. False: the engine refuses (its limits are reached).
  bool open(Context& context, ConnectionId id);
  void close(Context& context, ConnectionId id);
  /// Gives the engine the connection's requests, as many as it takes; none begins before `not_before`.
  void give(Context& context, ConnectionId id, TimePoint not_before);
  /// A kCompletion event.
  void deliver_next(Context& context);
  /// A kLinger event.
  void handle_linger(Context& context, ConnectionId id);
  /// With real bytes: the memory that a connection's arena begins at; nullptr otherwise.
  std::byte* arena(std::uint64_t offset) { return memory_ == nullptr ? nullptr : memory_.get() + offset; }
  /// With real bytes: does the memory where messages of `id` arrive hold what the peer sends, so far as `bytes`?
  bool delivered(ConnectionId id, std::uint64_t bytes) const;

  // --- processes ---------------------------------------------------------------------------------------------------
  /// Who learns of the events of everything that is not a flow's; nullptr: nobody.
  void set_event_handler(rxe::EventHandler* handler) { handler_ = handler; }

  bool transmit(const wire::Packet& packet) override;

 private:
  void hand_out(Context& context);
  void completed(Context& context, const rxe::Completion& completion);
  void request_done(Context& context, Connection& connection, ConnectionId id, const rxe::Completion& completion);
  void message_arrived(Context& context, Connection& connection, ConnectionId id, const rxe::Completion& completion);
  void set_timer(Context& context);
  void loop_back(Context& context, Packet* packet);
  void fill_arena(std::uint64_t arena, std::uint64_t bytes, NodeId host, rxe::Qpn qpn);
  base::Result<void> connect_qp(Context& context, const Connection& connection, rxe::Qpn qpn);
  base::Result<void> post_receive(TimePoint now, const Connection& connection, rxe::Qpn qpn);
  void note_arrival(Context& context, rxe::Qpn qpn, const Packet& packet);
  Duration linger_time(const Connection& connection) const;

  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };

  Host& host_;
  rxe::Device device_;
  Context* context_ = nullptr;  ///< during pull()
  Packet* pulled_ = nullptr;
  std::uint8_t paused_mask_ = 0;  ///< as the engine knows it
  bool settling_ = false;
  bool again_ = false;
  bool happened_ = false;           ///< something that a process may wait for
  std::uint64_t loop_free_ps_ = 0;  ///< when the packets of this host to itself have left
  rxe::PdId pd_{};
  rxe::CqId cq_{};
  rxe::MrInfo region_;
  std::unique_ptr<std::byte[], Free> memory_;
  std::vector<std::uint64_t> timers_;  ///< pending kTimer events, the earliest last
  DelayLine<rxe::Completion> completions_;
  std::unique_ptr<FrameEdge> edge_;  ///< kWireExact
  rxe::EventHandler* handler_ = nullptr;
};

}  // namespace rocelab::sim
