// See datagram_endpoint.h.
#include "tests/runtime/datagram_endpoint.h"

#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace rocelab::tests {

namespace {

constexpr std::size_t kGrhBytes = 40;     // in front of what is received on a UD QP
constexpr std::size_t kReceiveAt = 2048;  // what is sent lies before
constexpr std::uint32_t kQkey = 0x1234;
/// A source of the group's family, RoCE v2.
std::uint8_t source_of(const runtime::LocalDevice& device, const wire::Gid& group) {
  const auto& gids = device.description().gids;
  for (std::size_t i = 0; i < gids.size(); ++i) {
    const bool same_family = gids[i].gid.is_ipv4_mapped() == group.is_ipv4_mapped();
    if (same_family && gids[i].type == rxe::GidType::kRoceV2) return static_cast<std::uint8_t>(i);
  }
  return 0;
}

template <class T>
T must(base::Result<T> result, const char* what) {
  if (!result) {
    std::fprintf(stderr, "datagram endpoint: %s: %s\n", what, result.error().what);
    std::abort();
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace

DatagramEndpoint::DatagramEndpoint(runtime::LocalDevice& device, const wire::Gid& group)
    : device_(device), group_(group), memory_(2 * kReceiveAt) {
  using rxe::Device;
  namespace a = rxe::qp_attr;
  const auto call = [&](const char* what, auto f) {
    return must(device.with_engine([&](Device& d, base::TimePoint now) { return f(d, now); }), what);
  };
  pd_ = call("alloc_pd", [](Device& d, base::TimePoint) { return d.alloc_pd(); });
  cq_ = call("create_cq", [](Device& d, base::TimePoint) { return d.create_cq(64, nullptr); });
  rxe::MrInit init{pd_, memory_.data(), memory_.size(), reinterpret_cast<std::uint64_t>(memory_.data()), 0};
  init.access = rxe::access::kLocalWrite;
  mr_ = call("reg_mr", [&](Device& d, base::TimePoint) { return d.reg_mr(init); });
  rxe::QpInit qp;
  qp.type = rxe::QpType::kUd;
  qp.pd = pd_;
  qp.send_cq = qp.recv_cq = cq_;
  qp.cap.max_send_wr = qp.cap.max_recv_wr = 16;
  qp.cap.max_send_sge = qp.cap.max_recv_sge = 1;
  qp.sq_sig_all = true;
  qpn_ = call("create_qp", [&](Device& d, base::TimePoint) { return d.create_qp(qp); });
  rxe::QpAttr attr;
  attr.qkey = kQkey;
  const auto modify = [&](rxe::QpState state, std::uint32_t mask) {
    attr.state = state;
    call("modify_qp", [&](Device& d, base::TimePoint now) { return d.modify_qp(now, qpn_, attr, mask | a::kState); });
  };
  modify(rxe::QpState::kInit, a::kPkeyIndex | a::kPort | a::kQkey);
  modify(rxe::QpState::kRtr, 0);
  modify(rxe::QpState::kRts, a::kSqPsn);
  call("attach_mcast", [&](Device& d, base::TimePoint) { return d.attach_mcast(qpn_, group); });
  rxe::AddressVector av;
  av.dgid = group;
  av.sgid_index = source_of(device, group);
  av.destination_mac = must(device.resolve(group, source_of(device, group)), "resolve");
  ah_ = call("create_ah", [&](Device& d, base::TimePoint) { return d.create_ah(pd_, av); });
}

DatagramEndpoint::~DatagramEndpoint() {
  static_cast<void>(device_.with_engine([&](rxe::Device& d, base::TimePoint) {
    static_cast<void>(d.detach_mcast(qpn_, group_));
    static_cast<void>(d.destroy_qp(qpn_));
    static_cast<void>(d.destroy_ah(ah_));
    static_cast<void>(d.dereg_mr(mr_.id));
    static_cast<void>(d.destroy_cq(cq_));
    return d.dealloc_pd(pd_);
  }));
}

void DatagramEndpoint::post_recv() {
  const rxe::Sge sge{reinterpret_cast<std::uint64_t>(memory_.data() + kReceiveAt), kReceiveAt, mr_.lkey};
  rxe::RecvRequest request;
  request.sges = {&sge, 1};
  must(device_.post_recv(qpn_, request), "post_recv");
}

rxe::WcStatus DatagramEndpoint::send(const std::string& text) {
  std::memcpy(memory_.data(), text.data(), text.size());
  const rxe::Sge sge{reinterpret_cast<std::uint64_t>(memory_.data()), static_cast<std::uint32_t>(text.size()),
                     mr_.lkey};
  rxe::SendRequest request;
  request.flags = rxe::send_flag::kSignaled;
  request.sges = {&sge, 1};
  request.ah = ah_;
  request.remote_qpn = rxe::kMulticastQpn;
  request.remote_qkey = kQkey;
  must(device_.post_send(qpn_, request), "post_send");
  return poll_until(false).status;
}

std::string DatagramEndpoint::wait() {
  const rxe::Completion completion = poll_until(true);
  if (completion.status != rxe::WcStatus::kSuccess || completion.byte_len < kGrhBytes) return "";
  const char* const text = reinterpret_cast<const char*>(memory_.data() + kReceiveAt + kGrhBytes);
  return {text, completion.byte_len - kGrhBytes};
}

rxe::Completion DatagramEndpoint::poll_until(bool receive) {
  if (receive && !received_.empty()) {
    const rxe::Completion completion = received_.front();
    received_.erase(received_.begin());
    return completion;
  }
  for (;;) {
    rxe::Completion completion;
    if (device_.poll_cq(cq_, {&completion, 1}) == 0) {
      sched_yield();
      continue;
    }
    const bool is_receive = completion.opcode == rxe::WcOpcode::kRecv;
    if (is_receive == receive) return completion;
    if (is_receive) received_.push_back(completion);
  }
}

}  // namespace rocelab::tests
