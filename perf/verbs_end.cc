// Opening, connecting and polling for the verbs benchmarks.
#include "perf/verbs_end.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

namespace rocelab::perf {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kFlagBytes = 64;
constexpr std::uint32_t kInlineWanted = 256;
constexpr std::uint8_t kReadsAtOnce = 16;
constexpr std::uint8_t kTimeout = 17;  // 4.096 us * 2^17 = 0.5 s: a preempted peer is no lost packet
constexpr std::uint32_t kFirstPsn = 0x10'0000;

std::string failed(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

std::byte* pages(std::size_t bytes) {
  void* memory = std::aligned_alloc(kPage, (bytes + kPage - 1) / kPage * kPage);
  if (memory != nullptr) std::memset(memory, 0, bytes);
  return static_cast<std::byte*>(memory);
}

}  // namespace

void VerbsEnd::Free::operator()(std::byte* bytes) const { std::free(bytes); }

VerbsEnd::~VerbsEnd() {
  for (ibv_qp* qp : qps_) ibv_destroy_qp(qp);
  if (cq_ != nullptr) ibv_destroy_cq(cq_);
  if (out_region_ != nullptr) ibv_dereg_mr(out_region_);
  if (in_region_ != nullptr) ibv_dereg_mr(in_region_);
  if (pd_ != nullptr) ibv_dealloc_pd(pd_);
  if (context_ != nullptr) ibv_close_device(context_);
}

std::string VerbsEnd::open(const EndOptions& options, Channel& channel) {
  std::string problem = open_device(options);
  if (problem.empty()) problem = create_qps(options);
  bool peer_failed = false;
  // Each learns of the other's failure, so that nobody waits for a peer that has given up.
  if (!channel.exchange(!problem.empty(), peer_failed)) return "the other process has gone";
  if (!problem.empty()) return problem;
  if (peer_failed) return "the other process failed";
  return connect(options, channel);
}

std::string VerbsEnd::open_device(const EndOptions& options) {
  int count = 0;
  ibv_device** devices = ibv_get_device_list(&count);
  if (devices == nullptr) return failed("ibv_get_device_list");
  for (int i = 0; i < count && context_ == nullptr; ++i) {
    if (options.device.empty() || options.device == ibv_get_device_name(devices[i])) {
      context_ = ibv_open_device(devices[i]);
      if (context_ == nullptr) break;
    }
  }
  const std::string problem = failed(count == 0 ? "no RDMA device" : "cannot open the RDMA device");
  ibv_free_device_list(devices);
  if (context_ == nullptr) return problem;
  if (ibv_query_port(context_, 1, &port_) != 0) return failed("ibv_query_port");
  pd_ = ibv_alloc_pd(context_);
  if (pd_ == nullptr) return failed("ibv_alloc_pd");

  flag_offset_ = (options.buffer_bytes + kFlagBytes - 1) / kFlagBytes * kFlagBytes;
  const std::size_t bytes = flag_offset_ + kFlagBytes;
  out_.reset(pages(bytes));
  in_.reset(pages(bytes));
  if (out_ == nullptr || in_ == nullptr) return failed("buffers");
  const int access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ;
  out_region_ = ibv_reg_mr(pd_, out_.get(), bytes, access);
  in_region_ = ibv_reg_mr(pd_, in_.get(), bytes, access);
  return out_region_ == nullptr || in_region_ == nullptr ? failed("ibv_reg_mr") : "";
}

std::string VerbsEnd::create_qps(const EndOptions& options) {
  const std::uint64_t completions = std::uint64_t{options.qps} * (options.recv_depth + 32) + options.depth;
  cq_ = ibv_create_cq(context_, static_cast<int>(std::min<std::uint64_t>(completions, 1u << 20)), nullptr, nullptr, 0);
  if (cq_ == nullptr) return failed("ibv_create_cq");
  qps_.reserve(options.qps);
  for (std::uint32_t i = 0; i < options.qps; ++i) {
    ibv_qp_init_attr init{};
    init.send_cq = cq_;
    init.recv_cq = cq_;
    init.qp_type = IBV_QPT_RC;
    init.cap = {options.depth, options.recv_depth, 1, 1, kInlineWanted};
    ibv_qp* qp = ibv_create_qp(pd_, &init);
    if (qp == nullptr) return failed("ibv_create_qp");
    qps_.push_back(qp);
    inline_max_ = init.cap.max_inline_data;
    ibv_qp_attr attr{};
    attr.qp_state = IBV_QPS_INIT;
    attr.port_num = 1;
    attr.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ;
    if (ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS) != 0) {
      return failed("ibv_modify_qp to INIT");
    }
  }
  return "";
}

bool VerbsEnd::to_rtr_and_rts(ibv_qp* qp, std::uint32_t peer_qpn, const EndOptions& options) {
  ibv_qp_attr attr{};
  attr.qp_state = IBV_QPS_RTR;
  attr.path_mtu = port_.active_mtu;
  attr.dest_qp_num = peer_qpn;
  attr.rq_psn = kFirstPsn;
  attr.max_dest_rd_atomic = kReadsAtOnce;
  attr.min_rnr_timer = 1;
  attr.ah_attr.is_global = 1;
  attr.ah_attr.port_num = 1;
  attr.ah_attr.grh.dgid = peer_.gid;
  attr.ah_attr.grh.sgid_index = static_cast<std::uint8_t>(options.gid_index);
  attr.ah_attr.grh.hop_limit = 64;
  if (ibv_modify_qp(qp, &attr,
                    IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
                        IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER) != 0) {
    return false;
  }
  attr.qp_state = IBV_QPS_RTS;
  attr.timeout = kTimeout;
  attr.retry_cnt = 7;
  attr.rnr_retry = 7;
  attr.sq_psn = kFirstPsn;
  attr.max_rd_atomic = kReadsAtOnce;
  return ibv_modify_qp(qp, &attr,
                       IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
                           IBV_QP_MAX_QP_RD_ATOMIC) == 0;
}

std::string VerbsEnd::connect(const EndOptions& options, Channel& channel) {
  Peer mine{};
  if (ibv_query_gid(context_, 1, static_cast<int>(options.gid_index), &mine.gid) != 0) return failed("ibv_query_gid");
  mine.in_address = reinterpret_cast<std::uint64_t>(in_.get());
  mine.out_address = reinterpret_cast<std::uint64_t>(out_.get());
  mine.in_rkey = in_region_->rkey;
  mine.out_rkey = out_region_->rkey;
  std::vector<std::uint32_t> my_qpns;
  for (const ibv_qp* qp : qps_) my_qpns.push_back(qp->qp_num);
  std::vector<std::uint32_t> peer_qpns(my_qpns.size());
  if (!channel.exchange(mine, peer_) ||
      !channel.exchange(my_qpns.data(), peer_qpns.data(), my_qpns.size() * sizeof(std::uint32_t))) {
    return "the other process has gone";
  }
  for (std::size_t i = 0; i < qps_.size(); ++i) {
    if (!to_rtr_and_rts(qps_[i], peer_qpns[i], options)) return failed("ibv_modify_qp to RTR and RTS");
  }
  return channel.barrier() ? "" : "the other process has gone";
}

void VerbsEnd::fill(ibv_send_wr& wr, ibv_sge& sge, ibv_wr_opcode opcode, std::size_t offset, std::size_t length,
                    bool signaled) {
  const bool read = opcode == IBV_WR_RDMA_READ;
  sge.addr = reinterpret_cast<std::uint64_t>((read ? in_.get() : out_.get()) + offset);
  sge.length = static_cast<std::uint32_t>(length);
  sge.lkey = (read ? in_region_ : out_region_)->lkey;
  wr = {};
  wr.sg_list = &sge;
  wr.num_sge = 1;
  wr.opcode = opcode;
  wr.send_flags = signaled ? IBV_SEND_SIGNALED : 0;
  if (signaled) ++signaled_;
  if (!read && length <= inline_max_) wr.send_flags |= IBV_SEND_INLINE;
  wr.wr.rdma.remote_addr = (read ? peer_.out_address : peer_.in_address) + offset;
  wr.wr.rdma.rkey = read ? peer_.out_rkey : peer_.in_rkey;
}

bool VerbsEnd::post_receive(std::uint32_t qp) {
  ibv_sge sge{reinterpret_cast<std::uint64_t>(in_.get()), static_cast<std::uint32_t>(flag_offset_), in_region_->lkey};
  ibv_recv_wr wr{};
  wr.sg_list = &sge;
  wr.num_sge = 1;
  ibv_recv_wr* bad = nullptr;
  return ibv_post_recv(qps_[qp], &wr, &bad) == 0;
}

bool VerbsEnd::poll() {
  std::array<ibv_wc, 16> wc;
  const int n = ibv_poll_cq(cq_, static_cast<int>(wc.size()), wc.data());
  for (const ibv_wc& completion : std::span(wc.data(), n > 0 ? static_cast<std::size_t>(n) : 0)) {
    if (completion.status != IBV_WC_SUCCESS) {
      std::fprintf(stderr, "completion error: %s (%d), vendor_err 0x%x\n", ibv_wc_status_str(completion.status),
                   completion.status, completion.vendor_err);
      return false;
    }
    ++((completion.opcode & IBV_WC_RECV) != 0 ? received : sent);
  }
  return n >= 0;
}

bool VerbsEnd::finish(std::uint64_t& round, bool shared) {
  const std::uint64_t value = ++round;
  std::memcpy(out_.get() + flag_offset_, &value, sizeof value);
  ibv_sge sge;
  ibv_send_wr wr;
  fill(wr, sge, IBV_WR_RDMA_WRITE, flag_offset_, sizeof value, true);
  if (!post(0, wr)) return false;
  // The other side may have passed and be in its next finish() when this one looks.
  while (sent != signaled_ || word(flag_offset_) < value) {
    if (!poll()) return false;
    if (shared) relax(true);
  }
  return true;
}

}  // namespace rocelab::perf
