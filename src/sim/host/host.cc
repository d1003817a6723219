// See host.h.
#include "sim/host/host.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "rxe/device.h"
#include "sim/host/host_stack.h"
#include "sim/host/sim_device.h"

namespace rocelab::sim {
namespace {

constexpr std::uint32_t kNetwork = 10u << 24;  ///< 10.0.0.0/8
/// A pause is renewed when half of it is over. IEEE 802.1Q, 36.2: at most 65,535 quanta.
constexpr std::uint16_t kPauseQuanta = 0xffff;

}  // namespace

wire::Gid host_gid(std::uint32_t index) { return wire::Gid::from_ipv4(kNetwork + index + 1); }

wire::MacAddress host_mac(std::uint32_t index) {
  const std::uint32_t number = index + 1;
  return {0x02,
          0x00,
          static_cast<std::uint8_t>(number >> 24),
          static_cast<std::uint8_t>(number >> 16),
          static_cast<std::uint8_t>(number >> 8),
          static_cast<std::uint8_t>(number)};
}

NodeId host_of(const wire::Gid& gid) {
  const std::uint32_t address = gid.ipv4();
  if ((address & 0xff00'0000) != kNetwork || (address & 0x00ff'ffff) == 0) return kNoNode;
  return address - kNetwork - 1;
}

Host::Host(const HostOptions& options, PacketPools& pools, std::uint32_t index, std::string name)
    : options_(options), pools_(pools), index_(index), name_(std::move(name)) {}

Host::~Host() = default;

HostStack& Host::stack() {
  if (stack_ == nullptr) stack_ = std::make_unique<HostStack>(*this);
  return *stack_;
}

HostProcesses& Host::processes() {
  if (processes_ == nullptr) processes_ = std::make_unique<HostProcesses>(*this);
  return *processes_;
}

std::uint16_t Host::add_process(Process::Body body) { return processes().add(std::move(body)); }
void Host::set_process_hooks(ProcessHooks* hooks) { processes().set_hooks(hooks); }

rxe::VerbsDevice& Host::verbs_device() {
  if (verbs_device_ == nullptr) verbs_device_ = std::make_unique<SimDevice>(*this);
  return *verbs_device_;
}

const rxe::Device* Host::engine() const { return stack_ == nullptr ? nullptr : &stack_->device(); }

// --- flows ----------------------------------------------------------------------------------------------------------

base::Result<void> Host::post_write(Context& context, ConnectionId connection, std::uint64_t bytes, std::uint64_t user,
                                    bool notify, std::uint32_t immediate) {
  const auto opcode = notify ? rxe::SendOpcode::kRdmaWriteWithImm : rxe::SendOpcode::kRdmaWrite;
  return post(context, connection, {bytes, user, opcode, immediate});
}

base::Result<void> Host::post_send(Context& context, ConnectionId connection, std::uint64_t bytes, std::uint64_t user,
                                   std::uint32_t immediate) {
  return post(context, connection, {bytes, user, rxe::SendOpcode::kSendWithImm, immediate});
}

base::Result<void> Host::post_read(Context& context, ConnectionId connection, std::uint64_t bytes, std::uint64_t user) {
  return post(context, connection, {bytes, user, rxe::SendOpcode::kRdmaRead, 0});
}

base::Result<void> Host::post(Context& context, ConnectionId id, const FlowRequest& request) {
  if (id >= connections_.size()) return base::fail(EINVAL, "no such connection");
  Connection& connection = connections_.at(id);
  if (request.bytes > options_.engine.limits.max_msg_size) return base::fail(EINVAL, "longer than a message may be");
  if (options_.payload != PayloadMode::kElided && request.bytes > connection.options->message_bytes_max) {
    return base::fail(EINVAL, "longer than message_bytes_max, for which there is memory");
  }
  if (connection.state == ConnectionState::kClosed) return base::fail(ENOTCONN, "the connection is closed");
  if (connection.state == ConnectionState::kPlanned && !stack().open(context, id)) {
    return base::fail(ENOMEM, "the host's engine has no room for another queue pair");
  }
  connections_.push(connection, request);
  ++counters_.posted;
  const HostProfile& profile = options_.profile;
  cpu_free_ = std::max(cpu_free_, context.now()) + profile.cpu_per_post;
  stack_->give(context, id, cpu_free_ + profile.post_delay(false));
  stack_->settle(context);
  return {};
}

void Host::close(Context& context, ConnectionId id) {
  Connection& connection = connections_.at(id);
  if (connection.state == ConnectionState::kOpen) stack_->close(context, id);
  connection.state = ConnectionState::kClosed;
}

// --- events ---------------------------------------------------------------------------------------------------------

void Host::handle_event(Context& context, const Event& event) {
  switch (event.kind) {
    case event_kind::kArrival:
      arrive(context, reinterpret_cast<Packet*>(event.argument));
      return;
    case event_kind::kPortFree:
      port_.handle_free(context, *this);
      if (stack_ != nullptr && !halted_) stack_->settle(context);
      return;
    case host_event::kTimer:
      if (!halted_) stack_->handle_timer(context);
      return;
    case host_event::kReceive:
      receive_next(context);
      return;
    case host_event::kCompletion:
      stack_->deliver_next(context);
      return;
    case host_event::kProcess:
      processes().handle_event(context, event);
      return;
    case host_event::kNotify:
      processes().wake_waiting(context);
      return;
    case host_event::kLoopback:
      take(context, reinterpret_cast<Packet*>(event.argument));
      return;
    case host_event::kLinger:
      stack_->handle_linger(context, static_cast<ConnectionId>(event.argument));
      return;
    default:
      handle_rare_event(context, event);
      return;
  }
}

void Host::handle_rare_event(Context& context, const Event& event) {
  switch (event.kind) {
    case event_kind::kPauseExpired:
      port_.handle_pause_expired(context, *this);
      if (stack_ != nullptr && !halted_) stack_->settle(context);
      return;
    case event_kind::kLinkState:
      port_.handle_link_state(context, event.argument != 0, *this, pools_);
      if (stack_ != nullptr && !halted_) stack_->settle(context);
      return;
    case event_kind::kBitErrors:
      port_.set_bit_errors(event.argument, base::Rng(options_.seed, name_ + ".link"), pools_);
      return;
    case host_event::kHalt:
      set_halted(context, event.argument != 0);
      return;
    case host_event::kReceiveRate:
      set_receive_rate(context, event.argument);
      return;
    case host_event::kPauseRefresh:
      buffer_.refresh_scheduled = false;
      if (buffer_.paused_mask != 0) pause_peer(context, buffer_.paused_mask, true);
      return;
    default:
      if (event.kind >= host_event::kFirstOfUser && user_ != nullptr) {
        user_->on_event(*this, context, event.kind, event.argument);
      }
      return;
  }
}

// --- the port -------------------------------------------------------------------------------------------------------

Packet* Host::next(Context& context, std::uint8_t paused_mask) {
  return stack_ == nullptr || halted_ ? nullptr : stack_->pull(context, paused_mask);
}

bool Host::has_more(std::uint8_t) const { return stack_ != nullptr && !halted_ && stack_->device().has_transmit(); }

void Host::arrive(Context& context, Packet* packet) {
  switch (port_.accept(context, packet, *this, pools_)) {
    case Port::Arrival::kPacket:
      break;
    case Port::Arrival::kPause:
      if (stack_ != nullptr && !halted_) stack_->settle(context);
      return;
    case Port::Arrival::kGone:
      return;
  }
  if (packet->has(packet_flag::kControl)) [[unlikely]]
    return free(context, packet);  // of the link, for switches
  if (!halted_ && buffer_.rate_bps == 0 && buffer_.empty() && options_.profile.nic_receive == Duration()) [[likely]] {
    return take(context, packet);
  }
  packet->stamp_ps = context.now().count_ps();
  if (buffer_.bytes() + packet->frame_bytes() > options_.buffer_bytes) {
    ++counters_.rx_buffer_full;
    return free(context, packet);
  }
  const std::uint8_t priority = packet->priority;
  buffer_.push(packet);
  const auto bit = static_cast<std::uint8_t>(1u << priority);
  if (buffer_.bytes_of(priority) > options_.xoff_bytes && (options_.lossless_mask & ~buffer_.paused_mask & bit) != 0) {
    buffer_.paused_mask |= bit;
    pause_peer(context, bit, true);
  }
  schedule_receive(context);
}

void Host::take(Context& context, Packet* packet) {
  if (packet->destination != index_) [[unlikely]] {
    ++counters_.rx_not_for_us;
  } else if (packet->has(packet_flag::kTrimmed)) {
    ++counters_.rx_trimmed;
  } else {
    stack().receive(context, *packet);
  }
  free(context, packet);
  if (stack_ != nullptr) stack_->settle(context);
}

// --- the receive buffer ---------------------------------------------------------------------------------------------

void Host::schedule_receive(Context& context) {
  if (buffer_.scheduled || buffer_.empty() || halted_) return;
  std::uint64_t at = buffer_.front()->stamp_ps + static_cast<std::uint64_t>(options_.profile.nic_receive.count_ps());
  if (at < buffer_.drained_at_ps) at = buffer_.drained_at_ps;
  if (at < context.now().count_ps()) at = context.now().count_ps();
  if (buffer_.rate_bps != 0) {
    // A packet is dealt with when as much time has passed as its bytes take at the limited rate.
    at += Rate::from_bps(buffer_.rate_bps).time_ps(buffer_.front()->frame_bytes());
    buffer_.drained_at_ps = at;
  }
  buffer_.scheduled = true;
  context.schedule(TimePoint::from_ps(at), id(), host_event::kReceive, 0, 0);
}

void Host::receive_next(Context& context) {
  buffer_.scheduled = false;
  if (halted_ || buffer_.empty()) return;
  Packet* packet = buffer_.pop();
  const std::uint8_t priority = packet->priority;
  const auto bit = static_cast<std::uint8_t>(1u << priority);
  if ((buffer_.paused_mask & bit) != 0 && buffer_.bytes_of(priority) < options_.xon_bytes) {
    buffer_.paused_mask &= static_cast<std::uint8_t>(~bit);
    pause_peer(context, bit, false);
  }
  take(context, packet);
  schedule_receive(context);
}

void Host::pause_peer(Context& context, std::uint8_t mask, bool pause) {
  port_.send_pause(context, mask, pause ? kPauseQuanta : std::uint16_t{0}, *this, pools_);
  if (!pause || buffer_.refresh_scheduled) return;
  buffer_.refresh_scheduled = true;
  const std::uint64_t half_ps = port_.rate().time_ps(kPauseQuanta * kPauseQuantumBytes) / 2;
  context.schedule(TimePoint::from_ps(context.now().count_ps() + half_ps), id(), host_event::kPauseRefresh, 0, 0);
}

void Host::set_receive_rate(Context& context, std::uint64_t bits_per_s) {
  buffer_.rate_bps = bits_per_s;
  schedule_receive(context);
}

void Host::set_halted(Context& context, bool halted) {
  if (halted_ == halted) return;
  halted_ = halted;
  if (halted) return;
  schedule_receive(context);
  if (stack_ != nullptr) stack_->handle_timer(context);
}

// --- two hosts ------------------------------------------------------------------------------------------------------

std::pair<ConnectionId, ConnectionId> connect(Host& a, Host& b, const ConnectionOptions& options, FlowOwner* a_owner,
                                              FlowOwner* b_owner) {
  const ConnectionId at_a = a.connections_.add(options, a_owner, b.index_);
  const ConnectionId at_b = b.connections_.add(options, b_owner, a.index_);
  Connection& of_a = a.connections_.at(at_a);
  Connection& of_b = b.connections_.at(at_b);
  of_a.peer_qpn = ConnectionTable::qpn_of(at_b);
  of_b.peer_qpn = ConnectionTable::qpn_of(at_a);
  of_a.peer_source_arena = of_b.source_arena;
  of_a.peer_sink_arena = of_b.sink_arena;
  of_b.peer_source_arena = of_a.source_arena;
  of_b.peer_sink_arena = of_a.sink_arena;
  return {at_a, at_b};
}

}  // namespace rocelab::sim
