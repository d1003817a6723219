// What a responder remembers of the READs and atomics it has accepted (IBTA vol 1, 9.7.4.1.2 and 9.7.5.1): enough to
// answer them packet by packet, to execute a READ again from any of its PSNs and to answer a repeated atomic without
// executing it twice. A ring of max_dest_rd_atomic entries in the order of PSNs, held by value in a QP. Answers leave
// in that order. Its memory is allocated by the first of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "wire/psn.h"

namespace rocelab::rxe {

struct ResponderResource {
  enum class Kind : std::uint8_t { kRead, kAtomic, kConfirmed };  ///< kConfirmed: FLUSH and atomic WRITE

  Kind kind = Kind::kRead;
  bool active = false;    ///< an answer, or the rest of one, is owed
  bool answered = false;  ///< a whole answer has left once
  wire::Psn first_psn;
  std::uint32_t packet_count = 1;  ///< PSNs that the request took
  std::uint32_t msn = 0;           ///< for the answer's AETH
  std::uint32_t rkey = 0;
  std::uint32_t pd = 0;  ///< whose memory it is, as the region table wants it
  std::uint64_t addr = 0;
  std::uint32_t length = 0;
  std::uint64_t original = 0;  ///< atomics: the value found

  // The execution of a READ that is under way: [run_psn, run_psn + run_packets) starting at run_addr.
  wire::Psn run_psn;
  std::uint32_t run_packets = 0;
  std::uint32_t run_sent = 0;  ///< packets of the run that have left
  std::uint64_t run_addr = 0;
  std::uint32_t run_length = 0;
  std::byte* run_host = nullptr;
  std::uint64_t generation = 0;  ///< of the region table when run_host was found
};

class ResponderResources {
 public:
  /// Forgets everything.
  void resize(std::size_t count) {
    capacity_ = count;
    ring_ = {};
    clear();
  }
  void clear() {
    head_ = count_ = 0;
    first_active_ = 0;
    active_ = 0;
  }
  std::size_t capacity() const { return capacity_; }
  /// May another request be accepted? No when the oldest entry, which it would replace, has never been answered: the
  /// peer has more requests under way than it was permitted. (One being answered again has had its answer: the peer
  /// would not have gone on otherwise.)
  bool has_room() const { return count_ < capacity_ || (count_ != 0 && ring_[head_].answered); }
  /// A new entry at the end, active. There must be room.
  ResponderResource& push();
  /// The entry whose PSNs include this one; nullptr when it has been forgotten.
  ResponderResource* find(wire::Psn psn);
  /// An answer is owed (again).
  void activate(ResponderResource& resource);
  /// The oldest entry that owes an answer; nullptr when none does.
  ResponderResource* first_active() { return active_ == 0 ? nullptr : &entry(first_active_); }
  /// The answer of first_active() is complete.
  void finish_first();

 private:
  ResponderResource& entry(std::size_t index) {
    const std::size_t position = head_ + index;
    return ring_[position < ring_.size() ? position : position - ring_.size()];
  }

  std::vector<ResponderResource> ring_;  ///< empty, or capacity_ entries
  std::size_t capacity_ = 0;
  std::size_t head_ = 0;          ///< of the oldest entry
  std::size_t count_ = 0;         ///< entries in use
  std::size_t first_active_ = 0;  ///< counted from the oldest; meaningful when active_ != 0
  std::size_t active_ = 0;
};

}  // namespace rocelab::rxe
