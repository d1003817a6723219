// The page that the processes of a host share: a file in the run directory, mapped by each of them. It has 255 slots;
// a process owns one from its first open_device to its end, and with it the QPNs slot << 16 .. slot << 16 | 0xffff.
//
// Who is alive is decided by the kernel and never by what the page says: the owner of slot i holds an open-file-
// description lock on byte i of the file, which ends with the process however it ends. Claiming, releasing and burying
// the dead happen under a lock on byte 0. Everything read from the page may have been scribbled over by a faulty
// process of the same user, so readers get values that are in range or "not live".
//
// Every method may be called from any thread; writes of one's own slot come from one thread at a time. The descriptor
// must not survive fork() (abandon()), because the lock would live on in the child.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/run_directory.h"

namespace rocelab::runtime {

inline constexpr std::uint32_t kSlotsMax = 255;
inline constexpr std::size_t kCountersMax = 384;
inline constexpr std::size_t kUsageMax = 64;  ///< numbers of objects: kDevicesMax devices, rxe::kResourceCount of each

/// A slot as others see it.
struct SlotView {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  ///< differs for each process that ever owned the slot
  std::uint32_t pid = 0;         ///< for people; nothing depends on it
  std::string command;           ///< its name as in /proc/PID/comm
  bool sleeping = false;         ///< its progress thread is blocked in the kernel
  std::vector<std::uint64_t> counters;
};

class HostPage {
 public:
  static constexpr const char* kFileName = "host-page";

  /// Opens or creates the page. `layout` identifies the meaning of the counters (a hash of their names): processes of
  /// different builds cannot share a page, and the message says which to end.
  static base::TextResult<HostPage> open(const RunDirectory& directory, std::uint64_t layout);
  HostPage(HostPage&& other) noexcept;
  HostPage& operator=(HostPage&&) = delete;
  ~HostPage();  ///< releases the slot

  /// Takes a free slot, or one whose owner is dead. Slots are handed out in turn, so that late packets for a process
  /// that has just ended find nobody. A page owns one slot at most.
  base::TextResult<std::uint32_t> claim();
  /// Gives the slot back and adds its counters to the totals of ended processes.
  void release();
  /// In the child after fork(): drops the descriptor without giving anything back. Async-signal-safe.
  void abandon() noexcept;

  std::uint32_t slot() const { return slot_; }
  std::uint32_t generation() const { return generation_; }

  /// Generation of the process in a slot, as the page says; nothing when free. One load: for the data path.
  std::optional<std::uint32_t> occupant(std::uint32_t slot) const;
  /// Asks the kernel whether that very process lives.
  bool is_alive(std::uint32_t slot, std::uint32_t generation) const;
  /// Frees the slot of a dead process. True when the slot was freed now.
  bool bury(std::uint32_t slot, std::uint32_t generation);
  /// Calls visit(slot, generation) for each occupied slot except our own.
  template <class Visit>
  void for_each_peer(Visit&& visit) const {
    for (std::uint32_t word = 0; word < 4; ++word) {
      for (std::uint64_t bits = occupied(word); bits != 0; bits &= bits - 1) {
        const std::uint32_t slot = word * 64 + static_cast<std::uint32_t>(__builtin_ctzll(bits));
        if (slot == 0 || slot > kSlotsMax || slot == slot_) continue;
        if (const auto generation = occupant(slot)) visit(slot, *generation);
      }
    }
  }

  // --- sleeping and waking (Dekker's pattern: both sides write, fence, read) ---------------------------------------
  /// Own slot: from now on others must send a wake-up; look at the rings once more after this.
  void fall_asleep();
  void wake_up();
  /// Nothing when the process is awake, else the number of its sleep: one wake-up per number suffices. Call after a
  /// sequentially consistent fence that follows the write the sleeper must see.
  std::optional<std::uint32_t> sleep_of(std::uint32_t slot) const;

  // --- usage: how many objects a process has now; nothing is left of it when it ends --------------------------------
  /// Changes one of our own slot's numbers.
  void add_usage(std::size_t index, std::int64_t amount) noexcept;
  /// The sum over all processes. With `bury_dead` those that ended without a word are asked for and buried first.
  std::uint64_t usage(std::size_t index, bool bury_dead);

  // --- counters ----------------------------------------------------------------------------------------------------
  void publish(std::span<const std::uint64_t> counters);
  /// Live processes, dead ones left out.
  std::vector<SlotView> live_slots() const;
  /// Where counters lie in the file, in bytes, for readers outside this class (the preload shim). A counter's value for
  /// the whole host is its number in the totals plus that in each slot: a free slot's are zero.
  struct CountersLocation {
    std::size_t retired, slots, slot_stride, slot_counters, slot_count;
  };
  static CountersLocation counters_location();
  /// Sum over all processes that have ended since the page was made.
  std::vector<std::uint64_t> retired_counters() const;

 private:
  struct Layout;
  HostPage(int fd, Layout* page, std::string path);

  std::uint64_t occupied(std::uint32_t word) const;
  base::TextResult<void> lock_claims() const;
  void unlock_claims() const;
  /// Under the claim lock: adds the slot's counters to the totals and marks it free.
  void clear(std::uint32_t slot);
  bool is_locked_by_another(std::uint32_t byte) const;

  int fd_;
  Layout* page_;
  std::string path_;
  std::uint32_t slot_ = 0;
  std::uint32_t generation_ = 0;
};

}  // namespace rocelab::runtime
