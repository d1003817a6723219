// See xsk.h.
#include "net/xdp/xsk.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

namespace rocelab::net::xdp {

namespace {

constexpr std::uint32_t kFrames = Xsk::kRxFrames + Xsk::kTxFrames;
constexpr unsigned kKicksMax = 16;  // the kernel sends some 32 frames for each

std::uint32_t acquire(std::uint32_t* from) { return std::atomic_ref(*from).load(std::memory_order_acquire); }
void release(std::uint32_t* to, std::uint32_t value) { std::atomic_ref(*to).store(value, std::memory_order_release); }

std::uint64_t& address_at(const Ring& ring, std::uint32_t i) {
  return static_cast<std::uint64_t*>(ring.entries)[i & ring.mask];
}
xdp_desc& descriptor_at(const Ring& ring, std::uint32_t i) {
  return static_cast<xdp_desc*>(ring.entries)[i & ring.mask];
}

base::Error error_of(const char* what) { return {errno, what}; }

}  // namespace

bool Ring::needs_wakeup() const {
  return (std::atomic_ref(*flags).load(std::memory_order_relaxed) & XDP_RING_NEED_WAKEUP) != 0;
}

Xsk::~Xsk() {
  if (fd_ >= 0) close(fd_);
  for (const Ring* ring : {&fill_, &completion_, &rx_, &tx_}) {
    if (ring->mapped != nullptr) munmap(ring->mapped, ring->mapped_bytes);
  }
  if (area_ != nullptr) munmap(area_, kFrames * kChunkBytes);
}

base::Result<void> Xsk::open(unsigned interface_index, std::uint32_t queue) {
  fd_ = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return tl::make_unexpected(error_of("no AF_XDP socket"));
  void* const area = mmap(nullptr, kFrames * kChunkBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) return tl::make_unexpected(error_of("no memory for frames"));
  area_ = static_cast<std::byte*>(area);
  madvise(area, kFrames * kChunkBytes, MADV_DONTFORK);  // the kernel writes to these very pages
  xdp_umem_reg memory{};
  memory.addr = reinterpret_cast<std::uintptr_t>(area);
  memory.len = kFrames * kChunkBytes;
  memory.chunk_size = kChunkBytes;
  if (setsockopt(fd_, SOL_XDP, XDP_UMEM_REG, &memory, sizeof memory) != 0) {
    return tl::make_unexpected(error_of("the kernel does not take the memory for frames"));
  }
  const std::pair<int, std::uint32_t> sizes[] = {{XDP_UMEM_FILL_RING, kRxFrames},
                                                 {XDP_UMEM_COMPLETION_RING, kTxFrames},
                                                 {XDP_RX_RING, kRxFrames},
                                                 {XDP_TX_RING, kTxFrames}};
  for (const auto& [option, entries] : sizes) {
    if (setsockopt(fd_, SOL_XDP, option, &entries, sizeof entries) != 0) {
      return tl::make_unexpected(error_of("the kernel makes no AF_XDP ring"));
    }
  }
  xdp_mmap_offsets offsets{};
  socklen_t length = sizeof offsets;
  if (getsockopt(fd_, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) != 0 || length != sizeof offsets) {
    return base::fail(EOPNOTSUPP, "the kernel's AF_XDP rings are of an old kind");
  }
  constexpr std::size_t kAddress = sizeof(std::uint64_t), kDescriptor = sizeof(xdp_desc);
  for (auto mapped : {map_ring(fill_, kRxFrames, offsets.fr, kAddress, XDP_UMEM_PGOFF_FILL_RING),
                      map_ring(completion_, kTxFrames, offsets.cr, kAddress, XDP_UMEM_PGOFF_COMPLETION_RING),
                      map_ring(rx_, kRxFrames, offsets.rx, kDescriptor, XDP_PGOFF_RX_RING),
                      map_ring(tx_, kTxFrames, offsets.tx, kDescriptor, XDP_PGOFF_TX_RING)}) {
    if (!mapped) return mapped;
  }
  for (std::uint32_t i = 0; i < kRxFrames; ++i) address_at(fill_, i) = i * kChunkBytes;
  release(fill_.producer, kRxFrames);
  for (std::uint32_t i = kRxFrames; i < kFrames; ++i) free_.push_back(i * kChunkBytes);
  received_.reserve(kRxFrames);
  sockaddr_xdp address{};
  address.sxdp_family = AF_XDP;
  address.sxdp_flags = XDP_USE_NEED_WAKEUP;
  address.sxdp_ifindex = interface_index;
  address.sxdp_queue_id = queue;
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return tl::make_unexpected(error_of("the AF_XDP socket cannot be bound to the queue"));
  }
  return {};
}

base::Result<void> Xsk::map_ring(Ring& ring, std::uint32_t entries, const xdp_ring_offset& offsets,
                                 std::size_t entry_bytes, std::uint64_t page) {
  const std::size_t bytes = offsets.desc + entries * entry_bytes;
  void* const mapped =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, static_cast<off_t>(page));
  if (mapped == MAP_FAILED) return tl::make_unexpected(error_of("an AF_XDP ring cannot be mapped"));
  auto* const base = static_cast<std::byte*>(mapped);
  ring.producer = reinterpret_cast<std::uint32_t*>(base + offsets.producer);
  ring.consumer = reinterpret_cast<std::uint32_t*>(base + offsets.consumer);
  ring.flags = reinterpret_cast<std::uint32_t*>(base + offsets.flags);
  ring.entries = base + offsets.desc;
  ring.mask = entries - 1;
  ring.mapped = mapped;
  ring.mapped_bytes = bytes;
  return {};
}

void Xsk::take_back_sent() {
  std::uint32_t at = *completion_.consumer;
  const std::uint32_t end = acquire(completion_.producer);
  for (; at != end; ++at) free_.push_back(address_at(completion_, at));
  release(completion_.consumer, at);
}

std::byte* Xsk::tx_reserve() {
  if (!has_reserved_) {
    if (free_.empty()) take_back_sent();
    if (free_.empty()) return nullptr;
    reserved_ = free_.back();
    free_.pop_back();
    has_reserved_ = true;
  }
  return area_ + reserved_;
}

void Xsk::tx_commit(std::size_t bytes) {
  if (!std::exchange(has_reserved_, false)) return;
  // There is room: the ring has an entry for each chunk.
  xdp_desc& entry = descriptor_at(tx_, *tx_.producer + staged_);
  entry.addr = reserved_;
  entry.len = static_cast<std::uint32_t>(bytes);
  entry.options = 0;
  ++staged_;
}

std::size_t Xsk::tx_flush() {
  if (staged_ != 0) {
    release(tx_.producer, *tx_.producer + staged_);
    given_ += std::exchange(staged_, 0);
  }
  for (unsigned kick = 0; kick < kKicksMax && tx_waiting() && tx_.needs_wakeup(); ++kick) {
    if (sendto(fd_, nullptr, 0, MSG_DONTWAIT, nullptr, 0) < 0 && errno != EAGAIN) break;
    take_back_sent();
  }
  return std::exchange(given_, 0);
}

bool Xsk::tx_waiting() const { return staged_ != 0 || acquire(tx_.consumer) != *tx_.producer; }

std::size_t Xsk::rx_burst(std::span<std::span<const std::byte>> out) {
  std::uint32_t at = *rx_.consumer;
  const std::uint32_t end = acquire(rx_.producer);
  std::size_t frames = 0;
  for (; at != end && frames < out.size(); ++at) {
    const xdp_desc& entry = descriptor_at(rx_, at);
    received_.push_back(entry.addr);
    out[frames++] = {area_ + entry.addr, entry.len};
  }
  release(rx_.consumer, at);
  if (frames == 0 && fill_.needs_wakeup()) recvfrom(fd_, nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
  return frames;
}

void Xsk::rx_release() {
  if (received_.empty()) return;
  std::uint32_t at = *fill_.producer;
  for (const std::uint64_t address : received_) address_at(fill_, at++) = address;
  release(fill_.producer, at);
  received_.clear();
}

void Xsk::abandon() noexcept {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  area_ = nullptr;  // not in the child's memory
}

}  // namespace rocelab::net::xdp
