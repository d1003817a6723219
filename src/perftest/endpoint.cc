// See endpoint.h.
#include "perftest/endpoint.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace rocelab::perftest {
namespace {

constexpr int kAccess =
    IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC;
constexpr std::uint32_t kPsn = 0x1234;
constexpr int kPollBatch = 16;

std::string because(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

ibv_mtu mtu_code(std::uint32_t bytes) {
  return static_cast<ibv_mtu>(std::bit_width(std::clamp(bytes, 256u, 4096u)) - 8);
}

/// Ends that do not agree on these would wait for each other for ever.
std::uint32_t fingerprint(const Options& options) {
  std::uint32_t hash = 17;
  for (const std::uint32_t value :
       {static_cast<std::uint32_t>(options.verb), static_cast<std::uint32_t>(options.measure), options.bytes,
        static_cast<std::uint32_t>(options.all_sizes), options.iterations, options.tx_depth}) {
    hash = hash * 31 + value;
  }
  return hash;
}

}  // namespace

Endpoint::~Endpoint() {
  if (qp_ != nullptr) ibv_destroy_qp(qp_);
  if (cq_ != nullptr) ibv_destroy_cq(cq_);
  if (mr_ != nullptr) ibv_dereg_mr(mr_);
  if (pd_ != nullptr) ibv_dealloc_pd(pd_);
  if (context_ != nullptr) ibv_close_device(context_);
}

std::string Endpoint::open(const Options& options, std::uint32_t buffer_bytes) {
  int count = 0;
  ibv_device** list = ibv_get_device_list(&count);
  if (list == nullptr) return because("ibv_get_device_list");
  for (int i = 0; i < count && context_ == nullptr; ++i) {
    if (options.device.empty() || options.device == ibv_get_device_name(list[i])) context_ = ibv_open_device(list[i]);
  }
  ibv_free_device_list(list);
  if (context_ == nullptr) return "there is no device" + (options.device.empty() ? "" : " " + options.device);

  ibv_port_attr port{};
  if (ibv_query_port(context_, 1, &port) != 0) return because("ibv_query_port");
  path_mtu_ = options.mtu == 0 ? port.active_mtu : mtu_code(options.mtu);
  mtu_ = 128u << path_mtu_;
  half_ = std::max<std::size_t>(buffer_bytes, 64);
  memory_.resize(2 * half_);
  depth_ = options.tx_depth;
  pd_ = ibv_alloc_pd(context_);
  if (pd_ == nullptr) return because("ibv_alloc_pd");
  mr_ = ibv_reg_mr(pd_, memory_.data(), memory_.size(), kAccess);
  if (mr_ == nullptr) return because("ibv_reg_mr");
  cq_ = ibv_create_cq(context_, static_cast<int>(2 * depth_), nullptr, nullptr, 0);
  if (cq_ == nullptr) return because("ibv_create_cq");
  ibv_qp_init_attr init{};
  init.send_cq = init.recv_cq = cq_;
  init.qp_type = IBV_QPT_RC;
  init.cap = {depth_, options.verb == Verb::kSend ? depth_ : 1, 1, 1, options.inline_bytes};
  qp_ = ibv_create_qp(pd_, &init);
  if (qp_ == nullptr) return because("ibv_create_qp");
  max_inline_ = options.inline_bytes;

  ibv_gid gid{};
  if (ibv_query_gid(context_, 1, options.gid_index, &gid) != 0) return because("ibv_query_gid");
  local_ = {qp_->qp_num, kPsn, mr_->rkey, fingerprint(options), reinterpret_cast<std::uintptr_t>(sink()), {}};
  std::memcpy(local_.gid, gid.raw, sizeof(local_.gid));
  return {};
}

std::string Endpoint::connect(const Options& options, Surroundings& surroundings) {
  if (!surroundings.swap(&local_, &remote_, sizeof(local_))) return "the other end is gone";
  if (remote_.fingerprint != local_.fingerprint) return "the two ends were not started with the same options";
  ibv_qp_attr attr{};
  attr.qp_state = IBV_QPS_INIT;
  attr.port_num = 1;
  attr.qp_access_flags = kAccess;
  if (ibv_modify_qp(qp_, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS) != 0) {
    return because("ibv_modify_qp to INIT");
  }
  attr.qp_state = IBV_QPS_RTR;
  attr.path_mtu = path_mtu_;
  attr.dest_qp_num = remote_.qpn;
  attr.rq_psn = remote_.psn;
  attr.max_dest_rd_atomic = kReadsMax;
  attr.min_rnr_timer = 12;
  attr.ah_attr.is_global = 1;
  attr.ah_attr.port_num = 1;
  attr.ah_attr.sl = options.service_level;
  attr.ah_attr.grh.sgid_index = options.gid_index;
  attr.ah_attr.grh.hop_limit = 64;
  attr.ah_attr.grh.traffic_class = options.traffic_class;
  std::memcpy(attr.ah_attr.grh.dgid.raw, remote_.gid, sizeof(remote_.gid));
  if (ibv_modify_qp(qp_, &attr,
                    IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
                        IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER) != 0) {
    return because("ibv_modify_qp to RTR");
  }
  attr.qp_state = IBV_QPS_RTS;
  attr.sq_psn = local_.psn;
  attr.timeout = 14;
  attr.retry_cnt = 7;
  attr.rnr_retry = 7;
  attr.max_rd_atomic = kReadsMax;
  if (ibv_modify_qp(qp_, &attr,
                    IBV_QP_STATE | IBV_QP_SQ_PSN | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
                        IBV_QP_MAX_QP_RD_ATOMIC) != 0) {
    return because("ibv_modify_qp to RTS");
  }
  return {};
}

bool Endpoint::meet(Surroundings& surroundings) const {
  const std::uint8_t mine = 1;
  std::uint8_t theirs = 0;
  return surroundings.swap(&mine, &theirs, sizeof(mine)) && theirs == mine;
}

bool Endpoint::post(Verb verb, std::uint32_t bytes, std::uint32_t inline_bytes, bool signaled) {
  const bool fetches = verb == Verb::kRead || verb == Verb::kAtomic;
  ibv_sge sge{reinterpret_cast<std::uintptr_t>(fetches ? sink() : source()), bytes, mr_->lkey};
  ibv_send_wr request{};
  ibv_send_wr* bad = nullptr;
  request.sg_list = &sge;
  request.num_sge = 1;
  request.send_flags = signaled ? IBV_SEND_SIGNALED : 0;
  if (!fetches && bytes <= inline_bytes) request.send_flags |= IBV_SEND_INLINE;
  switch (verb) {
    case Verb::kWrite:
      request.opcode = IBV_WR_RDMA_WRITE;
      break;
    case Verb::kRead:
      request.opcode = IBV_WR_RDMA_READ;
      break;
    case Verb::kSend:
      request.opcode = IBV_WR_SEND;
      break;
    case Verb::kAtomic:
      request.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD;
      request.wr.atomic.remote_addr = remote_.buffer;
      request.wr.atomic.rkey = remote_.rkey;
      request.wr.atomic.compare_add = 1;
      break;
  }
  if (verb == Verb::kWrite || verb == Verb::kRead) {
    request.wr.rdma.remote_addr = remote_.buffer;
    request.wr.rdma.rkey = remote_.rkey;
  }
  if (ibv_post_send(qp_, &request, &bad) == 0) return true;
  problem = because("ibv_post_send");
  return false;
}

bool Endpoint::post_receives() {
  while (receives_ - received < depth_) {
    ibv_sge sge{reinterpret_cast<std::uintptr_t>(sink()), static_cast<std::uint32_t>(half_), mr_->lkey};
    ibv_recv_wr request{};
    ibv_recv_wr* bad = nullptr;
    request.sg_list = &sge;
    request.num_sge = 1;
    if (ibv_post_recv(qp_, &request, &bad) != 0) {
      problem = because("ibv_post_recv");
      return false;
    }
    ++receives_;
  }
  return true;
}

bool Endpoint::poll() {
  ibv_wc done[kPollBatch];
  const int count = ibv_poll_cq(cq_, kPollBatch, done);
  for (int i = 0; i < count; ++i) {
    if (done[i].status != IBV_WC_SUCCESS) {
      problem = std::string("a request failed: ") + ibv_wc_status_str(done[i].status);
      return false;
    }
    ++((done[i].opcode & IBV_WC_RECV) != 0 ? received : sent);
  }
  return count >= 0;
}

}  // namespace rocelab::perftest
