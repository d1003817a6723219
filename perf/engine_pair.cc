// See engine_pair.h.
#include "perf/engine_pair.h"

#include "wire/gid.h"

namespace rocelab::perf {

namespace {

constexpr std::uint32_t kFirstPsn = 1000;
constexpr std::uint32_t kQueueDepth = 256;
constexpr std::uint32_t kAccess = rxe::access::kLocalWrite | rxe::access::kRemoteWrite | rxe::access::kRemoteRead;

wire::Gid gid_of(std::uint8_t number) { return wire::Gid::from_ipv4(0x0a4d0000u + number); }
wire::MacAddress mac_of(std::uint8_t number) { return {2, 0, 0, 0, 0, number}; }

rxe::DeviceOptions options_of(std::uint8_t number) {
  rxe::DeviceOptions options{.seed = number, .mac = mac_of(number), .node_guid = {}, .limits = {}};
  options.qpn_first = 0x1'0000u * number;
  return options;
}

}  // namespace

bool FrameSink::transmit(const wire::Packet& packet) {
  if (size_ == kFramesMax) return false;
  lengths_[size_] = net::encode_frame(packet, frames_[size_]);
  ++size_;
  return true;
}

bool connect_rc(rxe::Device& device, rxe::Qpn qpn, const wire::Gid& peer_gid, const wire::MacAddress& peer_mac,
                rxe::Qpn peer_qpn, std::uint32_t access) {
  namespace attr = rxe::qp_attr;
  rxe::QpAttr a;
  a.state = rxe::QpState::kInit;
  a.access_flags = access;
  if (!device.modify_qp({}, qpn, a, attr::kState | attr::kPkeyIndex | attr::kPort | attr::kAccessFlags)) return false;
  a.state = rxe::QpState::kRtr;
  a.av.dgid = peer_gid;
  a.av.destination_mac = peer_mac;
  a.path_mtu = rxe::PathMtu::k4096;
  a.dest_qpn = peer_qpn;
  a.rq_psn = kFirstPsn;
  a.max_dest_rd_atomic = 16;
  if (!device.modify_qp({}, qpn, a,
                        attr::kState | attr::kAv | attr::kPathMtu | attr::kDestQpn | attr::kRqPsn |
                            attr::kMaxDestRdAtomic | attr::kMinRnrTimer)) {
    return false;
  }
  a.state = rxe::QpState::kRts;
  a.sq_psn = kFirstPsn;
  a.timeout = 20;
  a.retry_cnt = 7;
  a.rnr_retry = 7;
  a.max_rd_atomic = 16;
  return device
      .modify_qp(
          {}, qpn, a,
          attr::kState | attr::kSqPsn | attr::kTimeout | attr::kRetryCnt | attr::kRnrRetry | attr::kMaxQpRdAtomic)
      .has_value();
}

EngineEnd::EngineEnd(std::uint8_t number) : device(options_of(number)), number_(number) { valid = create(); }

bool EngineEnd::create() {
  rxe::GidEntry entry;
  entry.gid = gid_of(number_);
  entry.valid = true;
  if (!device.set_gid(0, entry)) return false;
  device.handle_port_state({}, true);
  while (device.poll_event()) {
  }
  const auto pd = device.alloc_pd();
  const auto queue = device.create_cq(4 * kQueueDepth, nullptr);
  if (!pd || !queue) return false;
  pd_ = *pd;
  cq = *queue;
  rxe::MrInit init;
  init.pd = pd_;
  init.host = memory_.data();
  init.iova = reinterpret_cast<std::uint64_t>(memory_.data());
  init.length = memory_.size();
  init.access = kAccess;
  const auto region = device.reg_mr(init);
  if (!region) return false;
  region_ = *region;
  rxe::QpInit qp;
  qp.pd = pd_;
  qp.send_cq = cq;
  qp.recv_cq = cq;
  qp.cap = {kQueueDepth, kQueueDepth, 1, 1, 256};
  const auto created = device.create_qp(qp);
  if (created) qpn = *created;
  return created.has_value();
}

bool EngineEnd::connect(const EngineEnd& peer) {
  return connect_rc(device, qpn, gid_of(peer.number_), mac_of(peer.number_), peer.qpn, kAccess);
}

rxe::SendRequest EngineEnd::request(rxe::SendOpcode opcode, std::uint32_t length, bool signaled,
                                    const EngineEnd& peer) {
  sge_ = {reinterpret_cast<std::uint64_t>(memory_.data()), length, region_.lkey};
  rxe::SendRequest request;
  request.opcode = opcode;
  request.flags = signaled ? rxe::send_flag::kSignaled : 0;
  request.sges = std::span(&sge_, 1);
  request.remote_addr = reinterpret_cast<std::uint64_t>(peer.memory_.data());
  request.rkey = peer.region_.rkey;
  return request;
}

bool EngineEnd::post_receive() {
  const rxe::Sge sge{reinterpret_cast<std::uint64_t>(memory_.data()), 65'536, region_.lkey};
  return device.post_recv({}, qpn, {.wr_id = 1, .sges = std::span(&sge, 1)}).has_value();
}

EnginePair::EnginePair() {
  a.valid = a.valid && b.valid && a.connect(b);
  b.valid = a.valid && b.connect(a);
}

bool EnginePair::deliver(EngineEnd& from, EngineEnd& to) {
  bool good = true;
  for (std::size_t i = 0; i < from.sink.size(); ++i) {
    wire::Packet packet;
    good = net::decode_frame(from.sink.frame(i), packet).has_value() && good;
    to.device.handle_packet(now, packet);
  }
  from.sink.clear();
  return good;
}

}  // namespace rocelab::perf
