// The depot between pools, and what happens when a pool runs short.
#include "sim/fabric/packet_pool.h"

namespace rocelab::sim {
namespace {

std::uint64_t as_number(Packet* packet) { return reinterpret_cast<std::uintptr_t>(packet); }

}  // namespace

Packet* PacketDepot::next_of(const Packet* batch) {
  return reinterpret_cast<Packet*>(static_cast<std::uintptr_t>(batch->user));
}

void PacketDepot::put(Packet* batch) {
  Packet* head = head_.load(std::memory_order_relaxed);
  do {
    batch->user = as_number(head);
  } while (!head_.compare_exchange_weak(head, batch, std::memory_order_release, std::memory_order_relaxed));
}

void PacketPool::refill() {
  if (spare_ == nullptr) {
    // Everything is taken and what is not needed given back: popping single elements of a lock-free stack would be
    // open to ABA.
    spare_ = depot_.take_all();
    if (spare_ != nullptr) {
      Packet* surplus = PacketDepot::next_of(spare_);
      while (surplus != nullptr) {
        Packet* following = PacketDepot::next_of(surplus);
        depot_.put(surplus);
        surplus = following;
      }
    }
  }
  if (spare_ != nullptr) {
    free_ = spare_;
    spare_ = nullptr;
    free_count_ = kBatch;
    return;
  }
  blocks_.push_back(std::make_unique<Packet[]>(kBatch));
  Packet* block = blocks_.back().get();
  for (unsigned i = kBatch; i-- > 0;) {
    block[i].next = free_;
    free_ = &block[i];
  }
  free_count_ = kBatch;
}

PacketPools::PacketPools(unsigned partitions) { resize(partitions); }

void PacketPools::resize(unsigned partitions) {
  while (pools_.size() < partitions || pools_.empty()) pools_.push_back(std::make_unique<PacketPool>(depot_));
}

std::uint64_t PacketPools::in_use() const {
  std::uint64_t taken = 0;
  std::uint64_t returned = 0;
  for (const auto& pool : pools_) {
    taken += pool->taken();
    returned += pool->returned();
  }
  return taken - returned;
}

}  // namespace rocelab::sim
