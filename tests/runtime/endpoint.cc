// See endpoint.h.
#include "tests/runtime/endpoint.h"

#include <fmt/format.h>
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace rocelab::tests {

namespace {

/// The tests' set-up must work; what they test comes after.
template <class T>
T must(base::Result<T> result, const char* what) {
  if (!result) {
    std::fprintf(stderr, "endpoint: %s: %s\n", what, result.error().what);
    std::abort();
  }
  return std::move(*result);
}

int code(const base::Result<void>& result) { return result ? 0 : result.error().code; }

constexpr unsigned kPollsPerYield = 1'000;  // two processes may share a processor

}  // namespace

std::string Address::to_line() const { return fmt::format("{} {} {} {}", qpn, wire::to_string(gid), memory, rkey); }

Address Address::from_line(const std::string& line) {
  std::istringstream in(line);
  Address address;
  std::string gid;
  in >> address.qpn >> gid >> address.memory >> address.rkey;
  address.gid = wire::parse_gid(gid).value_or(wire::Gid{});
  return address;
}

Endpoint::Endpoint(runtime::LocalDevice& device, const Options& options)
    : device_(device), options_(options), memory_(options.bytes) {
  using rxe::Device;
  pd_ = must(device.with_engine([](Device& d, base::TimePoint) { return d.alloc_pd(); }), "alloc_pd");
  cq_ = must(device.with_engine([&](Device& d, base::TimePoint) {
    return d.create_cq(options.cqe != 0 ? options.cqe : 2 * options.depth, this);
  }),
             "create_cq");
  rxe::MrInit init{pd_, memory_.data(), memory_.size(), reinterpret_cast<std::uint64_t>(memory_.data()), 0};
  init.access = rxe::access::kLocalWrite | rxe::access::kRemoteWrite | rxe::access::kRemoteRead;
  mr_ = must(device.with_engine([&](Device& d, base::TimePoint) { return d.reg_mr(init); }), "reg_mr");
  rxe::QpInit qp;
  qp.pd = pd_;
  qp.send_cq = qp.recv_cq = cq_;
  qp.cap.max_send_wr = qp.cap.max_recv_wr = options.depth;
  qp.cap.max_send_sge = qp.cap.max_recv_sge = 1;
  qp.sq_sig_all = true;
  qpn_ = must(device.with_engine([&](Device& d, base::TimePoint) { return d.create_qp(qp); }), "create_qp");
}

Endpoint::~Endpoint() {
  static_cast<void>(device_.with_engine([&](rxe::Device& d, base::TimePoint) {
    static_cast<void>(d.destroy_qp(qpn_));
    static_cast<void>(d.dereg_mr(mr_.id));
    static_cast<void>(d.destroy_cq(cq_));
    return d.dealloc_pd(pd_);
  }));
}

Address Endpoint::address() const {
  return {qpn_, device_.description().gids[options_.gid_index].gid, reinterpret_cast<std::uint64_t>(memory_.data()),
          mr_.rkey};
}

int Endpoint::modify(const rxe::QpAttr& attr, std::uint32_t mask) {
  return code(
      device_.with_engine([&](rxe::Device& d, base::TimePoint now) { return d.modify_qp(now, qpn_, attr, mask); }));
}

int Endpoint::connect(const Address& peer) {
  namespace a = rxe::qp_attr;
  peer_ = peer;
  rxe::QpAttr attr;
  const auto modify = [&](std::uint32_t mask) {
    return code(
        device_.with_engine([&](rxe::Device& d, base::TimePoint now) { return d.modify_qp(now, qpn_, attr, mask); }));
  };
  attr.state = rxe::QpState::kInit;
  attr.access_flags = rxe::access::kRemoteWrite | rxe::access::kRemoteRead;
  if (const int error = modify(a::kState | a::kPkeyIndex | a::kPort | a::kAccessFlags)) return error;
  const auto mac = device_.resolve(peer.gid, options_.gid_index);
  if (!mac) return mac.error().code;
  attr.state = rxe::QpState::kRtr;
  attr.path_mtu = device_.description().mtu;
  attr.dest_qpn = peer.qpn;
  attr.av.dgid = peer.gid;
  attr.av.sgid_index = options_.gid_index;
  attr.av.destination_mac = *mac;
  attr.max_dest_rd_atomic = 4;
  attr.min_rnr_timer = 1;
  const std::uint32_t rtr =
      a::kState | a::kAv | a::kPathMtu | a::kDestQpn | a::kRqPsn | a::kMaxDestRdAtomic | a::kMinRnrTimer;
  if (const int error = modify(rtr)) return error;
  attr.state = rxe::QpState::kRts;
  attr.timeout = options_.timeout;
  attr.retry_cnt = options_.retry_count;
  attr.rnr_retry = 7;
  attr.max_rd_atomic = 4;
  return modify(a::kState | a::kTimeout | a::kRetryCnt | a::kRnrRetry | a::kSqPsn | a::kMaxQpRdAtomic);
}

int Endpoint::post(std::uint64_t wr_id, rxe::SendOpcode opcode, std::size_t offset, std::uint32_t length,
                   std::size_t remote_offset) {
  const rxe::Sge sge{reinterpret_cast<std::uint64_t>(memory_.data() + offset), length, mr_.lkey};
  rxe::SendRequest request;
  request.wr_id = wr_id;
  request.opcode = opcode;
  request.flags = rxe::send_flag::kSignaled;
  request.sges = {&sge, 1};
  request.remote_addr = peer_.memory + remote_offset;
  request.rkey = peer_.rkey;
  return code(device_.post_send(qpn_, request));
}

int Endpoint::post_send(std::uint64_t wr_id, std::size_t offset, std::uint32_t length) {
  return post(wr_id, rxe::SendOpcode::kSend, offset, length, 0);
}
int Endpoint::post_write(std::uint64_t wr_id, std::size_t offset, std::uint32_t length, std::size_t remote_offset) {
  return post(wr_id, rxe::SendOpcode::kRdmaWrite, offset, length, remote_offset);
}
int Endpoint::post_read(std::uint64_t wr_id, std::size_t offset, std::uint32_t length, std::size_t remote_offset) {
  return post(wr_id, rxe::SendOpcode::kRdmaRead, offset, length, remote_offset);
}

int Endpoint::post_recv(std::uint64_t wr_id, std::size_t offset, std::uint32_t length) {
  const rxe::Sge sge{reinterpret_cast<std::uint64_t>(memory_.data() + offset), length, mr_.lkey};
  rxe::RecvRequest request;
  request.wr_id = wr_id;
  request.sges = {&sge, 1};
  return code(device_.post_recv(qpn_, request));
}

int Endpoint::arm() { return code(device_.req_notify_cq(cq_, false)); }

std::optional<rxe::Completion> Endpoint::poll() {
  rxe::Completion completion;
  if (device_.poll_cq(cq_, {&completion, 1}) == 0) return std::nullopt;
  return completion;
}

rxe::Completion Endpoint::wait() {
  for (unsigned polls = 1;; ++polls) {
    if (const auto completion = poll()) return *completion;
    if (polls % kPollsPerYield == 0) sched_yield();
  }
}

}  // namespace rocelab::tests
