// See memory_model.h.
#include "tests/rxe/soak/memory_model.h"

#include <algorithm>
#include <cstring>

namespace rocelab::test::soak {

namespace {
constexpr std::size_t kPoolOffset =
    MemoryModel::kSourceBytes + 8 * MemoryModel::kWordCount + MemoryModel::kSlotCount * MemoryModel::kSlotBytes;
constexpr std::size_t kRegionBytes = kPoolOffset + MemoryModel::kPoolBytes;
}  // namespace

MemoryModel::MemoryModel(Side& side, std::uint64_t salt) : region_(side.device, side.pd, kRegionBytes) {
  base::Rng rng(salt, "memory");
  for (std::size_t i = 0; i + 8 <= kRegionBytes; i += 8) region_.set_word(i, rng.next());
  for (std::size_t i = 0; i < kWordCount; ++i) region_.set_word(word_offset(i), 0);
  expected_.assign(region_.data(), region_.data() + kRegionBytes);
}

std::optional<std::size_t> MemoryModel::take(std::size_t length) {
  if (used_ + length + 1 > kPoolBytes) return std::nullopt;
  const std::size_t offset = kPoolOffset + used_;
  used_ += length + 1;  // one byte apart, so that an overrun by one shows
  return offset;
}

std::optional<Pieces> MemoryModel::take_pieces(base::Rng& rng, std::size_t length, std::size_t pieces_max) {
  Pieces pieces;
  const std::size_t count = 1 + static_cast<std::size_t>(rng.below(pieces_max));
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t part = i + 1 == count ? length : static_cast<std::size_t>(rng.below(length + 1));
    const auto offset = take(part);
    if (!offset) return std::nullopt;
    pieces.push_back({*offset, part});
    length -= part;
  }
  return pieces;
}

Piece MemoryModel::source(base::Rng& rng, std::size_t length) const {
  return {static_cast<std::size_t>(rng.below(kSourceBytes - length + 1)), length};
}

Bytes MemoryModel::bytes_of(const Piece& piece) const {
  return Bytes(region_.data() + piece.offset, region_.data() + piece.offset + piece.length);
}

void MemoryModel::spread(const Pieces& pieces, std::span<const std::byte> bytes, auto&& each) const {
  for (const Piece& piece : pieces) {
    const std::size_t length = std::min(piece.length, bytes.size());
    if (length == 0) continue;
    each(Piece{piece.offset, length}, bytes.first(length));
    bytes = bytes.subspan(length);
  }
}

void MemoryModel::becomes(const Pieces& pieces, std::span<const std::byte> bytes) {
  spread(pieces, bytes, [&](const Piece& piece, std::span<const std::byte> part) {
    std::copy(part.begin(), part.end(), expected_.begin() + static_cast<std::ptrdiff_t>(piece.offset));
  });
}

void MemoryModel::may_become(const Pieces& pieces, std::span<const std::byte> bytes) {
  spread(pieces, bytes, [&](const Piece& piece, std::span<const std::byte> part) {
    doubts_.push_back({piece, Bytes(part.begin(), part.end())});
  });
}

void MemoryModel::anything(const Pieces& pieces) {
  free_parts_.insert(free_parts_.end(), pieces.begin(), pieces.end());
}

void MemoryModel::word_becomes(std::size_t index, std::uint64_t value) {
  std::memcpy(expected_.data() + word_offset(index), &value, sizeof value);
}

bool MemoryModel::holds(const Pieces& pieces, std::size_t skip, std::span<const std::byte> bytes) const {
  for (const Piece& piece : pieces) {
    const std::size_t skipped = std::min(skip, piece.length);
    skip -= skipped;
    const std::size_t length = std::min(piece.length - skipped, bytes.size());
    if (length == 0) continue;
    if (std::memcmp(region_.data() + piece.offset + skipped, bytes.data(), length) != 0) return false;
    bytes = bytes.subspan(length);
  }
  return bytes.empty();
}

std::string MemoryModel::check() {
  for (const Doubt& doubt : doubts_) {
    for (std::size_t i = 0; i < doubt.piece.length; ++i) {
      const std::size_t at = doubt.piece.offset + i;
      if (region_.data()[at] == doubt.bytes[i]) expected_[at] = doubt.bytes[i];
    }
  }
  for (const Piece& piece : free_parts_) {
    if (piece.length != 0) std::memcpy(expected_.data() + piece.offset, region_.data() + piece.offset, piece.length);
  }
  doubts_.clear();
  free_parts_.clear();
  used_ = 0;
  if (!region_.guards_intact()) return "a byte outside the region has been written";
  if (std::memcmp(expected_.data(), region_.data(), kRegionBytes) == 0) return {};
  const auto differs = std::mismatch(expected_.begin(), expected_.end(), region_.data()).first;
  const auto at = static_cast<std::size_t>(differs - expected_.begin());
  const char* part = at < kSourceBytes ? "source" : at < kPoolOffset ? "words and slots" : "pool";
  return "memory differs from the model at offset " + std::to_string(at) + " (" + part + "): is " +
         std::to_string(static_cast<unsigned>(region_.data()[at])) + ", must be " +
         std::to_string(static_cast<unsigned>(expected_[at]));
}

}  // namespace rocelab::test::soak
