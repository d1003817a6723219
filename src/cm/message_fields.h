// How the fields of a message are read and written: by offsets that count from the end of the MAD header, as the tables
// of IBTA vol 1, 12.6 do, and by bits within a byte, the most significant being the first. For the .cc files of
// messages.h only. Offsets are constants below kDataBytes, so nothing here can leave the datagram.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "cm/messages.h"
#include "wire/bytes.h"

namespace rocelab::cm {

inline constexpr std::size_t kDataBytes = kMadBytes - kMadHeaderBytes;

class FieldReader {
 public:
  explicit FieldReader(std::span<const std::byte> mad) : p_(mad.data() + kMadHeaderBytes) {}

  std::uint8_t u8(std::size_t at) const { return wire::load_u8(p_ + at); }
  std::uint16_t u16(std::size_t at) const { return wire::load_be<std::uint16_t>(p_ + at); }
  std::uint32_t u24(std::size_t at) const { return wire::load_be24(p_ + at); }
  std::uint32_t u32(std::size_t at) const { return wire::load_be<std::uint32_t>(p_ + at); }
  std::uint64_t u64(std::size_t at) const { return wire::load_be<std::uint64_t>(p_ + at); }
  /// `width` bits that end `below` bits above the byte's least significant one.
  std::uint8_t bits(std::size_t at, unsigned width, unsigned below) const {
    return static_cast<std::uint8_t>(u8(at) >> below & ((1u << width) - 1));
  }
  bool bit(std::size_t at, unsigned below) const { return bits(at, 1, below) != 0; }
  wire::Gid gid(std::size_t at) const {
    wire::Gid gid;
    for (std::size_t i = 0; i < gid.bytes.size(); ++i) gid.bytes[i] = u8(at + i);
    return gid;
  }
  void copy(std::size_t at, std::span<std::byte> to) const { std::copy_n(p_ + at, to.size(), to.begin()); }
  PrivateData rest(std::size_t at, std::size_t size) const { return PrivateData::of({p_ + at, size}); }

 private:
  const std::byte* p_;
};

/// Over a datagram that is zero behind its header.
class FieldWriter {
 public:
  explicit FieldWriter(std::span<std::byte, kMadBytes> mad) : p_(mad.data() + kMadHeaderBytes) {}

  void u8(std::size_t at, unsigned value) { wire::store_u8(p_ + at, static_cast<std::uint8_t>(value)); }
  void u16(std::size_t at, std::uint16_t value) { wire::store_be(p_ + at, value); }
  void u24(std::size_t at, std::uint32_t value) { wire::store_be24(p_ + at, value & 0xff'ffff); }
  void u32(std::size_t at, std::uint32_t value) { wire::store_be(p_ + at, value); }
  void u64(std::size_t at, std::uint64_t value) { wire::store_be(p_ + at, value); }
  /// Adds to what is in the byte.
  void bits(std::size_t at, unsigned width, unsigned below, unsigned value) {
    u8(at, wire::load_u8(p_ + at) | (value & ((1u << width) - 1)) << below);
  }
  void gid(std::size_t at, const wire::Gid& gid) {
    for (std::size_t i = 0; i < gid.bytes.size(); ++i) u8(at + i, gid.bytes[i]);
  }
  void copy(std::size_t at, std::span<const std::byte> from) { std::copy(from.begin(), from.end(), p_ + at); }
  void rest(std::size_t at, std::size_t size, const PrivateData& data) {
    copy(at, data.view().first(std::min<std::size_t>(size, data.size)));
  }

 private:
  std::byte* p_;
};

// request_message.cc has the long ones, messages.cc the others.
void read(const FieldReader& from, Req& req);
void write(FieldWriter& to, const Req& req);
void read(const FieldReader& from, Lap& lap);
void write(FieldWriter& to, const Lap& lap);

}  // namespace rocelab::cm
