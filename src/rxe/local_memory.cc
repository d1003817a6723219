// See local_memory.h.
#include "rxe/local_memory.h"

#include <algorithm>

namespace rocelab::rxe {

mm::AccessFault translate(const mm::RegionTable& regions, std::uint32_t pd, std::span<SendPiece> pieces,
                          std::uint32_t need) {
  for (SendPiece& piece : pieces) {
    const mm::Translation found = regions.check_local(piece.lkey, pd, piece.addr, piece.length, need);
    if (!found.ok()) [[unlikely]]
      return found.fault;
    piece.host = found.host;
  }
  return mm::AccessFault::kNone;
}

bool scatter(std::span<const SendPiece> pieces, std::uint64_t offset, const wire::Payload& payload) {
  if (payload.data == nullptr) return true;
  const std::byte* from = payload.data;
  std::uint64_t left = payload.length;
  for (const SendPiece& piece : pieces) {
    if (left == 0) return true;
    if (offset >= piece.length) {
      offset -= piece.length;
      continue;
    }
    const std::uint64_t here = std::min<std::uint64_t>(left, piece.length - offset);
    if (piece.host != nullptr && !place_bytes(piece.host + offset, from, here)) return false;
    from += here;
    left -= here;
    offset = 0;
  }
  return true;
}

bool fetch_guarded(std::vector<std::byte>& bounce, wire::Payload& payload) {
  if (bounce.size() < payload.length) bounce.resize(payload.length);
  const wire::Segment whole{payload.data, payload.length};
  const std::span<const wire::Segment> pieces = payload.pieces.empty() ? std::span(&whole, 1) : payload.pieces;
  std::byte* to = bounce.data();
  for (const wire::Segment& piece : pieces) {
    if (base::is_guarded(piece.data)) {
      if (!base::guarded_read(to, piece.data, piece.length)) return false;
    } else if (piece.data != nullptr) {
      copy_bytes(to, piece.data, piece.length);
    }
    to += piece.length;
  }
  payload.data = bounce.data();
  payload.pieces = {};
  return true;
}

Places find_places(const mm::RegionTable& regions, std::uint32_t pd, std::span<const Sge> sges, PieceCursor from,
                   std::uint32_t length, MemoryPiece* out) {
  Places places{mm::AccessFault::kNone, 0, from};
  while (length != 0) {
    const Sge& sge = sges[places.end.piece];
    const std::uint32_t here = std::min(length, sge.length - places.end.offset);
    if (here != 0) {
      const mm::Translation found =
          regions.check_local(sge.lkey, pd, sge.addr + places.end.offset, here, access::kLocalWrite);
      places.fault = found.ok() ? check_writable(found.host, here) : found.fault;
      if (places.fault != mm::AccessFault::kNone) [[unlikely]]
        return places;
      out[places.count++] = {found.host, here};
    }
    length -= here;
    places.end.offset += here;
    if (places.end.offset == sge.length) places.end = {places.end.piece + 1, 0};
  }
  return places;
}

void fill(std::span<const MemoryPiece> places, const wire::Payload& payload) {
  if (payload.data == nullptr) return;
  const std::byte* from = payload.data;
  for (const MemoryPiece& place : places) {
    if (place.host != nullptr) place_bytes(place.host, from, place.length);
    from += place.length;
  }
}

void fill(std::span<const MemoryPiece> places, std::span<const wire::Segment> sources) {
  std::size_t place = 0;
  std::uint32_t used = 0;  // bytes of places[place]
  for (const wire::Segment& source : sources) {
    for (std::uint32_t done = 0; done < source.length;) {
      const std::uint32_t here = std::min(source.length - done, places[place].length - used);
      if (source.data != nullptr && places[place].host != nullptr) {
        place_bytes(places[place].host + used, source.data + done, here);
      }
      done += here;
      used += here;
      if (used == places[place].length) {
        ++place;
        used = 0;
      }
    }
  }
}

}  // namespace rocelab::rxe
