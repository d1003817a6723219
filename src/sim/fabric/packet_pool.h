// Where packets come from and go to: a pool a partition, so that no two threads share one. A packet may be freed into
// any pool; what one partition frees in surplus (the receiving side of one-way traffic) goes in batches through a depot
// to those that run short. Memory is given back when the PacketPools go, after every node.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "sim/fabric/packet.h"

namespace rocelab::sim {

/// A chain of kBatch free packets; `next_batch` lies in the first one's `user`.
class PacketDepot {
 public:
  /// Any thread.
  void put(Packet* batch);
  /// All chains at once, linked through next_of(); nullptr when empty. Any thread.
  Packet* take_all() { return head_.exchange(nullptr, std::memory_order_acquire); }
  static Packet* next_of(const Packet* batch);

 private:
  std::atomic<Packet*> head_ = nullptr;
};

/// The pool of one partition, used by one thread at a time. LIFO: a packet taken is likely still in the cache.
class PacketPool {
 public:
  static constexpr unsigned kBatch = 64;

  explicit PacketPool(PacketDepot& depot) : depot_(depot) {}
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;

  /// With the first cache line reset, the rest as somebody left it.
  Packet* allocate() {
    if (free_ == nullptr) refill();
    Packet* packet = free_;
    free_ = packet->next;
    --free_count_;
    ++taken_;
    reset(*packet);
    return packet;
  }

  void free(Packet* packet) {
    packet->next = free_;
    free_ = packet;
    ++free_count_;
    ++returned_;
    if (free_count_ == kBatch) {
      if (spare_ != nullptr) depot_.put(spare_);
      spare_ = free_;
      free_ = nullptr;
      free_count_ = 0;
    }
  }

  /// Since the beginning; over all pools, taken() - returned() packets are in use.
  std::uint64_t taken() const { return taken_; }
  std::uint64_t returned() const { return returned_; }
  /// Packets that this pool has ever asked memory for.
  std::uint64_t created() const { return blocks_.size() * std::uint64_t{kBatch}; }

 private:
  static void reset(Packet& packet);
  void refill();

  Packet* free_ = nullptr;   ///< fewer than kBatch
  Packet* spare_ = nullptr;  ///< a full batch, or nullptr
  unsigned free_count_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t returned_ = 0;
  PacketDepot& depot_;
  std::vector<std::unique_ptr<Packet[]>> blocks_;
};

/// The pools of a simulation; nodes choose by Context::partition().
class PacketPools {
 public:
  explicit PacketPools(unsigned partitions = 1);

  /// Makes it that many, before the run. Never fewer than there are.
  void resize(unsigned partitions);
  PacketPool& at(unsigned partition) { return *pools_[partition]; }
  unsigned size() const { return static_cast<unsigned>(pools_.size()); }
  /// Packets that are neither in a pool nor in the depot; 0 after a run that has come to its end.
  std::uint64_t in_use() const;

 private:
  PacketDepot depot_;
  std::vector<std::unique_ptr<PacketPool>> pools_;
};

inline void PacketPool::reset(Packet& packet) {
  packet.next = nullptr;
  packet.stamp_ps = 0;
  packet.user = 0;
  packet.wire_bytes = 0;
  packet.payload_bytes = 0;
  packet.source = kNoNode;
  packet.destination = kNoNode;
  packet.flow_hash = 0;
  packet.flow = 0;
  packet.ingress_port = 0;
  packet.flags = 0;
  packet.priority = 0;
  packet.ecn = Ecn::kNotCapable;
  packet.gap_bytes = kEthernetGapBytes;
  packet.hops = 0;
  packet.telemetry_hops = 0;
  packet.link_epoch = 0;
  packet.spare = 0;
}

}  // namespace rocelab::sim
