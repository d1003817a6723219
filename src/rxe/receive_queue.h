// Ring of receive work requests: the RQ of a QP and the inside of an SRQ. Entries have a fixed stride in one slab, so
// that nothing is allocated after creation, unless it is to grow with its use. Post and pop are inline. Owned by a QP
// or an SRQ; not thread-safe.
#pragma once

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "rxe/fixed_ring.h"
#include "rxe/types.h"

namespace rocelab::rxe {

/// A view of a posted receive; valid until the queue changes.
struct ReceiveWqe {
  std::uint64_t wr_id = 0;
  std::uint64_t length = 0;  ///< sum over the pieces
  std::span<const Sge> sges;
};

/// A receive taken from a queue while its message arrives. The copy is what lets an SRQ serve others meanwhile.
class HeldReceive {
 public:
  /// Once, at creation of the QP: the most pieces it will ever hold.
  void reserve(std::uint32_t max_sge) { sges_.resize(max_sge); }
  bool held() const { return held_; }
  void hold(const ReceiveWqe& wqe) {
    wr_id_ = wqe.wr_id;
    length_ = wqe.length;
    count_ = static_cast<std::uint32_t>(wqe.sges.size());
    for (std::uint32_t i = 0; i < count_; ++i) sges_[i] = wqe.sges[i];
    held_ = true;
  }
  void release() { held_ = false; }
  std::uint64_t wr_id() const { return wr_id_; }
  std::uint64_t length() const { return length_; }
  std::span<const Sge> sges() const { return {sges_.data(), count_}; }

 private:
  std::vector<Sge> sges_;
  std::uint64_t wr_id_ = 0;
  std::uint64_t length_ = 0;
  std::uint32_t count_ = 0;
  bool held_ = false;
};

class ReceiveQueue {
 public:
  ReceiveQueue() = default;
  /// Room for `max_wr` requests (rounded up to a power of two) of up to `max_sge` pieces; 0 and 0: none at all.
  ReceiveQueue(std::uint32_t max_wr, std::uint32_t max_sge, Storage storage = Storage::kAtOnce)
      : capacity_(max_wr == 0 ? 0 : std::bit_ceil(max_wr)),
        max_sge_(max_sge),
        stride_(1 + max_sge),
        stored_(storage == Storage::kAtOnce ? capacity_ : 0),
        slab_(stored_ == 0 ? nullptr : std::make_unique<Sge[]>(std::size_t{stored_} * stride_)) {}

  std::uint32_t capacity() const { return capacity_; }
  std::uint32_t max_sge() const { return max_sge_; }
  std::uint32_t size() const { return tail_ - head_; }
  bool empty() const { return head_ == tail_; }

  /// EINVAL: too many pieces; ENOMEM: the queue is full (as ibv_post_recv documents).
  base::Result<void> post(const RecvRequest& request) {
    if (request.sges.size() > max_sge_) [[unlikely]]
      return base::fail(EINVAL, "more pieces than max_recv_sge");
    if (size() == stored_) [[unlikely]] {
      if (size() == capacity_) return base::fail(ENOMEM, "the receive queue is full");
      grow();
    }
    Sge* entry = entry_at(tail_);
    entry->addr = request.wr_id;
    entry->length = static_cast<std::uint32_t>(request.sges.size());
    for (const Sge& sge : request.sges) *++entry = sge;
    ++tail_;
    return {};
  }
  /// The oldest request; the queue must not be empty.
  ReceiveWqe front() const {
    const Sge* entry = entry_at(head_);
    ReceiveWqe wqe{entry->addr, 0, {entry + 1, entry->length}};
    for (const Sge& sge : wqe.sges) wqe.length += sge.length;
    return wqe;
  }
  void pop() { ++head_; }
  /// Takes the oldest request out; false when there is none.
  bool take(HeldReceive& held) {
    if (empty()) return false;
    held.hold(front());
    pop();
    return true;
  }
  void clear() { head_ = tail_ = 0; }
  /// New room, same requests in the same order; EINVAL when more are posted.
  base::Result<void> resize(std::uint32_t max_wr) {
    if (max_wr < size()) return base::fail(EINVAL, "more receives are posted than the new size holds");
    ReceiveQueue other(max_wr, max_sge_);
    for (; !empty(); pop(), ++other.tail_) {
      const Sge* from = entry_at(head_);
      std::copy(from, from + 1 + from->length, other.entry_at(other.tail_));
    }
    *this = std::move(other);
    return {};
  }

 private:
  // An entry is one Sge used as header (addr: wr_id, length: number of pieces) followed by max_sge pieces.
  Sge* entry_at(std::uint32_t position) const { return slab_.get() + std::size_t{position & (stored_ - 1)} * stride_; }
  void grow() {
    const auto larger = static_cast<std::uint32_t>(FixedRing<Sge>::grown(stored_, capacity_));
    auto slab = std::make_unique<Sge[]>(std::size_t{larger} * stride_);
    for (std::uint32_t position = head_; position != tail_; ++position) {
      const Sge* from = entry_at(position);
      std::copy(from, from + 1 + from->length, slab.get() + std::size_t{position & (larger - 1)} * stride_);
    }
    slab_ = std::move(slab);
    stored_ = larger;
  }

  std::uint32_t capacity_ = 0;
  std::uint32_t max_sge_ = 0;
  std::uint32_t stride_ = 1;  ///< in units of Sge
  std::uint32_t stored_ = 0;  ///< requests that the slab has room for: capacity_, or less while it grows
  std::uint32_t head_ = 0;
  std::uint32_t tail_ = 0;
  std::unique_ptr<Sge[]> slab_;
};

}  // namespace rocelab::rxe
