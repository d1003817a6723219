// One end of an RC connection on a LocalDevice, for the tests of src/runtime: protection domain, CQ, registered memory
// and QP, with an address that fits on a line of text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/local_device.h"

namespace rocelab::tests {

/// What the other side must know.
struct Address {
  rxe::Qpn qpn = 0;
  wire::Gid gid;
  std::uint64_t memory = 0;
  std::uint32_t rkey = 0;
  std::string to_line() const;
  static Address from_line(const std::string& line);
};

class Endpoint {
 public:
  struct Options {
    std::size_t bytes = 65'536;
    std::uint8_t gid_index = 3;
    std::uint8_t timeout = 16;  ///< local ACK timeout: 0.27 s; with seven retries what a busy machine may take
    std::uint8_t retry_count = 7;
    std::uint32_t depth = 128;
    std::uint32_t cqe = 0;  ///< 0: 2 * depth, which suffices when nobody posts more than depth without polling
  };
  Endpoint(runtime::LocalDevice& device, const Options& options);
  explicit Endpoint(runtime::LocalDevice& device) : Endpoint(device, Options{}) {}
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  Address address() const;
  /// RESET to RTS towards the peer. Errors are errno values; 0: good.
  int connect(const Address& peer);
  /// One step of somebody else's making (connection management), and where its peer's memory is.
  int modify(const rxe::QpAttr& attr, std::uint32_t mask);
  void set_peer(const Address& peer) { peer_ = peer; }
  int post_send(std::uint64_t wr_id, std::size_t offset, std::uint32_t length);
  int post_recv(std::uint64_t wr_id, std::size_t offset, std::uint32_t length);
  int post_write(std::uint64_t wr_id, std::size_t offset, std::uint32_t length, std::size_t remote_offset);
  int post_read(std::uint64_t wr_id, std::size_t offset, std::uint32_t length, std::size_t remote_offset);
  int arm();
  /// One poll.
  std::optional<rxe::Completion> poll();
  /// Polls until a completion comes; for cases in which one must come.
  rxe::Completion wait();

  std::byte* memory() { return memory_.data(); }
  const Address& peer() const { return peer_; }
  rxe::CqId cq() const { return cq_; }
  rxe::Qpn qpn() const { return qpn_; }

 private:
  int post(std::uint64_t wr_id, rxe::SendOpcode opcode, std::size_t offset, std::uint32_t length,
           std::size_t remote_offset);

  runtime::LocalDevice& device_;
  const Options options_;
  std::vector<std::byte> memory_;
  rxe::PdId pd_{};
  rxe::CqId cq_{};
  rxe::MrInfo mr_;
  rxe::Qpn qpn_ = 0;
  Address peer_;
};

}  // namespace rocelab::tests
