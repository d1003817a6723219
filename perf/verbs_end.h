// One process's end of a verbs benchmark: device, protection domain, completion queue, buffers and connected RC queue
// pairs. Plain <infiniband/verbs.h>, so the programs that use it (verbs_pair, verbs_many) run on whatever libibverbs
// the loader finds: rocelab's under `rocelab run`. Everything is freed by the destructor. One thread.
#pragma once

#include <infiniband/verbs.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "perf/pair.h"

namespace rocelab::perf {

struct EndOptions {
  std::string device;              ///< empty: the first
  std::uint32_t gid_index = 0;     ///< of port 1
  std::uint32_t qps = 1;           ///< connected one to one with the other process's
  std::uint32_t depth = 1024;      ///< send requests a queue pair holds
  std::uint32_t recv_depth = 512;  ///< receive requests a queue pair holds
  std::size_t buffer_bytes = 0;    ///< of each of the two buffers, the words for flags not counted
};

class VerbsEnd {
 public:
  VerbsEnd() = default;
  ~VerbsEnd();
  VerbsEnd(const VerbsEnd&) = delete;
  VerbsEnd& operator=(const VerbsEnd&) = delete;

  /// Opens and connects. Both processes call it. Returns what failed, or an empty text.
  std::string open(const EndOptions& options, Channel& channel);

  /// Fills a work request for `length` bytes at `offset` of both sides' buffers: out -> the peer's in for WRITE and
  /// SEND, the peer's out -> in for READ. `sge` must live as long as the request.
  void fill(ibv_send_wr& wr, ibv_sge& sge, ibv_wr_opcode opcode, std::size_t offset, std::size_t length, bool signaled);
  /// Posts the list on a queue pair; false when the library refuses.
  bool post(std::uint32_t qp, ibv_send_wr& first) {
    ibv_send_wr* bad = nullptr;
    return ibv_post_send(qps_[qp], &first, &bad) == 0;
  }
  /// Posts a receive for the whole of the in buffer.
  bool post_receive(std::uint32_t qp);

  /// Polls once. Counts send and receive completions; false when one of them is an error (said on stderr).
  bool poll();
  std::uint64_t sent = 0;      ///< send completions so far
  std::uint64_t received = 0;  ///< receive completions so far

  std::byte* out() { return out_.get(); }
  std::byte* in() { return in_.get(); }
  /// The word in the in buffer at `offset`, as the peer's last WRITE left it.
  std::uint64_t word(std::size_t offset) {
    return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(in_.get() + offset))
        .load(std::memory_order_acquire);
  }
  /// Both sides call it: writes a word behind the other's buffer, and waits for the other's word and for all signalled
  /// sends to complete.
  bool finish(std::uint64_t& round, bool shared);

  std::uint32_t qps() const { return static_cast<std::uint32_t>(qps_.size()); }
  std::uint32_t inline_max() const { return inline_max_; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };
  struct Peer {
    ibv_gid gid;
    std::uint64_t in_address;
    std::uint64_t out_address;
    std::uint32_t in_rkey;
    std::uint32_t out_rkey;
  };
  std::string open_device(const EndOptions& options);
  std::string create_qps(const EndOptions& options);
  std::string connect(const EndOptions& options, Channel& channel);
  bool to_rtr_and_rts(ibv_qp* qp, std::uint32_t peer_qpn, const EndOptions& options);

  ibv_context* context_ = nullptr;
  ibv_pd* pd_ = nullptr;
  ibv_cq* cq_ = nullptr;
  ibv_mr* out_region_ = nullptr;
  ibv_mr* in_region_ = nullptr;
  std::vector<ibv_qp*> qps_;
  std::unique_ptr<std::byte, Free> out_;
  std::unique_ptr<std::byte, Free> in_;
  std::size_t flag_offset_ = 0;
  std::uint32_t inline_max_ = 0;
  std::uint64_t signaled_ = 0;  ///< signalled requests filled so far
  ibv_port_attr port_{};
  Peer peer_{};
};

}  // namespace rocelab::perf
