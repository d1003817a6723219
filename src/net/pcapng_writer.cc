// See pcapng_writer.h. Numbers are written in this machine's byte order, as the format allows.
#include "net/pcapng_writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/capture_format.h"

namespace rocelab::net {

namespace {

/// Appends numbers and bytes; whoever uses it has reserved the room.
class Cursor {
 public:
  explicit Cursor(std::byte* at) : at_(at) {}

  template <class T>
  Cursor& put(T value) {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
    return *this;
  }
  /// The bytes, then zeros up to a whole word.
  Cursor& put_padded(const void* data, std::size_t bytes) {
    const std::size_t whole = capture::padded(bytes);
    std::memset(at_ + bytes, 0, whole - bytes);
    if (bytes != 0) std::memcpy(at_, data, bytes);
    at_ += whole;
    return *this;
  }
  Cursor& option(std::uint16_t code, const void* data, std::size_t bytes) {
    return put<std::uint16_t>(code).put(static_cast<std::uint16_t>(bytes)).put_padded(data, bytes);
  }
  Cursor& end_of_options() { return put<std::uint32_t>(capture::kOptionEnd); }

 private:
  std::byte* at_;
};

constexpr std::size_t option_bytes(std::size_t bytes) { return 4 + capture::padded(bytes); }

constexpr std::string_view kApplication = "rocelab";
constexpr std::size_t kInterfaceNameMax = 255;

}  // namespace

std::string expand_capture_path(std::string_view pattern, long pid) {
  std::string path;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '%' && i + 1 < pattern.size() && (pattern[i + 1] == 'p' || pattern[i + 1] == '%')) {
      ++i;
      if (pattern[i] == 'p') {
        path += std::to_string(pid);
      } else {
        path += '%';
      }
    } else {
      path += pattern[i];
    }
  }
  return path;
}

base::TextResult<PcapngWriter> PcapngWriter::create(std::string_view pattern) {
  std::string path = expand_capture_path(pattern, ::getpid());
  const auto refuse = [&path](const std::string& why) { return base::fail_text("capture file " + path + ": " + why); };
  if (path.empty()) return base::fail_text("capture file: the name is empty");
  // Emptied only once the lock says that nobody else is writing it.
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return refuse(std::strerror(errno));
  PcapngWriter writer(fd, path);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return refuse("another process is writing it; put %p into the name, so that each process has its own file");
  }
  struct stat status {};
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && ::ftruncate(fd, 0) != 0) {
    return refuse(std::strerror(errno));
  }
  writer.write_section_header();
  if (!writer.flush()) return refuse(std::string("can't be written: ") + std::strerror(errno));
  return writer;
}

PcapngWriter::PcapngWriter(int fd, std::string path) : fd_(fd), path_(std::move(path)), buffer_(kBufferBytes) {}

PcapngWriter::PcapngWriter(PcapngWriter&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      buffer_(std::move(other.buffer_)),
      used_(std::exchange(other.used_, 0)),
      buffered_(std::exchange(other.buffered_, 0)),
      interfaces_(other.interfaces_),
      frames_(other.frames_),
      dropped_(other.dropped_),
      failed_(other.failed_) {}

PcapngWriter::~PcapngWriter() {
  if (fd_ < 0) return;
  flush();
  ::close(fd_);
}

std::byte* PcapngWriter::reserve(std::size_t bytes) {
  if (used_ + bytes > buffer_.size()) flush();
  std::byte* const at = buffer_.data() + used_;
  used_ += bytes;
  return at;
}

void PcapngWriter::write_section_header() {
  const std::size_t options = option_bytes(kApplication.size()) + 4;
  const auto length = static_cast<std::uint32_t>(capture::kBlockFrameBytes + 16 + options);
  Cursor(reserve(length))
      .put(capture::kSectionHeader)
      .put(length)
      .put(capture::kByteOrderMagic)
      .put<std::uint16_t>(1)  // version 1.0
      .put<std::uint16_t>(0)
      .put(~std::uint64_t{0})  // the section's length is not known
      .option(capture::kOptionApplication, kApplication.data(), kApplication.size())
      .end_of_options()
      .put(length);
}

std::uint32_t PcapngWriter::add_interface(std::string_view name) {
  name = name.substr(0, kInterfaceNameMax);
  constexpr std::uint8_t kNanoseconds = 9;  // ten to the minus ninth
  const std::size_t options = option_bytes(name.size()) + option_bytes(1) + 4;
  const auto length = static_cast<std::uint32_t>(capture::kBlockFrameBytes + 8 + options);
  Cursor(reserve(length))
      .put(capture::kInterfaceDescription)
      .put(length)
      .put(capture::kLinkEthernet)
      .put<std::uint16_t>(0)
      .put(static_cast<std::uint32_t>(kFrameBytesMax))
      .option(capture::kOptionInterfaceName, name.data(), name.size())
      .option(capture::kOptionTimeResolution, &kNanoseconds, 1)
      .end_of_options()
      .put(length);
  return interfaces_++;
}

void PcapngWriter::append(std::uint32_t interface, std::uint64_t epoch_ns, CaptureDirection direction,
                          std::span<const std::byte> frame) {
  const std::size_t kept = std::min(frame.size(), kFrameBytesMax);
  const auto flags = static_cast<std::uint32_t>(direction);
  const std::size_t options = option_bytes(sizeof flags) + 4;
  const auto length = static_cast<std::uint32_t>(capture::kBlockFrameBytes + 20 + capture::padded(kept) + options);
  Cursor(reserve(length))
      .put(capture::kEnhancedPacket)
      .put(length)
      .put(interface)
      .put(static_cast<std::uint32_t>(epoch_ns >> 32))
      .put(static_cast<std::uint32_t>(epoch_ns))
      .put(static_cast<std::uint32_t>(kept))
      .put(static_cast<std::uint32_t>(frame.size()))
      .put_padded(frame.data(), kept)
      .option(capture::kOptionPacketFlags, &flags, sizeof flags)
      .end_of_options()
      .put(length);
  ++frames_;
  ++buffered_;
}

bool PcapngWriter::flush() {
  const std::size_t bytes = std::exchange(used_, 0);
  const std::uint64_t buffered = std::exchange(buffered_, 0);
  if (bytes == 0) return !failed_;
  std::size_t written = 0;
  while (!failed_ && written < bytes) {
    const ssize_t n = ::write(fd_, buffer_.data() + written, bytes - written);
    if (n > 0) {
      written += static_cast<std::size_t>(n);
    } else if (n == 0 || errno != EINTR) {
      failed_ = true;
    }
  }
  if (!failed_) return true;
  dropped_ += buffered;
  if (written == 0) return false;
  // A part of the buffer is in the file: take it back, so that the file ends with a whole block.
  const int reason = errno;
  const off_t end = ::lseek(fd_, 0, SEEK_END);
  if (end >= static_cast<off_t>(written)) {
    [[maybe_unused]] const int ignored = ::ftruncate(fd_, end - static_cast<off_t>(written));
  }
  errno = reason;
  return false;
}

}  // namespace rocelab::net
