// Selective repeat between two engines of ours (DeviceOptions::loss_recovery), after IRN: Mittal et al., "Revisiting
// Network Support for RDMA", SIGCOMM 2018. The responder places what comes out of order and says which PSNs it has; the
// requester sends again what is missing. Packets carry what lets them be placed alone: a transport of its own in the
// BTH opcode (docs/spec_exceptions.md). Here is the state of both halves; a QP has it only when the device is so
// configured. Acted on by selective_requester.cc and selective_responder.cc.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "rxe/fixed_ring.h"
#include "rxe/receive_queue.h"
#include "wire/opcode.h"
#include "wire/psn.h"

namespace rocelab::rxe {

/// Bits by PSN over a range that moves; a ring that grows with the range. PSNs outside the range must be clear.
class PsnBits {
 public:
  std::size_t count() const { return count_; }
  bool test(std::uint64_t psn) const { return !words_.empty() && (word(psn) >> (psn % 64) & 1) != 0; }
  /// Makes room for a range of so many PSNs that begins at `first`.
  void reserve(std::uint64_t first, std::uint64_t span) {
    if (span <= capacity()) return;
    PsnBits larger;
    larger.words_.resize(std::bit_ceil(static_cast<std::size_t>(std::max<std::uint64_t>(span, kBitsMin)) / 64 + 1));
    for (std::uint64_t psn = first; count_ != 0 && psn != first + capacity(); ++psn) {
      if (test(psn)) larger.set(psn);
    }
    *this = std::move(larger);
  }
  /// True when it was clear.
  bool set(std::uint64_t psn) {
    if (test(psn)) return false;
    word(psn) |= 1ull << (psn % 64);
    ++count_;
    return true;
  }
  void reset(std::uint64_t psn) {
    if (!test(psn)) return;
    word(psn) &= ~(1ull << (psn % 64));
    --count_;
  }
  void clear() {
    std::fill(words_.begin(), words_.end(), 0);
    count_ = 0;
  }

 private:
  static constexpr std::uint64_t kBitsMin = 64;
  std::uint64_t capacity() const { return words_.size() * 64; }
  std::uint64_t& word(std::uint64_t psn) { return words_[psn / 64 & (words_.size() - 1)]; }
  const std::uint64_t& word(std::uint64_t psn) const { return words_[psn / 64 & (words_.size() - 1)]; }

  std::vector<std::uint64_t> words_;  ///< a power of two of them
  std::size_t count_ = 0;
};

/// The half that sends requests. PSNs in its 64-bit numbering.
struct SelectiveRequester {
  PsnBits done;                     ///< beyond unacked_psn: the responder has it, or its READ response has come
  std::uint64_t peer_psn = 0;       ///< the responder has executed everything before
  std::uint64_t known_psn = 0;      ///< one past the highest request that the responder has spoken of
  std::uint64_t answer_psn = 0;     ///< one past the highest answer that has come
  std::uint64_t forced_psn = 0;     ///< everything before it that is not done is sent again, whatever is known
  std::uint64_t resend_psn = 0;     ///< where the search for what to send again goes on
  std::uint64_t recovery_end = 0;   ///< high_psn when the recovery began
  std::uint64_t answered_from = 0;  ///< first PSN of the oldest READ or atomic under way, if there is one
  std::uint32_t message = 0;        ///< number of the next message that takes a receive
  bool recovering = false;
  bool probing = false;  ///< the oldest packet alone has been sent again, to learn what has arrived
};

/// A message whose last packet has come before some other one.
struct FinishedMessage {
  wire::Psn psn;  ///< of the last packet
  wire::Opcode opcode{};
  std::uint32_t value = 0;  ///< immediate data, or the key to invalidate
  std::uint32_t length = 0;
  std::uint8_t service_level = 0;
  bool solicited = false;
};

/// A part of a READ that is to be answered again.
struct ReadRepair {
  wire::Psn psn;
  std::uint32_t packets = 0;
  std::uint32_t sent = 0;
  std::uint32_t msn = 0;
  std::uint32_t rkey = 0;
  std::uint32_t length = 0;
  std::uint64_t addr = 0;
};

/// The half that executes them.
struct SelectiveResponder {
  static constexpr std::size_t kHeldMax = 1024;  ///< receives that may be filled at once
  static constexpr std::size_t kRepairsMax = 64;

  PsnBits arrived;            ///< beyond expected_psn
  wire::Psn newest;           ///< the packet that came last out of order
  std::uint32_t message = 0;  ///< number of the oldest message that takes a receive and is not complete
  FixedRing<HeldReceive> held{kHeldMax, Storage::kGrowing};  ///< receives of the messages from that one on
  std::vector<FinishedMessage> finished;                     ///< by PSN
  FixedRing<ReadRepair> repairs{kRepairsMax, Storage::kGrowing};
  bool gap = false;  ///< a packet has come early, and the requester does not know yet
};

struct Selective {
  SelectiveRequester requester;
  SelectiveResponder responder;
};

}  // namespace rocelab::rxe
