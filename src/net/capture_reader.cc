// See capture_reader.h: opening, and the pcap format. pcapng is in capture_reader_ng.cc.
#include "net/capture_reader.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/capture_format.h"
#include "net/capture_reader_load.h"

namespace rocelab::net {

CaptureReader::CaptureReader(File file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}

base::TextResult<CaptureReader> CaptureReader::open(const std::string& path) {
  File file(std::fopen(path.c_str(), "rbe"));
  if (!file) return base::fail_text(path + ": " + std::strerror(errno));
  struct stat status {};
  if (::fstat(::fileno(file.get()), &status) == 0 && S_ISDIR(status.st_mode)) {
    return base::fail_text(path + ": is a directory");
  }
  return start(std::move(file), path);
}

base::TextResult<CaptureReader> CaptureReader::from_bytes(std::span<const std::byte> bytes, std::string name) {
  // fmemopen refuses an empty buffer; it never writes to one that is opened for reading.
  if (bytes.empty()) return base::fail_text(name + ": is empty, not a capture");
  File file(::fmemopen(const_cast<std::byte*>(bytes.data()), bytes.size(), "rb"));
  if (!file) return base::fail_text(name + ": " + std::strerror(errno));
  return start(std::move(file), std::move(name));
}

base::TextResult<CaptureReader> CaptureReader::start(File file, std::string name) {
  CaptureReader reader(std::move(file), std::move(name));
  std::byte first[4];
  if (!reader.fill(first, sizeof first)) {
    if (std::ferror(reader.file_.get()) != 0) return base::fail_text(reader.name_ + ": can't be read");
    return base::fail_text(reader.name_ + ": shorter than any capture's header, neither pcap nor pcapng");
  }
  const auto magic = reader.load<std::uint32_t>(first);
  const std::uint32_t other_order = wire::swap_bytes(magic);
  for (const std::uint32_t known : {capture::kPcapMicroseconds, capture::kPcapNanoseconds}) {
    if (magic != known && other_order != known) continue;
    reader.swapped_ = magic != known;
    reader.nanoseconds_ = known == capture::kPcapNanoseconds;
    if (auto started = reader.start_pcap(); !started) return base::fail_text(started.error());
    return reader;
  }
  if (magic != capture::kSectionHeader) {
    return base::fail_text(reader.name_ + ": not a capture (neither pcap nor pcapng)");
  }
  reader.pcapng_ = true;
  Block block;
  auto section = reader.read_section(block);
  if (!section) return base::fail_text(section.error());
  if (!*section) return base::fail_text(reader.name_ + ": ends within its first section header, not a capture");
  return reader;
}

base::TextResult<bool> CaptureReader::next(CapturedFrame& frame) {
  if (ended_) return false;
  auto more = pcapng_ ? next_pcapng(frame) : next_pcap(frame);
  if (more && !*more && std::ferror(file_.get()) != 0) return damaged("reading failed");
  return more;
}

/// Reads exactly that many bytes; false at the end of the file. Whether it stopped in between is kept in cut_short_.
bool CaptureReader::fill(std::byte* into, std::size_t bytes) {
  const std::size_t got = std::fread(into, 1, bytes, file_.get());
  if (got == bytes) return true;
  if (got != 0) cut_short_ = true;
  return false;
}

/// Reads that many bytes into the buffer, which grows only as far as the file really goes: a length is just a claim.
bool CaptureReader::fill_buffer(std::size_t bytes) {
  constexpr std::size_t kChunk = 65'536;
  buffer_.clear();
  while (buffer_.size() < bytes) {
    const std::size_t at = buffer_.size();
    const std::size_t chunk = std::min(kChunk, bytes - at);
    buffer_.resize(at + chunk);
    if (!fill(buffer_.data() + at, chunk)) {
      cut_short_ = true;
      return false;
    }
  }
  return true;
}

bool CaptureReader::end() {
  ended_ = true;
  return false;
}

tl::unexpected<std::string> CaptureReader::damaged(const std::string& what) {
  ended_ = true;
  return base::fail_text(name_ + ": damaged after packet " + std::to_string(count_) + ": " + what);
}

base::TextResult<void> CaptureReader::start_pcap() {
  std::byte rest[capture::kPcapHeaderBytes - 4];
  if (!fill(rest, sizeof rest)) return base::fail_text(name_ + ": ends within the header of a pcap file");
  const auto major = load<std::uint16_t>(rest);
  if (major != 2) return base::fail_text(name_ + ": pcap version " + std::to_string(major) + " (only 2 is known)");
  // The upper half of the word tells the length of a frame check sequence, which decoding takes for padding.
  const std::uint32_t link_type = load<std::uint32_t>(rest + 16) & 0xffff;
  if (link_type != capture::kLinkEthernet) {
    return base::fail_text(name_ + ": link type " + std::to_string(link_type) + " (only Ethernet, 1, is read)");
  }
  return {};
}

base::TextResult<bool> CaptureReader::next_pcap(CapturedFrame& frame) {
  std::byte record[capture::kPcapRecordBytes];
  if (!fill(record, sizeof record)) return end();
  const auto captured = load<std::uint32_t>(record + 8);
  if (captured > kBlockBytesMax) return damaged("a frame of " + std::to_string(captured) + " bytes");
  if (!fill_buffer(captured)) return end();
  const std::uint64_t fraction = load<std::uint32_t>(record + 4);
  frame.number = ++count_;
  frame.epoch_ns = load<std::uint32_t>(record) * 1'000'000'000ull + fraction * (nanoseconds_ ? 1 : 1000);
  frame.interface = 0;
  frame.original_length = load<std::uint32_t>(record + 12);
  frame.direction = CaptureDirection::kUnknown;
  frame.bytes = buffer_;
  return true;
}

}  // namespace rocelab::net
