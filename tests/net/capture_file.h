// Builds capture files in memory, in either byte order, good and bad ones: for the tests of the reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "net/capture_format.h"
#include "wire/bytes.h"

namespace rocelab::net {

class CaptureFile {
 public:
  explicit CaptureFile(bool swapped = false) : swapped_(swapped) {}

  const std::vector<std::byte>& bytes() const { return bytes_; }
  std::vector<std::byte>& bytes() { return bytes_; }

  template <class T>
  CaptureFile& put(T value) {
    if (swapped_) value = wire::swap_bytes(value);
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return *this;
  }
  CaptureFile& put_bytes(std::span<const std::byte> data, bool pad) {
    bytes_.insert(bytes_.end(), data.begin(), data.end());
    while (pad && bytes_.size() % 4 != 0) bytes_.push_back(std::byte{0});
    return *this;
  }

  // pcap
  CaptureFile& pcap_header(std::uint32_t magic, std::uint32_t link_type = capture::kLinkEthernet) {
    return put(magic).put<std::uint16_t>(2).put<std::uint16_t>(4).put<std::uint64_t>(0).put(65'535u).put(link_type);
  }
  CaptureFile& pcap_record(std::uint32_t seconds, std::uint32_t fraction, std::span<const std::byte> frame,
                           std::uint32_t original) {
    put(seconds).put(fraction).put(static_cast<std::uint32_t>(frame.size())).put(original);
    return put_bytes(frame, false);
  }

  // pcapng: begin() ... end() frame a block of any type.
  CaptureFile& begin(std::uint32_t type) {
    start_ = bytes_.size();
    return put(type).put(0u);
  }
  CaptureFile& end() {
    const auto length = static_cast<std::uint32_t>(bytes_.size() - start_ + 4);
    put(length);
    std::memcpy(bytes_.data() + start_ + 4, bytes_.data() + bytes_.size() - 4, 4);
    return *this;
  }
  CaptureFile& section() {
    return begin(capture::kSectionHeader)
        .put(capture::kByteOrderMagic)
        .put<std::uint16_t>(1)
        .put<std::uint16_t>(0)
        .put(~std::uint64_t{0})
        .end();
  }
  CaptureFile& option(std::uint16_t code, std::span<const std::byte> value) {
    return put(code).put(static_cast<std::uint16_t>(value.size())).put_bytes(value, true);
  }
  CaptureFile& interface(std::uint16_t link_type = capture::kLinkEthernet, std::uint32_t snap_length = 0) {
    return begin(capture::kInterfaceDescription).put(link_type).put<std::uint16_t>(0).put(snap_length).end();
  }
  /// An interface whose clock ticks by if_tsresol.
  CaptureFile& interface_with_clock(std::uint8_t resolution, std::int64_t offset_seconds) {
    begin(capture::kInterfaceDescription).put(capture::kLinkEthernet).put<std::uint16_t>(0).put(0u);
    put(capture::kOptionTimeResolution).put<std::uint16_t>(1).put(resolution).put_bytes({}, true);
    put(capture::kOptionTimeOffset).put<std::uint16_t>(8).put(static_cast<std::uint64_t>(offset_seconds));
    return put(0u).end();
  }
  CaptureFile& enhanced_packet(std::uint32_t interface, std::uint64_t ticks, std::span<const std::byte> frame) {
    const auto bytes = static_cast<std::uint32_t>(frame.size());
    begin(capture::kEnhancedPacket).put(interface).put(static_cast<std::uint32_t>(ticks >> 32));
    return put(static_cast<std::uint32_t>(ticks)).put(bytes).put(bytes).put_bytes(frame, true).end();
  }

 private:
  bool swapped_;
  std::vector<std::byte> bytes_;
  std::size_t start_ = 0;
};

}  // namespace rocelab::net
