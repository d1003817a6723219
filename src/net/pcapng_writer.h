// Writes frames to a pcapng file (draft-ietf-opsawg-pcapng) that Wireshark, tshark and net/capture_reader.h read: one
// section, one interface description a port, one enhanced packet block a frame with its direction and a time in
// nanoseconds. Owned by whoever taps a port (net/capture_port.h); one thread at a time.
//
// Blocks gather in a buffer that flush() hands to the kernel, always whole blocks in one write() at the end of the
// file: a killed process leaves a readable file that lacks at most what came after its last flush(). (The kernel may
// cut a write short when it is the very call that the process dies in; readers take that for the end of the file.)
// Nothing is allocated after create().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rocelab::net {

/// As seen by the port: the values of a packet block's flags, bits 0 and 1.
enum class CaptureDirection : std::uint8_t { kUnknown = 0, kInbound = 1, kOutbound = 2 };

/// A capture file's name with %p replaced by the process id and %% by a percent sign: each process of a run writes a
/// file of its own. Everything else stays as it is.
std::string expand_capture_path(std::string_view pattern, long pid);

class PcapngWriter {
 public:
  /// Frames longer than this are cut in the file (their original length is kept): more than any port carries.
  static constexpr std::size_t kFrameBytesMax = 65'536;
  static constexpr std::size_t kBufferBytes = 4 * kFrameBytesMax;

  /// Creates or empties the file that `pattern` names (expand_capture_path) and writes the section header. Fails with a
  /// sentence when it can't be opened, or when a living process is writing it (two processes need %p in the name).
  static base::TextResult<PcapngWriter> create(std::string_view pattern);

  PcapngWriter(PcapngWriter&& other) noexcept;
  PcapngWriter& operator=(PcapngWriter&& other) = delete;
  ~PcapngWriter();  ///< flushes

  const std::string& path() const { return path_; }

  /// Describes an Ethernet port and returns its number in this file. `name` appears in Wireshark's columns.
  std::uint32_t add_interface(std::string_view name);

  /// One frame as it is on the wire, without FCS. `interface` comes from add_interface; the time counts from 1970, UTC.
  void append(std::uint32_t interface, std::uint64_t epoch_ns, CaptureDirection direction,
              std::span<const std::byte> frame);

  /// Hands everything appended so far to the kernel. False: the file could not take it (disk full); what it holds is
  /// still whole blocks, and everything later is dropped and counted.
  bool flush();

  std::uint64_t frames() const { return frames_; }    ///< appended
  std::uint64_t dropped() const { return dropped_; }  ///< of these, not in the file because it could not be written

 private:
  PcapngWriter(int fd, std::string path);
  std::byte* reserve(std::size_t bytes);
  void write_section_header();

  int fd_ = -1;
  std::string path_;
  std::vector<std::byte> buffer_;
  std::size_t used_ = 0;          // bytes of whole blocks in the buffer
  std::uint64_t buffered_ = 0;    // frames in the buffer
  std::uint32_t interfaces_ = 0;  // described so far
  std::uint64_t frames_ = 0;
  std::uint64_t dropped_ = 0;
  bool failed_ = false;
};

}  // namespace rocelab::net
