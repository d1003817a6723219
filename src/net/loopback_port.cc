// The ring of frames behind a loopback port.
#include "net/loopback_port.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace rocelab::net {

namespace {
constexpr std::size_t kLine = 64;
}

LoopbackPort::LoopbackPort(std::size_t slots, std::size_t frame_bytes_max)
    : frame_bytes_max_(frame_bytes_max),
      // An odd number of lines, so that the slots' first lines spread over the cache.
      stride_(((frame_bytes_max + kLine - 1) / kLine | 1) * kLine),
      mask_(std::bit_ceil(std::max<std::size_t>(slots, 2)) - 1),
      memory_(new std::byte[(mask_ + 1) * stride_]),
      lengths_(mask_ + 1) {}

std::byte* LoopbackPort::tx_reserve(std::size_t bytes) {
  if (bytes > frame_bytes_max_ || written_ - read_ > mask_) return nullptr;
  return slot(written_);
}

void LoopbackPort::tx_commit(std::size_t bytes) {
  lengths_[written_ & mask_] = static_cast<std::uint32_t>(bytes);
  ++written_;
  ++counters_.tx_frames;
  counters_.tx_bytes += bytes;
}

std::size_t LoopbackPort::tx_flush() { return written_ - std::exchange(flushed_, written_); }

std::size_t LoopbackPort::rx_burst(std::span<Frame> out) {
  taken_ = std::min<std::uint64_t>({out.size(), kBurstMax, flushed_ - read_});
  for (std::uint64_t i = 0; i < taken_; ++i) {
    const std::uint32_t length = lengths_[(read_ + i) & mask_];
    out[i] = Frame(slot(read_ + i), length);
    counters_.rx_bytes += length;
  }
  counters_.rx_frames += taken_;
  return taken_;
}

}  // namespace rocelab::net
