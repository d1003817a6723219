// What one side's memory must look like. The region is cut in four: a source that nobody writes, words for atomics,
// slots for the receives of an SRQ (which outlive a phase), and a pool from which every other operation gets fresh
// bytes of its own, so that a byte that lands anywhere else shows. Used by the soak and the engine fuzzer; free of
// Catch2. Comparisons happen when the engines rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tests/rxe/harness/region.h"
#include "tests/rxe/harness/side.h"

namespace rocelab::test::soak {

using Bytes = std::vector<std::byte>;

/// A part of the region.
struct Piece {
  std::size_t offset = 0;
  std::size_t length = 0;
};
using Pieces = std::vector<Piece>;

class MemoryModel {
 public:
  static constexpr std::size_t kSourceBytes = 20 * 1024;
  static constexpr std::size_t kWordCount = 64;
  static constexpr std::size_t kSlotCount = 8;
  static constexpr std::size_t kSlotBytes = 6000;
  static constexpr std::size_t kPoolBytes = 768 * 1024;

  explicit MemoryModel(Side& side, std::uint64_t salt);

  Region& region() { return region_; }
  /// `length` fresh bytes of the pool; nothing when it is used up.
  std::optional<std::size_t> take(std::size_t length);
  /// The same in up to `pieces_max` pieces that lie apart.
  std::optional<Pieces> take_pieces(base::Rng& rng, std::size_t length, std::size_t pieces_max);
  /// How much of the pool is gone. Requests leave room for the receives that they need.
  std::size_t used() const { return used_; }
  /// A random part of the source and its bytes.
  Piece source(base::Rng& rng, std::size_t length) const;
  Bytes bytes_of(const Piece& piece) const;
  static std::size_t word_offset(std::size_t index) { return kSourceBytes + 8 * index; }
  static std::size_t slot_offset(std::size_t index) { return word_offset(kWordCount) + kSlotBytes * index; }

  /// Surely written: the first bytes.size() bytes of the pieces.
  void becomes(const Pieces& pieces, std::span<const std::byte> bytes);
  /// An operation that failed or was lost: each byte is the old or the new one.
  void may_become(const Pieces& pieces, std::span<const std::byte> bytes);
  /// Whatever stands in these pieces is right.
  void anything(const Pieces& pieces);
  void word_becomes(std::size_t index, std::uint64_t value);
  /// What is there now (for messages that must be recognised by their contents).
  bool holds(const Pieces& pieces, std::size_t skip, std::span<const std::byte> bytes) const;
  std::uint64_t word(std::size_t index) const { return region_.word(word_offset(index)); }

  /// Empty when memory is as it must be; else what is wrong. Afterwards the pool is fresh again.
  std::string check();

 private:
  struct Doubt {
    Piece piece;
    Bytes bytes;
  };
  void spread(const Pieces& pieces, std::span<const std::byte> bytes, auto&& each) const;

  Region region_;
  Bytes expected_;
  std::vector<Doubt> doubts_;
  std::vector<Piece> free_parts_;
  std::size_t used_ = 0;
};

}  // namespace rocelab::test::soak
