// Bytes on their way into and out of local memory: checking the pieces of requests, and copying so that a program that
// polls the end of a buffer finds everything before it in place. No state. Elided memory (host == nullptr) and elided
// payloads (data == nullptr) are measured and not touched; on-demand memory (base/guarded_memory.h) is copied with
// care.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/guarded_memory.h"
#include "mm/region_table.h"
#include "rxe/qp.h"
#include "rxe/types.h"
#include "wire/packet.h"

namespace rocelab::rxe {

/// A piece of memory that may be written; host == nullptr: elided.
struct MemoryPiece {
  std::byte* host = nullptr;
  std::uint32_t length = 0;
};

/// Copies up to 64 bytes by words; memcpy's dispatch would cost more than the copy.
inline void copy_short(std::byte* to, const std::byte* from, std::size_t length) {
  for (; length >= 8; length -= 8, to += 8, from += 8) std::memcpy(to, from, 8);
  if ((length & 4) != 0) {
    std::memcpy(to, from, 4);
    to += 4;
    from += 4;
  }
  if ((length & 2) != 0) {
    std::memcpy(to, from, 2);
    to += 2;
    from += 2;
  }
  if ((length & 1) != 0) *to = *from;
}

inline constexpr std::size_t kShortCopy = 64;

inline void copy_bytes(std::byte* to, const std::byte* from, std::size_t length) {
  if (length <= kShortCopy) {
    copy_short(to, from, length);
  } else {
    std::memcpy(to, from, length);
  }
}

/// Copies so that the last byte (the last aligned word, when the end is aligned) becomes visible after all others.
/// false: on-demand memory that is not there. Whoever has made sure before that it is (find_places) need not look: what
/// the application unmaps at the same time may count as written before.
inline bool place_bytes(std::byte* to, const std::byte* from, std::size_t length) {
  if (length == 0) return true;
  if (base::is_guarded(to)) [[unlikely]]
    return base::guarded_write(to, from, length);
  if (length >= 8 && (reinterpret_cast<std::uintptr_t>(to + length) & 7) == 0) [[likely]] {
    const std::size_t body = length - 8;
    copy_bytes(to, from, body);
    std::uint64_t last;
    std::memcpy(&last, from + body, 8);
    std::atomic_ref(*reinterpret_cast<std::uint64_t*>(to + body)).store(last, std::memory_order_release);
    return true;
  }
  copy_bytes(to, from, length - 1);
  const auto last = static_cast<unsigned char>(from[length - 1]);
  std::atomic_ref(*reinterpret_cast<unsigned char*>(to + length - 1)).store(last, std::memory_order_release);
  return true;
}

/// Could `length` bytes be written there? Asked only of on-demand memory; others were found by their key.
inline mm::AccessFault check_writable(const std::byte* host, std::uint64_t length) {
  if (base::is_guarded(host) && !base::fault_in(host, length, true)) [[unlikely]]
    return mm::AccessFault::kNotMapped;
  return mm::AccessFault::kNone;
}

/// A payload that is to be sent from on-demand memory is copied into `bounce`, and named there. false: not all of it is
/// there.
bool fetch_guarded(std::vector<std::byte>& bounce, wire::Payload& payload);
inline bool fetch(std::vector<std::byte>& bounce, wire::Payload& payload) {
  if (!base::is_guarded(payload.data)) [[likely]]
    return true;
  return fetch_guarded(bounce, payload);
}

/// Checks every piece of a send request and notes where it is; `need` is kLocalWrite for what will be written.
mm::AccessFault translate(const mm::RegionTable& regions, std::uint32_t pd, std::span<SendPiece> pieces,
                          std::uint32_t need);
/// Copies an answer's payload to [offset, offset + length) of a request's translated pieces. false: not all of it, as
/// on-demand memory is not there.
bool scatter(std::span<const SendPiece> pieces, std::uint64_t offset, const wire::Payload& payload);

/// What find_places found.
struct Places {
  mm::AccessFault fault = mm::AccessFault::kNone;
  std::uint32_t count = 0;
  PieceCursor end;  ///< behind the bytes asked for
};
/// Checks the next `length` bytes of a receive request from `from` on and writes where they are to `out`, which has
/// room for as many pieces as the request. The request must be long enough.
Places find_places(const mm::RegionTable& regions, std::uint32_t pd, std::span<const Sge> sges, PieceCursor from,
                   std::uint32_t length, MemoryPiece* out);
/// Fills the places from a contiguous payload.
void fill(std::span<const MemoryPiece> places, const wire::Payload& payload);
/// Fills the places from several sources, one after the other.
void fill(std::span<const MemoryPiece> places, std::span<const wire::Segment> sources);

}  // namespace rocelab::rxe
