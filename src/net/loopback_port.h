// A port whose frames come back to the process that sent them: a fixed ring of frames. Everything that a process sends
// to itself takes this way, as bytes, so that it is encoded and checked like any other traffic. Memory is taken once,
// at construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/frame_codec.h"
#include "net/port.h"

namespace rocelab::net {

class LoopbackPort final : public Port {
 public:
  /// Holds `slots` frames (rounded up to a power of two, at least 2) of up to `frame_bytes_max`.
  explicit LoopbackPort(std::size_t slots, std::size_t frame_bytes_max = kFrameBytesMax);

  std::string_view name() const override { return "loopback"; }
  std::size_t frame_bytes_max() const override { return frame_bytes_max_; }
  std::byte* tx_reserve(std::size_t bytes) override;
  void tx_commit(std::size_t bytes) override;
  std::size_t tx_flush() override;
  std::size_t rx_burst(std::span<Frame> out) override;
  void rx_release() override { read_ += taken_, taken_ = 0; }
  const PortCounters& counters() const override { return counters_; }

 private:
  std::byte* slot(std::uint64_t n) const { return memory_.get() + (n & mask_) * stride_; }

  const std::size_t frame_bytes_max_;
  const std::size_t stride_;  ///< bytes from slot to slot: whole cache lines
  const std::uint64_t mask_;
  std::unique_ptr<std::byte[]> memory_;
  std::vector<std::uint32_t> lengths_;
  // Counted since construction; read_ <= flushed_ <= written_ <= read_ + slots.
  std::uint64_t read_ = 0;     ///< released by the receiver
  std::uint64_t flushed_ = 0;  ///< visible to the receiver
  std::uint64_t written_ = 0;  ///< committed
  std::uint64_t taken_ = 0;    ///< handed out by the last rx_burst
  PortCounters counters_;
};

}  // namespace rocelab::net
