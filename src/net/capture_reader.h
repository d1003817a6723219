// Reads the frames of capture files: pcap (either byte order, micro- or nanoseconds) and pcapng (section header,
// interface description, enhanced, simple and obsolete packet blocks; other blocks are skipped). Link type Ethernet.
// Whatever a file holds, nothing is read or allocated beyond the named limits. Used by `rocelab pcap` and the tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/pcapng_writer.h"

namespace rocelab::net {

struct CapturedFrame {
  std::uint64_t number = 0;           ///< from 1, as Wireshark counts
  std::uint64_t epoch_ns = 0;         ///< since 1970, UTC; 0 where the file has no time (simple packet blocks)
  std::uint32_t interface = 0;        ///< within its section
  std::uint32_t original_length = 0;  ///< on the wire; more than bytes.size(): the capture has cut the frame
  CaptureDirection direction = CaptureDirection::kUnknown;
  std::span<const std::byte> bytes;  ///< valid until the next call of next()
};

class CaptureReader {
 public:
  static constexpr std::size_t kBlockBytesMax = 16u << 20;  ///< a pcapng block or pcap record; longer is an error
  static constexpr std::size_t kInterfacesMax = 4096;       ///< of one section

  /// Opens the file and reads its header; fails with a sentence that names the file and what is wrong with it.
  static base::TextResult<CaptureReader> open(const std::string& path);
  /// The same over bytes in memory, which must outlive the reader; `name` is for error messages.
  static base::TextResult<CaptureReader> from_bytes(std::span<const std::byte> bytes, std::string name);

  /// The next frame: true; the file's end: false; a damaged file: a sentence, and the reader is at its end.
  base::TextResult<bool> next(CapturedFrame& frame);

  /// At the end: the file stopped in the middle of a record, as after its writer was killed. All before it was read.
  bool cut_short() const { return cut_short_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;

  struct Interface {
    std::uint16_t link_type = 0;
    std::uint32_t snap_length = 0;    // 0: unlimited
    std::uint8_t resolution = 6;      // if_tsresol: a negative power of ten, or of two when bit 7 is set
    std::int64_t offset_seconds = 0;  // if_tsoffset
  };
  struct Block {
    std::uint32_t type = 0;
    std::span<const std::byte> body;  // without type and lengths
  };

  CaptureReader(File file, std::string name);
  static base::TextResult<CaptureReader> start(File file, std::string name);

  bool fill(std::byte* into, std::size_t bytes);
  bool fill_buffer(std::size_t bytes);
  template <class T>
  T load(const std::byte* p) const;
  tl::unexpected<std::string> damaged(const std::string& what);
  bool end();

  base::TextResult<void> start_pcap();
  base::TextResult<bool> next_pcap(CapturedFrame& frame);

  base::TextResult<bool> next_pcapng(CapturedFrame& frame);
  base::TextResult<bool> read_block(Block& block);
  base::TextResult<bool> read_section(Block& block);
  base::TextResult<void> add_interface(std::span<const std::byte> body);
  base::TextResult<bool> packet(const Block& block, CapturedFrame& frame);
  base::TextResult<bool> simple_packet(std::span<const std::byte> body, CapturedFrame& frame);
  base::TextResult<bool> hand_out(CapturedFrame& frame, std::span<const std::byte> data, std::size_t captured);
  template <class Visit>
  void for_each_option(std::span<const std::byte> options, Visit visit) const;

  File file_;
  std::string name_;
  std::vector<std::byte> buffer_;      // the current block or record
  std::vector<Interface> interfaces_;  // of the current section
  std::uint64_t count_ = 0;            // frames so far
  bool pcapng_ = false;
  bool swapped_ = false;      // the file's byte order is not this machine's
  bool nanoseconds_ = false;  // pcap
  bool ended_ = false;
  bool cut_short_ = false;
};

}  // namespace rocelab::net
