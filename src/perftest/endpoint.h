// One end of a benchmark: device, memory, completion queue and a connected RC queue pair, made by C verbs calls only.
#pragma once

#include <infiniband/verbs.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "perftest/options.h"
#include "perftest/surroundings.h"

namespace rocelab::perftest {

/// What the two ends tell each other.
struct Address {
  std::uint32_t qpn = 0;
  std::uint32_t psn = 0;
  std::uint32_t rkey = 0;
  std::uint32_t fingerprint = 0;  ///< of the options that must agree
  std::uint64_t buffer = 0;
  std::uint8_t gid[16] = {};
};

/// READs and atomics outstanding at most.
inline constexpr std::uint32_t kReadsMax = 16;

class Endpoint {
 public:
  Endpoint() = default;
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  /// Empty, or what went wrong. `buffer_bytes` is for each of the two halves of the memory: what is sent, what arrives.
  std::string open(const Options& options, std::uint32_t buffer_bytes);
  std::string connect(const Options& options, Surroundings& surroundings);

  /// Waits for the other end; false: it is gone.
  bool meet(Surroundings& surroundings) const;

  std::uint8_t* source() { return memory_.data(); }
  std::uint8_t* sink() { return memory_.data() + half_; }

  bool post(Verb verb, std::uint32_t bytes, std::uint32_t inline_bytes, bool signaled);
  /// Fills the receive queue.
  bool post_receives();
  /// Polls; counts completions of requests and of receives. False: one failed (`problem` says which).
  bool poll();

  std::uint64_t sent = 0;      ///< completions
  std::uint64_t received = 0;  ///< completions
  std::string problem;

  const char* device_name() const { return ibv_get_device_name(context_->device); }
  std::uint32_t mtu() const { return mtu_; }
  const Address& local() const { return local_; }
  const Address& remote() const { return remote_; }
  std::uint32_t depth() const { return depth_; }
  std::uint32_t max_inline() const { return max_inline_; }

 private:
  std::vector<std::uint8_t> memory_;
  std::size_t half_ = 0;
  ibv_context* context_ = nullptr;
  ibv_pd* pd_ = nullptr;
  ibv_mr* mr_ = nullptr;
  ibv_cq* cq_ = nullptr;
  ibv_qp* qp_ = nullptr;
  ibv_mtu path_mtu_ = IBV_MTU_1024;
  std::uint32_t mtu_ = 0;
  std::uint32_t depth_ = 0;
  std::uint64_t receives_ = 0;  ///< posted
  std::uint32_t max_inline_ = 0;
  Address local_;
  Address remote_;
};

}  // namespace rocelab::perftest
