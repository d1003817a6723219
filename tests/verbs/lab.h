// What most tests of the library need: an opened device, a protection domain, queues, memory, and QPs connected to each
// other within this process. Every step is REQUIREd; destruction checks that nothing was left busy. Not thread-safe.
#pragma once

#include <infiniband/verbs.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rocelab::verbs_test {

/// RoCE v2 over IPv4: the entry that programs pick, see runtime/identity.h.
inline constexpr std::uint8_t kGidIndex = 3;
inline constexpr int kAccessLocal = IBV_ACCESS_LOCAL_WRITE;
inline constexpr int kAccessAll = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
                                  IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_MW_BIND;
inline constexpr std::uint32_t kQkey = 0x1234;
inline constexpr std::size_t kGrhBytes = 40;  ///< in front of every UD message received

/// Registered memory, zero at first.
class Buffer {
 public:
  Buffer(ibv_pd* pd, std::size_t bytes, int access = kAccessAll);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::uint8_t* data() { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  std::uint8_t& operator[](std::size_t i) { return bytes_[i]; }
  std::uint64_t addr(std::size_t offset = 0) const { return reinterpret_cast<std::uintptr_t>(bytes_.data() + offset); }
  std::uint32_t lkey() const { return mr_->lkey; }
  std::uint32_t rkey() const { return mr_->rkey; }
  ibv_mr* mr() { return mr_; }
  ibv_sge sge(std::size_t offset, std::size_t length) const {
    return {addr(offset), static_cast<std::uint32_t>(length), mr_->lkey};
  }
  /// Bytes that tell where they belong.
  void fill(unsigned seed);

 private:
  std::vector<std::uint8_t> bytes_;
  ibv_mr* mr_;
};

/// One device of the host, one PD, one CQ for everything.
class Lab {
 public:
  explicit Lab(ibv_comp_channel* (*make_channel)(ibv_context*) = nullptr, int cqe = 256);
  ~Lab();
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  ibv_context* context() { return context_; }
  ibv_pd* pd() { return pd_; }
  ibv_cq* cq() { return cq_; }
  ibv_comp_channel* channel() { return channel_; }

  /// A QP on the lab's CQ with room for 64 requests of 4 pieces and 256 bytes inline, in RESET.
  ibv_qp* make_qp(ibv_qp_type type, ibv_srq* srq = nullptr, ibv_cq* cq = nullptr);
  /// Two connected QPs (RC or UC) in RTS.
  struct Pair {
    ibv_qp* a;
    ibv_qp* b;
  };
  Pair make_pair(ibv_qp_type type, ibv_srq* srq = nullptr);
  /// A UD QP in RTS.
  ibv_qp* make_ud();
  /// An address handle to this host.
  ibv_ah* make_ah();

  /// Takes one completion, waiting for it.
  ibv_wc wait(ibv_cq* cq = nullptr);
  /// One that must be a success.
  ibv_wc wait_success(ibv_cq* cq = nullptr);

 private:
  ibv_context* context_;
  ibv_comp_channel* channel_ = nullptr;
  ibv_pd* pd_;
  ibv_cq* cq_;
};

/// Brings a QP from RESET to RTS; `remote` is ignored for UD. Returns the first error of ibv_modify_qp.
int connect(ibv_qp* qp, std::uint32_t remote_qpn, std::uint8_t gid_index = kGidIndex);
ibv_ah_attr address(ibv_context* context, std::uint8_t gid_index = kGidIndex);

ibv_send_wr send_wr(ibv_wr_opcode opcode, ibv_sge* sge, std::uint64_t wr_id = 1);
/// WRITE, READ and atomics: where to.
ibv_send_wr rdma_wr(ibv_wr_opcode opcode, ibv_sge* sge, std::uint64_t remote_addr, std::uint32_t rkey,
                    std::uint64_t wr_id = 1);
int post(ibv_qp* qp, ibv_send_wr wr);
int post_recv(ibv_qp* qp, ibv_sge* sge, std::uint64_t wr_id = 2);

}  // namespace rocelab::verbs_test
