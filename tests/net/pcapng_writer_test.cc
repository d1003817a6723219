// The capture writer: what it writes is read back the same, whatever happens to the process or the disk.
#include "net/pcapng_writer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/rng.h"
#include "net/capture_reader.h"
#include "tests/support/catch.h"

namespace rocelab::net {

namespace {

/// A folder of its own that disappears with its contents.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rocelab-pcapng-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::vector<std::byte> random_frame(base::Rng& rng, std::size_t bytes) {
  std::vector<std::byte> frame(bytes);
  for (std::byte& byte : frame) byte = static_cast<std::byte>(rng.next() >> 56);
  return frame;
}

std::uint64_t frames_in(const std::string& path, bool* cut_short = nullptr) {
  auto reader = CaptureReader::open(path);
  REQUIRE(reader.has_value());
  CapturedFrame frame;
  std::uint64_t count = 0;
  for (;;) {
    const auto more = reader->next(frame);
    INFO((more ? "" : more.error()));
    REQUIRE(more.has_value());
    if (!*more) break;
    ++count;
  }
  if (cut_short != nullptr) *cut_short = reader->cut_short();
  return count;
}

}  // namespace

TEST_CASE("pcapng writer: frames, times, directions and interfaces are read back the same", "[net][capture]") {
  const Folder folder;
  base::Rng rng(1, "net.pcapng.round_trip");
  struct Sent {
    std::uint32_t interface;
    std::uint64_t epoch_ns;
    CaptureDirection direction;
    std::vector<std::byte> frame;
  };
  std::vector<Sent> sent;
  {
    auto writer = PcapngWriter::create(folder / "all.pcapng");
    REQUIRE(writer.has_value());
    CHECK(writer->path() == folder / "all.pcapng");
    CHECK(writer->add_interface("rocelab0") == 0);
    CHECK(writer->add_interface("memif to process 4711") == 1);
    for (unsigned i = 0; i < 3000; ++i) {
      sent.push_back({static_cast<std::uint32_t>(rng.below(2)), rng.next(), static_cast<CaptureDirection>(rng.below(3)),
                      random_frame(rng, rng.below(500))});
      const Sent& s = sent.back();
      writer->append(s.interface, s.epoch_ns, s.direction, s.frame);
      if (rng.chance(1, 10)) CHECK(writer->flush());
    }
    CHECK(writer->frames() == sent.size());
  }
  auto reader = CaptureReader::open(folder / "all.pcapng");
  REQUIRE(reader.has_value());
  CapturedFrame frame;
  for (const Sent& s : sent) {
    const auto more = reader->next(frame);
    REQUIRE((more && *more));
    REQUIRE(frame.interface == s.interface);
    REQUIRE(frame.epoch_ns == s.epoch_ns);
    REQUIRE(frame.direction == s.direction);
    REQUIRE(std::vector<std::byte>(frame.bytes.begin(), frame.bytes.end()) == s.frame);
  }
  CHECK(reader->next(frame).value() == false);
  CHECK_FALSE(reader->cut_short());
}

TEST_CASE("pcapng writer: a frame beyond the limit is cut, and its length kept", "[net][capture]") {
  const Folder folder;
  const std::vector<std::byte> frame(PcapngWriter::kFrameBytesMax + 5, std::byte{7});
  {
    auto writer = PcapngWriter::create(folder / "long.pcapng");
    REQUIRE(writer.has_value());
    const auto interface = writer->add_interface(std::string(1000, 'x'));
    for (unsigned i = 0; i < 10; ++i) writer->append(interface, i, CaptureDirection::kInbound, frame);
  }
  auto reader = CaptureReader::open(folder / "long.pcapng");
  REQUIRE(reader.has_value());
  CapturedFrame read;
  unsigned count = 0;
  while (reader->next(read).value()) {
    ++count;
    CHECK(read.bytes.size() == PcapngWriter::kFrameBytesMax);
    CHECK(read.original_length == frame.size());
  }
  CHECK(count == 10);
}

TEST_CASE("pcapng writer: what was flushed is in the file while the writer lives", "[net][capture]") {
  const Folder folder;
  auto writer = PcapngWriter::create(folder / "live.pcapng");
  REQUIRE(writer.has_value());
  const auto interface = writer->add_interface("p");
  const std::vector<std::byte> frame(60);
  for (unsigned i = 1; i <= 5; ++i) {
    writer->append(interface, i, CaptureDirection::kOutbound, frame);
    REQUIRE(writer->flush());
    CHECK(frames_in(folder / "live.pcapng") == i);
  }
  writer->append(interface, 6, CaptureDirection::kOutbound, frame);
  CHECK(frames_in(folder / "live.pcapng") == 5);
}

TEST_CASE("pcapng writer: %p in the name becomes the process id, so that each process has its own file",
          "[net][capture]") {
  CHECK(expand_capture_path("/tmp/a-%p.pcapng", 42) == "/tmp/a-42.pcapng");
  CHECK(expand_capture_path("%p%p", 7) == "77");
  CHECK(expand_capture_path("100%%-%p", 7) == "100%-7");
  CHECK(expand_capture_path("%x%", 7) == "%x%");
  const Folder folder;
  auto writer = PcapngWriter::create(folder / "run-%p.pcapng");
  REQUIRE(writer.has_value());
  CHECK(std::filesystem::exists(folder / ("run-" + std::to_string(::getpid()) + ".pcapng")));
}

TEST_CASE("pcapng writer: a file that another writer has open is refused and left alone", "[net][capture]") {
  const Folder folder;
  auto first = PcapngWriter::create(folder / "one.pcapng");
  REQUIRE(first.has_value());
  const std::vector<std::byte> frame(60);
  first->append(first->add_interface("p"), 1, CaptureDirection::kInbound, frame);
  REQUIRE(first->flush());
  const auto second = PcapngWriter::create(folder / "one.pcapng");
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().find("another process is writing it; put %p") != std::string::npos);
  CHECK(frames_in(folder / "one.pcapng") == 1);
  {
    const PcapngWriter moved = std::move(*first);
    CHECK(moved.frames() == 1);
  }
  CHECK(PcapngWriter::create(folder / "one.pcapng").has_value());  // the lock went with the writer
  CHECK(frames_in(folder / "one.pcapng") == 0);
}

TEST_CASE("pcapng writer: a file that can't be created is a sentence with its name", "[net][capture]") {
  const auto writer = PcapngWriter::create("/nonexistent/x.pcapng");
  REQUIRE_FALSE(writer.has_value());
  CHECK(writer.error() == "capture file /nonexistent/x.pcapng: No such file or directory");
  CHECK_FALSE(PcapngWriter::create("").has_value());
}

TEST_CASE("pcapng writer: a disk that is full costs frames, which are counted, not the file", "[net][capture]") {
  const Folder folder;
  const std::string path = folder / "full.pcapng";
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // A file size limit stands for the full disk: write() is first cut short, then refused.
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{50'000, 50'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(2);
    auto writer = PcapngWriter::create(path);
    if (!writer) ::_exit(3);
    const std::vector<std::byte> frame(1000);
    const auto interface = writer->add_interface("p");
    for (unsigned i = 0; i < 30; ++i) writer->append(interface, i, CaptureDirection::kInbound, frame);
    if (!writer->flush()) ::_exit(4);
    for (unsigned i = 0; i < 30; ++i) writer->append(interface, i, CaptureDirection::kInbound, frame);
    if (writer->flush()) ::_exit(5);
    for (unsigned i = 0; i < 5; ++i) writer->append(interface, i, CaptureDirection::kInbound, frame);
    if (writer->flush() || writer->dropped() != 35) ::_exit(6);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  bool cut_short = true;
  CHECK(frames_in(path, &cut_short) == 30);
  CHECK_FALSE(cut_short);
}

TEST_CASE("pcapng writer: a process killed while writing leaves a readable file with all it had flushed",
          "[net][capture]") {
  const Folder folder;
  for (unsigned round = 0; round < 10; ++round) {
    const std::string path = folder / ("killed-" + std::to_string(round) + ".pcapng");
    int progress[2];
    REQUIRE(::pipe(progress) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto writer = PcapngWriter::create(path);
      if (!writer) ::_exit(1);
      const std::vector<std::byte> frame(1500);
      const auto interface = writer->add_interface("p");
      for (;;) {
        writer->append(interface, writer->frames(), CaptureDirection::kInbound, frame);
        if (!writer->flush() || ::write(progress[1], "x", 1) != 1) ::_exit(1);
      }
    }
    ::close(progress[1]);
    char byte = 0;
    const unsigned wanted = 20 + 37 * round;
    for (unsigned i = 0; i < wanted; ++i) REQUIRE(::read(progress[0], &byte, 1) == 1);
    REQUIRE(::kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    std::uint64_t reported = wanted;
    while (::read(progress[0], &byte, 1) == 1) ++reported;
    ::close(progress[0]);
    REQUIRE(WIFSIGNALED(status));
    CHECK(frames_in(path) >= reported);
  }
}

}  // namespace rocelab::net
