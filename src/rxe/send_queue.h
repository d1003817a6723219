// The send queue of a QP: a ring of work queue elements (WQEs) with their scatter/gather lists or inline bytes in one
// slab, allocated at creation or, when it is to grow, as far as it is used. Owned by a QP; filled by post_send, read by
// the requester and the completer. Inline bytes are copied when posted, everything else is a copy of the request. Not
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "rxe/fixed_ring.h"
#include "rxe/types.h"
#include "rxe/vendor_error.h"

namespace rocelab::rxe {

/// One piece of local memory with where it is, once its lkey has been checked.
struct SendPiece {
  std::uint64_t addr = 0;
  std::uint32_t length = 0;
  std::uint32_t lkey = 0;
  std::byte* host = nullptr;  ///< nullptr: not checked yet, or elided memory
};

enum class WqeState : std::uint8_t {
  kPosted,  ///< not looked at yet
  kBegun,   ///< checked and numbered: first_psn and packet_count hold
  kFailed,  ///< status and vendor_error say why; completes when everything before it has
};

struct SendWqe {
  struct Remote {  ///< WRITE, READ, atomics; of a FLUSH the length is in compare_add, the FETH's low byte in swap
    std::uint64_t addr;
    std::uint64_t compare_add;
    std::uint64_t swap;
    std::uint32_t rkey;
    std::uint32_t srq_number;
  };
  struct Datagram {
    AhId ah;
    Qpn qpn;
    std::uint32_t qkey;
  };

  std::uint64_t wr_id = 0;
  std::uint64_t first_psn = 0;     ///< in the requester's 64-bit numbering
  std::uint64_t generation = 0;    ///< of the region table when the pieces were translated
  std::uint32_t length = 0;        ///< bytes of the message
  std::uint32_t packet_count = 0;  ///< PSNs that it takes; 0 for work that sends nothing
  std::uint32_t piece_count = 0;
  std::uint32_t immediate = 0;  ///< with kSendWithInv and kLocalInv the key
  SendOpcode opcode = SendOpcode::kSend;
  WqeState state = WqeState::kPosted;
  WcStatus status = WcStatus::kSuccess;
  bool signaled = false;
  bool solicited = false;
  bool fenced = false;
  bool is_inline = false;
  bool repeated = false;  ///< a READ that has been asked for again from its middle
  VendorError vendor_error = VendorError::kNone;
  union {
    Remote remote;
    Datagram datagram;
    SendRequest::Bind bind;
    SendRequest::Register reg;
  };

  SendWqe() : remote{} {}

  /// (kRegMr takes the place of kRdmaWrite.)
  static constexpr std::uint32_t bit(SendOpcode opcode) { return 1u << (static_cast<unsigned>(opcode) & 31); }

  bool is_send() const {
    return opcode == SendOpcode::kSend || opcode == SendOpcode::kSendWithImm || opcode == SendOpcode::kSendWithInv;
  }
  bool is_read() const { return opcode == SendOpcode::kRdmaRead; }
  bool is_atomic() const { return opcode == SendOpcode::kAtomicCmpAndSwp || opcode == SendOpcode::kAtomicFetchAndAdd; }
  /// Answered by a response of its own, not by an ACK.
  /// It will complete with this error when its turn comes.
  void fail(WcStatus why, VendorError reason) {
    state = WqeState::kFailed;
    status = why;
    vendor_error = reason;
  }
  bool is_answered() const {
    constexpr std::uint32_t kAnswered = bit(SendOpcode::kRdmaRead) | bit(SendOpcode::kAtomicCmpAndSwp) |
                                        bit(SendOpcode::kAtomicFetchAndAdd) | bit(SendOpcode::kFlush) |
                                        bit(SendOpcode::kAtomicWrite);
    return (kAnswered & bit(opcode)) != 0;
  }
  /// Answered without bytes: by an empty READ response.
  bool is_confirmed() const { return opcode == SendOpcode::kFlush || opcode == SendOpcode::kAtomicWrite; }
  /// Done by this device alone.
  bool is_local() const {
    return opcode == SendOpcode::kLocalInv || opcode == SendOpcode::kBindMw || opcode == SendOpcode::kRegMr;
  }
  std::uint64_t end_psn() const { return first_psn + packet_count; }
};

/// The completion's opcode of a request.
WcOpcode completion_opcode(SendOpcode opcode);

class SendQueue {
 public:
  SendQueue() = default;
  /// Room for `max_wr` requests (rounded up to a power of two); 0: none at all.
  SendQueue(std::uint32_t max_wr, std::uint32_t max_sge, std::uint32_t max_inline, Storage storage);

  std::uint32_t capacity() const { return capacity_; }
  bool full() const { return ring_.size() == capacity_; }
  std::size_t room() const { return capacity_ - ring_.size(); }
  bool empty() const { return ring_.empty(); }
  std::uint64_t head() const { return ring_.head(); }
  std::uint64_t tail() const { return ring_.tail(); }
  SendWqe& at(std::uint64_t position) { return ring_.at(position); }
  SendWqe& front() { return ring_.front(); }
  /// The next entry; holds an earlier use's values.
  SendWqe& push() {
    if (ring_.needs_storage()) [[unlikely]]
      grow();
    return ring_.push();
  }
  void pop() { ring_.pop(); }
  void clear() { ring_.clear(); }

  SendPiece* pieces(std::uint64_t position) { return reinterpret_cast<SendPiece*>(slab_at(position)); }
  /// The copied bytes of an inline request.
  std::byte* inline_bytes(std::uint64_t position) { return slab_at(position); }

 private:
  std::byte* slab_at(std::uint64_t position) { return slab_.get() + (position & (ring_.stored() - 1)) * stride_; }
  void grow();

  FixedRing<SendWqe> ring_;
  std::uint32_t capacity_ = 0;
  std::size_t stride_ = 0;
  std::unique_ptr<std::byte[]> slab_;
};

}  // namespace rocelab::rxe
