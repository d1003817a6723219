// One AF_XDP socket on one receive queue of an interface: memory that the kernel writes received frames to and reads
// outgoing ones from, and four rings over which the two hand frames to each other. The rings' producer and consumer
// numbers are the only things that both sides write. Owned by the port; not thread-safe.
#pragma once

#include <linux/if_xdp.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace rocelab::net::xdp {

/// The kernel keeps 256 bytes before a received frame, and a frame must lie in one page.
inline constexpr std::size_t kChunkBytes = 4096, kFrameBytesMax = kChunkBytes - 256;

/// One direction of hand-over, mapped.
struct Ring {
  std::uint32_t* producer = nullptr;
  std::uint32_t* consumer = nullptr;
  std::uint32_t* flags = nullptr;
  void* entries = nullptr;
  std::uint32_t mask = 0;
  void* mapped = nullptr;
  std::size_t mapped_bytes = 0;

  bool needs_wakeup() const;
};

class Xsk {
 public:
  static constexpr std::uint32_t kRxFrames = 1024, kTxFrames = 256;  ///< powers of two

  Xsk() = default;
  ~Xsk();
  Xsk(const Xsk&) = delete;
  Xsk& operator=(const Xsk&) = delete;

  /// EBUSY: the queue has a socket already; EINVAL: there is no such queue.
  base::Result<void> open(unsigned interface_index, std::uint32_t queue);
  int fd() const { return fd_; }

  std::byte* tx_reserve();
  void tx_commit(std::size_t bytes);
  /// Tells the kernel. How many frames have been given to it since the last call.
  std::size_t tx_flush();
  bool tx_waiting() const;

  /// Received frames; they lie where they are until rx_release().
  std::size_t rx_burst(std::span<std::span<const std::byte>> out);
  void rx_release();

  /// In a forked child.
  void abandon() noexcept;

 private:
  base::Result<void> map_ring(Ring& ring, std::uint32_t entries, const xdp_ring_offset& offsets,
                              std::size_t entry_bytes, std::uint64_t page);
  void take_back_sent();

  int fd_ = -1;
  std::byte* area_ = nullptr;
  Ring fill_, completion_, rx_, tx_;
  std::vector<std::uint64_t> free_;      ///< chunks for outgoing frames
  std::vector<std::uint64_t> received_;  ///< handed out, to go back into the fill ring
  std::uint64_t reserved_ = 0;
  bool has_reserved_ = false;
  std::uint32_t staged_ = 0;  ///< written into the transmit ring, not published
  std::size_t given_ = 0;
};

}  // namespace rocelab::net::xdp
