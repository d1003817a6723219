// Memory for the event queue's buckets: chunks of eight cache-line halves, the first of which links to the chunk before
// and the others hold events. Chunks are aligned to their size, so that a bucket is one pointer to its next free place:
// a pointer at a chunk's border says "full" (and null says the same of a bucket that has nothing). Owned by an
// EventQueue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "sim/kernel/event.h"

namespace rocelab::sim {

class EventChunks {
 public:
  static constexpr std::size_t kBytes = 512;
  static constexpr std::size_t kEvents = kBytes / sizeof(Event) - 1;

  /// The first place of a chunk.
  struct Header {
    Event* before;        ///< where the bucket's previous chunk ends; null: none
    std::uint64_t below;  ///< events in all the previous chunks
    std::uint64_t unused[2];
  };
  static_assert(sizeof(Header) == sizeof(Event));

  static bool full(const Event* end) { return (reinterpret_cast<std::uintptr_t>(end) & (kBytes - 1)) == 0; }
  /// The chunk in which a bucket ends that is not empty.
  static Header* chunk_of(Event* end) {
    return reinterpret_cast<Header*>((reinterpret_cast<std::uintptr_t>(end) - 1) & ~std::uintptr_t{kBytes - 1});
  }
  static Event* first(Header* chunk) { return reinterpret_cast<Event*>(chunk) + 1; }
  static std::size_t count(Event* end) {
    if (end == nullptr) return 0;
    Header* chunk = chunk_of(end);
    return chunk->below + static_cast<std::size_t>(end - first(chunk));
  }

  /// A new chunk on top of a bucket that is full or empty: the bucket's new end.
  Event* extend(Event* end) {
    const std::size_t below = count(end);
    if (free_ == nullptr) grow();
    Header* chunk = free_;
    free_ = reinterpret_cast<Header*>(chunk->before);
    chunk->before = end;
    chunk->below = below;
    return first(chunk);
  }
  /// Calls `use` with each event of a bucket, in no particular order, and takes its chunks back as it goes.
  template <class Use>
  void consume(Event* end, const Use& use) {
    while (end != nullptr) {
      Header* chunk = chunk_of(end);
      Event* before = chunk->before;
      if (before != nullptr) __builtin_prefetch(before - 2);
      for (const Event* event = first(chunk); event != end; ++event) use(*event);
      chunk->before = reinterpret_cast<Event*>(free_);
      free_ = chunk;
      end = before;
    }
  }

 private:
  struct FreeSlab {
    void operator()(std::byte* slab) const { ::operator delete (slab, std::align_val_t{kBytes}); }
  };

  void grow();

  Header* free_ = nullptr;
  std::size_t slab_chunks_ = 32;
  std::vector<std::unique_ptr<std::byte, FreeSlab>> slabs_;
};

}  // namespace rocelab::sim
