// See capture_reader.h: the pcapng format. Blocks are read whole, after their length has been checked against
// kBlockBytesMax; everything inside is then a matter of offsets below the body's size.
#include <cstring>
#include <limits>

#include "net/capture_format.h"
#include "net/capture_reader.h"
#include "net/capture_reader_load.h"

namespace rocelab::net {

namespace {

__extension__ using Wide = unsigned __int128;

/// Ticks of a clock with if_tsresol `resolution` as nanoseconds; what does not fit becomes the largest number.
std::uint64_t to_nanoseconds(std::uint64_t ticks, std::uint8_t resolution) {
  constexpr unsigned kNanosecond = 9;  // the power of ten
  const unsigned exponent = resolution & 0x7f;
  Wide value = ticks;
  if ((resolution & 0x80) != 0) {
    value = value * 1'000'000'000u >> exponent;
  } else {
    for (unsigned power = exponent; power < kNanosecond; ++power) value *= 10;
    for (unsigned power = kNanosecond; power < exponent && value != 0; ++power) value /= 10;
  }
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  return value > kMax ? kMax : static_cast<std::uint64_t>(value);
}

}  // namespace

/// The first four bytes, which name a section header, have been read. Sets the byte order and forgets the interfaces.
base::TextResult<bool> CaptureReader::read_section(Block& block) {
  std::byte start[8];  // length and byte-order magic
  if (!fill(start, sizeof start)) {
    cut_short_ = true;
    return end();
  }
  std::uint32_t magic = 0;
  std::memcpy(&magic, start + 4, sizeof magic);
  if (magic != capture::kByteOrderMagic && wire::swap_bytes(magic) != capture::kByteOrderMagic) {
    return damaged("a section header without the byte-order magic");
  }
  swapped_ = magic != capture::kByteOrderMagic;
  const auto length = load<std::uint32_t>(start);
  if (length < 28 || length % 4 != 0 || length > kBlockBytesMax) {
    return damaged("a section header of " + std::to_string(length) + " bytes");
  }
  if (!fill_buffer(length - 12)) return end();
  if (load<std::uint32_t>(buffer_.data() + buffer_.size() - 4) != length) {
    return damaged("the two lengths of a section header differ");
  }
  const auto major = load<std::uint16_t>(buffer_.data());
  if (major != 1) return damaged("pcapng version " + std::to_string(major) + " (only 1 is known)");
  interfaces_.clear();
  block = {capture::kSectionHeader, {}};
  return true;
}

/// The next block of whatever type; false at the end of the file.
base::TextResult<bool> CaptureReader::read_block(Block& block) {
  std::byte start[8];
  if (!fill(start, 4)) return end();
  block.type = load<std::uint32_t>(start);
  if (block.type == capture::kSectionHeader) return read_section(block);
  if (!fill(start + 4, 4)) {
    cut_short_ = true;
    return end();
  }
  const auto length = load<std::uint32_t>(start + 4);
  if (length < capture::kBlockFrameBytes || length % 4 != 0 || length > kBlockBytesMax) {
    return damaged("a block of " + std::to_string(length) + " bytes");
  }
  if (!fill_buffer(length - 8)) return end();
  const std::size_t body = buffer_.size() - 4;
  if (load<std::uint32_t>(buffer_.data() + body) != length) return damaged("the two lengths of a block differ");
  block.body = std::span<const std::byte>(buffer_).first(body);
  return true;
}

base::TextResult<bool> CaptureReader::next_pcapng(CapturedFrame& frame) {
  Block block;
  for (;;) {
    auto more = read_block(block);
    if (!more || !*more) return more;
    switch (block.type) {
      case capture::kInterfaceDescription:
        if (auto added = add_interface(block.body); !added) return base::fail_text(added.error());
        break;
      case capture::kEnhancedPacket:
      case capture::kObsoletePacket:
        return packet(block, frame);
      case capture::kSimplePacket:
        return simple_packet(block.body, frame);
      default:
        break;
    }
  }
}

/// Calls visit(code, value) for each whole option. What does not fit ends the list: options are never vital.
template <class Visit>
void CaptureReader::for_each_option(std::span<const std::byte> options, Visit visit) const {
  while (options.size() >= 4) {
    const auto code = load<std::uint16_t>(options.data());
    const std::size_t length = load<std::uint16_t>(options.data() + 2);
    options = options.subspan(4);
    if (code == capture::kOptionEnd || capture::padded(length) > options.size()) return;
    visit(code, options.first(length));
    options = options.subspan(capture::padded(length));
  }
}

base::TextResult<void> CaptureReader::add_interface(std::span<const std::byte> body) {
  if (body.size() < 8) return damaged("an interface description of " + std::to_string(body.size()) + " bytes");
  if (interfaces_.size() == kInterfacesMax) {
    return damaged("more than " + std::to_string(kInterfacesMax) + " interfaces in one section");
  }
  Interface interface;
  interface.link_type = load<std::uint16_t>(body.data());
  interface.snap_length = load<std::uint32_t>(body.data() + 4);
  for_each_option(body.subspan(8), [&](std::uint16_t code, std::span<const std::byte> value) {
    if (code == capture::kOptionTimeResolution && value.size() == 1) interface.resolution = wire::load_u8(value.data());
    if (code == capture::kOptionTimeOffset && value.size() == 8) {
      interface.offset_seconds = static_cast<std::int64_t>(load<std::uint64_t>(value.data()));
    }
  });
  interfaces_.push_back(interface);
  return {};
}

/// Enhanced and obsolete packet blocks: the same 20 bytes, but for the size of the interface's number.
base::TextResult<bool> CaptureReader::packet(const Block& block, CapturedFrame& frame) {
  constexpr std::size_t kFixed = 20;
  const std::byte* const p = block.body.data();
  if (block.body.size() < kFixed) return damaged("a packet block of " + std::to_string(block.body.size()) + " bytes");
  const bool obsolete = block.type == capture::kObsoletePacket;
  frame.interface = obsolete ? load<std::uint16_t>(p) : load<std::uint32_t>(p);
  if (frame.interface >= interfaces_.size()) {
    return damaged("a packet of interface " + std::to_string(frame.interface) + ", which is not described");
  }
  const Interface& interface = interfaces_[frame.interface];
  const std::uint64_t ticks = static_cast<std::uint64_t>(load<std::uint32_t>(p + 4)) << 32 | load<std::uint32_t>(p + 8);
  frame.epoch_ns = to_nanoseconds(ticks, interface.resolution) +
                   static_cast<std::uint64_t>(interface.offset_seconds) * 1'000'000'000u;
  const std::size_t captured = load<std::uint32_t>(p + 12);
  frame.original_length = load<std::uint32_t>(p + 16);
  const std::span<const std::byte> data = block.body.subspan(kFixed);
  frame.direction = CaptureDirection::kUnknown;
  if (capture::padded(captured) <= data.size()) {
    for_each_option(data.subspan(capture::padded(captured)), [&](std::uint16_t code, std::span<const std::byte> value) {
      if (code != capture::kOptionPacketFlags || value.size() != 4) return;
      const std::uint32_t direction = load<std::uint32_t>(value.data()) & 3;
      if (direction < 3) frame.direction = static_cast<CaptureDirection>(direction);
    });
  }
  return hand_out(frame, data, captured);
}

/// A simple packet block belongs to the section's first interface, whose snap length tells how much was captured.
base::TextResult<bool> CaptureReader::simple_packet(std::span<const std::byte> body, CapturedFrame& frame) {
  if (body.size() < 4) return damaged("a simple packet block without a length");
  if (interfaces_.empty()) return damaged("a simple packet block without an interface");
  frame.interface = 0;
  frame.epoch_ns = 0;
  frame.direction = CaptureDirection::kUnknown;
  frame.original_length = load<std::uint32_t>(body.data());
  std::size_t captured = frame.original_length;
  const std::size_t snap_length = interfaces_.front().snap_length;
  if (snap_length != 0 && snap_length < captured) captured = snap_length;
  return hand_out(frame, body.subspan(4), captured);
}

base::TextResult<bool> CaptureReader::hand_out(CapturedFrame& frame, std::span<const std::byte> data,
                                               std::size_t captured) {
  if (captured > data.size()) return damaged("a packet longer than its block");
  const std::uint16_t link_type = interfaces_[frame.interface].link_type;
  if (link_type != capture::kLinkEthernet) {
    return damaged("a packet of link type " + std::to_string(link_type) + " (only Ethernet, 1, is read)");
  }
  frame.number = ++count_;
  frame.bytes = data.first(captured);
  return true;
}

}  // namespace rocelab::net
