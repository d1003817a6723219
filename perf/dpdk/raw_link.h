// One end of a memif link driven by DPDK's own burst calls, as a DPDK application would: a registered thread, a stock
// pool with a cache. Only the handshake goes the way of src/net/dpdk. The yardstick for net::dpdk::MemifPort; used by
// perf/memif.cc alone. One end a process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace rocelab::net::dpdk {
class MemifControl;
}

namespace rocelab::perf {

class RawLink {
 public:
  /// Null: DPDK refused.
  static std::unique_ptr<RawLink> create(const std::string& socket_path, bool server, unsigned ring_slots,
                                         std::size_t frame_bytes_max);

  bool link_up();
  /// Sends `count` copies (at most 32) of a frame; returns when the ring has taken all.
  void send(const std::byte* frame, std::size_t length, unsigned count);
  /// Frames taken in one burst; adds the first word of each to `sum`.
  unsigned receive(std::uint64_t& sum);

 private:
  RawLink() = default;
  net::dpdk::MemifControl* control_ = nullptr;
  bool started_ = false;
  std::uint16_t device_ = 0;
  void* pool_ = nullptr;
};

}  // namespace rocelab::perf
