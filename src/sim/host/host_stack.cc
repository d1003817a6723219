// The engine of a host and its flows; the way of packets is in host_packets.cc.
#include "sim/host/host_stack.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "sim/host/frame_edge.h"
#include "sim/host/host.h"
#include "sim/host/payload_pattern.h"

namespace rocelab::sim {
namespace {

/// QP numbers behind those of the flows, for processes.
constexpr std::uint32_t kProcessQpns = 0x1000;
/// The flows' completion queue grows when it has to; it is emptied in each event.
constexpr std::uint32_t kCompletionsMax = 1u << 22;
/// Elided memory: more than the arenas of any number of connections.
constexpr std::uint64_t kElidedBytes = 1ull << 62;
constexpr std::uint32_t kAllAccess =
    rxe::access::kLocalWrite | rxe::access::kRemoteWrite | rxe::access::kRemoteRead | rxe::access::kRemoteAtomic;
constexpr std::size_t kPollBatch = 16;
constexpr std::uint64_t kReceiveId = ~0ull;

/// Mixes a seed with a number (splitmix64's finaliser).
std::uint64_t mix(std::uint64_t seed, std::uint64_t number) {
  std::uint64_t x = seed + 0x9e37'79b9'7f4a'7c15ull * (number + 1);
  x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11ebull;
  return x ^ (x >> 31);
}

/// The first PSN of the QP that sends: both ends can say it.
std::uint32_t first_psn(std::uint64_t seed, NodeId host, rxe::Qpn qpn) {
  return static_cast<std::uint32_t>(mix(seed ^ qpn, host)) & 0xff'ffff;
}

rxe::DeviceOptions device_options(const Host& host) {
  const HostOptions& common = host.options();
  rxe::DeviceOptions options = common.engine;
  options.seed = mix(common.seed, host.index());
  options.mac = host_mac(host.index());
  options.node_guid = {0x02, 0x00, options.mac[2], 0xff, 0xfe, options.mac[3], options.mac[4], options.mac[5]};
  options.qpn_first = kFlowQpnFirst;
  options.qpn_reserved = static_cast<std::uint32_t>(host.connections().size());
  options.qpn_count = options.qpn_reserved + kProcessQpns;
  options.limits.max_qp = std::max(options.limits.max_qp, options.qpn_count);
  options.limits.gid_table_length = 2;
  options.queues_grow = true;
  options.link_bits_per_s = host.port().rate().bps();
  return options;
}

}  // namespace

HostStack::HostStack(Host& host) : host_(host), device_(device_options(host)) {
  const wire::Gid gid = host_gid(host.index());
  // None of these can fail: the device is new and its limits are far.
  [[maybe_unused]] const auto v2 = device_.set_gid(0, {.gid = gid, .type = rxe::GidType::kRoceV2, .valid = true});
  [[maybe_unused]] const auto v1 = device_.set_gid(1, {.gid = gid, .type = rxe::GidType::kRoceV1, .valid = true});
  if (const auto pd = device_.alloc_pd()) pd_ = *pd;
  if (const auto cq = device_.create_cq(kCompletionsMax, nullptr)) cq_ = *cq;
  rxe::MrInit region{.pd = pd_, .host = nullptr, .length = kElidedBytes, .iova = 0, .access = kAllAccess};
  if (host.options_.payload != PayloadMode::kElided) {
    region.length = std::max<std::uint64_t>(host.connections_.memory_bytes(), 1);
    memory_.reset(static_cast<std::byte*>(std::calloc(region.length, 1)));
    region.host = memory_.get();
  }
  if (const auto mr = device_.reg_mr(region)) region_ = *mr;
  if (host.options_.payload == PayloadMode::kWireExact) edge_ = std::make_unique<FrameEdge>(host);
}

HostStack::~HostStack() = default;

// --- connections ----------------------------------------------------------------------------------------------------

bool HostStack::open(Context& context, ConnectionId id) {
  Connection& connection = host_.connections_.at(id);
  const ConnectionOptions& options = *connection.options;
  rxe::QpInit init;
  init.type = options.type;
  init.pd = pd_;
  init.send_cq = init.recv_cq = cq_;
  init.cap = {options.send_depth, options.receive_depth, 1, std::uint32_t{options.receive_depth != 0}, 0};
  init.sq_sig_all = true;
  init.number = ConnectionTable::qpn_of(id);
  const auto qpn = device_.create_qp(init);
  if (!qpn) return false;
  if (!connect_qp(context, connection, *qpn)) return false;
  fill_arena(connection.source_arena, options.message_bytes_max, host_.index(), *qpn);
  for (unsigned i = 0; i < options.receive_depth; ++i) {
    if (!post_receive(context.now(), connection, *qpn)) return false;
  }
  connection.state = ConnectionState::kOpen;
  return true;
}

base::Result<void> HostStack::connect_qp(Context& context, const Connection& connection, rxe::Qpn qpn) {
  namespace mask = rxe::qp_attr;
  const ConnectionOptions& options = *connection.options;
  const std::uint64_t seed = host_.options_.seed;
  const bool reliable = options.type == rxe::QpType::kRc;
  rxe::QpAttr attr;
  attr.state = rxe::QpState::kInit;
  attr.access_flags = kAllAccess;
  std::uint32_t members = mask::kState | mask::kPkeyIndex | mask::kPort | mask::kAccessFlags;
  if (auto done = device_.modify_qp(context.now(), qpn, attr, members); !done) return done;

  attr.state = rxe::QpState::kRtr;
  attr.av.dgid = host_gid(connection.peer);
  attr.av.destination_mac = host_mac(connection.peer);
  attr.av.sgid_index = options.gid_index;
  attr.av.service_level = options.priority;
  attr.av.traffic_class = options.traffic_class;
  attr.path_mtu = options.mtu;
  attr.dest_qpn = connection.peer_qpn;
  attr.rq_psn = first_psn(seed, connection.peer, connection.peer_qpn);
  attr.max_dest_rd_atomic = options.rd_atomic;
  attr.min_rnr_timer = 1;  // 10 us
  members = mask::kState | mask::kAv | mask::kPathMtu | mask::kDestQpn | mask::kRqPsn;
  if (reliable) members |= mask::kMaxDestRdAtomic | mask::kMinRnrTimer;
  if (auto done = device_.modify_qp(context.now(), qpn, attr, members); !done) return done;

  attr.state = rxe::QpState::kRts;
  attr.sq_psn = first_psn(seed, host_.index(), qpn);
  attr.timeout = options.timeout;
  attr.retry_cnt = options.retry_cnt;
  attr.rnr_retry = options.rnr_retry;
  attr.max_rd_atomic = options.rd_atomic;
  members = mask::kState | mask::kSqPsn;
  if (reliable) members |= mask::kTimeout | mask::kRetryCnt | mask::kRnrRetry | mask::kMaxQpRdAtomic;
  return device_.modify_qp(context.now(), qpn, attr, members);
}

base::Result<void> HostStack::post_receive(TimePoint now, const Connection& connection, rxe::Qpn qpn) {
  const std::uint64_t room = host_.options_.payload == PayloadMode::kElided ? device_.options().limits.max_msg_size
                                                                            : connection.options->message_bytes_max;
  const rxe::Sge sge{connection.sink_arena, static_cast<std::uint32_t>(room), region_.lkey};
  return device_.post_recv(now, qpn, {.wr_id = kReceiveId, .sges = {&sge, 1}});
}

void HostStack::close(Context&, ConnectionId id) {
  Connection& connection = host_.connections_.at(id);
  [[maybe_unused]] const auto gone = device_.destroy_qp(ConnectionTable::qpn_of(id));
  while (connection.first_request != kNoRequest) host_.connections_.pop(connection);
  connection.in_engine = 0;
  connection.state = ConnectionState::kClosed;
}

// --- requests -------------------------------------------------------------------------------------------------------

void HostStack::give(Context& context, ConnectionId id, TimePoint not_before) {
  Connection& connection = host_.connections_.at(id);
  if (not_before > context.now()) device_.hold_requests(ConnectionTable::qpn_of(id), not_before);
  while (connection.next_request != kNoRequest && connection.in_engine < connection.options->send_depth) {
    const std::uint32_t index = connection.next_request;
    ConnectionTable::Request& request = host_.connections_.request(index);
    const bool read = request.what.opcode == rxe::SendOpcode::kRdmaRead;
    const rxe::Sge sge{read ? connection.sink_arena : connection.source_arena,
                       static_cast<std::uint32_t>(request.what.bytes), region_.lkey};
    rxe::SendRequest send;
    send.wr_id = index;
    send.opcode = request.what.opcode;
    send.flags = rxe::send_flag::kSignaled;
    if (request.what.bytes != 0) send.sges = {&sge, 1};
    send.immediate = request.what.immediate;
    send.remote_addr = read ? connection.peer_source_arena : connection.peer_sink_arena;
    send.rkey = region_.rkey;  // every host's region is its engine's first: the keys are the same
    if (!device_.post_send(context.now(), ConnectionTable::qpn_of(id), send)) return;
    connection.next_request = request.next;
    ++connection.in_engine;
  }
}

// --- what the engine has to tell ------------------------------------------------------------------------------------

void HostStack::settle(Context& context) {
  if (settling_) {
    again_ = true;
    return;
  }
  settling_ = true;
  do {
    again_ = false;
    if (device_.has_transmit() && !host_.halted_) host_.port_.kick(context, host_);
    if (device_.cq_pending(cq_) != 0) hand_out(context);
  } while (again_);
  settling_ = false;
  while (const auto event = device_.poll_event()) {
    happened_ = true;
    // What flows use has no user pointer, and neither have events of the port.
    const bool of_port = event->type == rxe::EventType::kPortActive || event->type == rxe::EventType::kPortErr ||
                         event->type == rxe::EventType::kGidChange;
    if (handler_ != nullptr && (event->user != nullptr || of_port)) handler_->on_event(*event);
  }
  if (happened_ && host_.processes_ != nullptr) host_.processes_->something_happened(context);
  happened_ = false;
  set_timer(context);
}

void HostStack::hand_out(Context& context) {
  const HostProfile& profile = host_.options_.profile;
  const Duration delay = profile.completion_write + profile.cpu_per_completion;
  std::array<rxe::Completion, kPollBatch> batch;
  for (;;) {
    const std::size_t count = device_.poll_cq(cq_, batch);
    for (std::size_t i = 0; i < count; ++i) {
      const rxe::Completion& completion = batch[i];
      Connection& connection = *host_.connections_.find(completion.qp_num);
      if (completion.wr_id == kReceiveId && completion.status == rxe::WcStatus::kSuccess) {
        [[maybe_unused]] const auto posted = post_receive(context.now(), connection, completion.qp_num);
      }
      if (delay == Duration()) {
        completed(context, completion);
      } else {
        completions_.push(completion);
        context.schedule(context.now() + delay, host_.id(), host_event::kCompletion, 0, 0);
      }
    }
    if (count < batch.size()) return;
  }
}

void HostStack::deliver_next(Context& context) {
  completed(context, completions_.pop());
  settle(context);
}

void HostStack::completed(Context& context, const rxe::Completion& completion) {
  const ConnectionId id = ConnectionTable::id_of(completion.qp_num);
  Connection& connection = host_.connections_.at(id);
  if (connection.state != ConnectionState::kOpen) return;  // closed in the meantime
  if (completion.wr_id != kReceiveId) {
    request_done(context, connection, id, completion);
  } else if (completion.status == rxe::WcStatus::kSuccess) {
    message_arrived(context, connection, id, completion);
  }
}

void HostStack::request_done(Context& context, Connection& connection, ConnectionId id,
                             const rxe::Completion& completion) {
  HostCounters& counters = host_.counters_;
  if (completion.wr_id != connection.first_request) {
    ++counters.disordered;
    return;
  }
  const FlowRequest request = host_.connections_.pop(connection);
  --connection.in_engine;
  ++counters.completed;
  if (completion.status == rxe::WcStatus::kSuccess) {
    counters.acked_bytes += request.bytes;
    const auto bytes = static_cast<std::uint32_t>(request.bytes);
    std::uint32_t& longest = request.opcode == rxe::SendOpcode::kRdmaRead ? connection.read : connection.written;
    longest = std::max(longest, bytes);
  } else {
    ++counters.failed;
  }
  const std::uint32_t resent = device_.resent_packets(completion.qp_num);
  connection.resent_last = resent - connection.resent_before;
  connection.resent_before = resent;
  FlowOwner* owner = connection.owner;
  give(context, id, TimePoint());
  if (connection.single_message && connection.first_request == kNoRequest) host_.close(context, id);
  again_ = true;
  if (owner != nullptr) owner->on_complete(host_, context, id, request.user, completion.status);
}

void HostStack::message_arrived(Context& context, Connection& connection, ConnectionId id,
                                const rxe::Completion& completion) {
  ++host_.counters_.messages;
  if (!delivered(id, completion.byte_len)) ++host_.counters_.misdelivered;
  if (connection.owner != nullptr) {
    connection.owner->on_message(host_, context, id, completion.byte_len, completion.immediate);
  }
}

// --- timers ---------------------------------------------------------------------------------------------------------

void HostStack::set_timer(Context& context) {
  const std::uint64_t due = device_.next_timeout_bound_or(TimePoint::from_ps(kNever)).count_ps();
  if (due == kNever) return;
  const std::uint64_t at = std::max(due, context.now().count_ps());
  if (!timers_.empty() && timers_.back() <= at) return;  // that event will look again
  timers_.push_back(at);
  context.schedule(TimePoint::from_ps(at), host_.id(), host_event::kTimer, 0, 0);
}

void HostStack::handle_timer(Context& context) {
  const std::uint64_t now = context.now().count_ps();
  while (!timers_.empty() && timers_.back() <= now) timers_.pop_back();
  device_.handle_timeout(context.now());
  happened_ = true;
  settle(context);
}

// --- the end of single-message connections --------------------------------------------------------------------------

Duration HostStack::linger_time(const Connection& connection) const {
  // Twice the sender's timeout: by then it has sent again what it thinks is lost, or never will.
  const unsigned exponent = connection.options->timeout;
  return std::max(Duration::ns(2 * (std::int64_t{4'096} << exponent)), Duration::ms(1));
}

void HostStack::note_arrival(Context& context, rxe::Qpn qpn, const Packet& packet) {
  Connection* connection = host_.connections_.find(qpn);
  if (connection == nullptr) return;
  const ConnectionId id = ConnectionTable::id_of(qpn);
  if (connection->state == ConnectionState::kPlanned) [[unlikely]]
    open(context, id);
  if (!connection->single_message || !packet.has(packet_flag::kData)) return;
  connection->last_arrival_ps = context.now().count_ps();
  if (!packet.has(packet_flag::kLast) || connection->lingers) return;
  connection->lingers = true;
  context.schedule(context.now() + linger_time(*connection), host_.id(), host_event::kLinger, 0, id);
}

void HostStack::handle_linger(Context& context, ConnectionId id) {
  Connection& connection = host_.connections_.at(id);
  if (connection.state != ConnectionState::kOpen) return;
  const TimePoint over = TimePoint::from_ps(connection.last_arrival_ps) + linger_time(connection);
  if (over > context.now()) {
    context.schedule(over, host_.id(), host_event::kLinger, 0, id);
  } else if (connection.first_request == kNoRequest) {
    close(context, id);
  }
}

// --- real bytes -----------------------------------------------------------------------------------------------------

void HostStack::fill_arena(std::uint64_t arena, std::uint64_t bytes, NodeId host, rxe::Qpn qpn) {
  if (memory_ == nullptr) return;
  PayloadPattern(host, qpn).fill({memory_.get() + arena, bytes});
}

bool HostStack::delivered(ConnectionId id, std::uint64_t bytes) const {
  if (memory_ == nullptr) return true;
  const Connection& connection = host_.connections_.at(id);
  return PayloadPattern(connection.peer, connection.peer_qpn).matches({memory_.get() + connection.sink_arena, bytes});
}

}  // namespace rocelab::sim
