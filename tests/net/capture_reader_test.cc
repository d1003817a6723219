// The capture reader: formats, byte orders and clocks it must read, and files made to mislead it.
#include "net/capture_reader.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tests/net/capture_file.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"

namespace rocelab::net {

namespace {

struct Read {
  std::string error;  // of opening or reading; empty: none
  bool cut_short = false;
  std::vector<std::vector<std::byte>> frames;
  std::vector<CapturedFrame> meta;  // without valid bytes
};

Read read_all(std::span<const std::byte> file) {
  Read result;
  auto reader = CaptureReader::from_bytes(file, "test");
  if (!reader) {
    result.error = reader.error();
    return result;
  }
  CapturedFrame frame;
  for (;;) {
    const auto more = reader->next(frame);
    if (!more) result.error = more.error();
    if (!more || !*more) break;
    result.frames.emplace_back(frame.bytes.begin(), frame.bytes.end());
    result.meta.push_back(frame);
  }
  result.cut_short = reader->cut_short();
  REQUIRE(reader->next(frame).value_or(true) == false);  // the end stays the end
  return result;
}

std::vector<std::byte> frame_of(std::size_t bytes) {
  std::vector<std::byte> frame(bytes);
  for (std::size_t i = 0; i < bytes; ++i) frame[i] = static_cast<std::byte>(i);
  return frame;
}

bool mentions(const std::string& text, std::string_view what) { return text.find(what) != std::string::npos; }

}  // namespace

TEST_CASE("capture reader: pcap of both byte orders, in micro- and nanoseconds", "[net][capture]") {
  const auto frame = frame_of(61);
  for (const bool swapped : {false, true}) {
    for (const bool nanoseconds : {false, true}) {
      CaptureFile file(swapped);
      file.pcap_header(nanoseconds ? capture::kPcapNanoseconds : capture::kPcapMicroseconds);
      file.pcap_record(1'700'000'000, 123'456, frame, 61).pcap_record(4'000'000'000, 7, frame, 1000);
      const Read read = read_all(file.bytes());
      REQUIRE(read.error == "");
      REQUIRE(read.frames.size() == 2);
      CHECK(read.frames[0] == frame);
      CHECK(read.meta[0].number == 1);
      CHECK(read.meta[0].epoch_ns == 1'700'000'000'000'000'000u + (nanoseconds ? 123'456u : 123'456'000u));
      CHECK(read.meta[0].original_length == 61);
      CHECK(read.meta[1].number == 2);
      CHECK(read.meta[1].epoch_ns == 4'000'000'000'000'000'000u + (nanoseconds ? 7u : 7'000u));
      CHECK(read.meta[1].original_length == 1000);
      CHECK_FALSE(read.cut_short);
    }
  }
}

TEST_CASE("capture reader: pcapng of both byte orders, with enhanced, simple and obsolete blocks", "[net][capture]") {
  const auto frame = frame_of(63);
  const auto bytes = static_cast<std::uint32_t>(frame.size());
  for (const bool swapped : {false, true}) {
    CaptureFile file(swapped);
    file.section().interface().interface(capture::kLinkEthernet, 20);
    file.begin(0x0bad).put_bytes(frame_of(9), true).end();  // an unknown block
    file.enhanced_packet(1, 1'700'000'000'000'001, frame);
    file.begin(capture::kSimplePacket).put(bytes).put_bytes(frame, true).end();
    file.begin(capture::kObsoletePacket).put<std::uint16_t>(1).put<std::uint16_t>(0).put(0u).put(5u);
    file.put(bytes).put(bytes).put_bytes(frame, true).end();
    const Read read = read_all(file.bytes());
    REQUIRE(read.error == "");
    REQUIRE(read.frames.size() == 3);
    for (const auto& got : read.frames) CHECK(got == frame);
    CHECK(read.meta[0].epoch_ns == 1'700'000'000'000'001'000u);
    CHECK(read.meta[0].interface == 1);
    CHECK(read.meta[1].epoch_ns == 0);
    CHECK(read.meta[1].interface == 0);
    CHECK(read.meta[2].epoch_ns == 5'000);
    CHECK(read.meta[2].interface == 1);
    CHECK(read.meta[2].number == 3);
  }
}

TEST_CASE("capture reader: a simple packet block is as long as the interface's snap length allows", "[net][capture]") {
  CaptureFile file;
  file.section().interface(capture::kLinkEthernet, 20);
  file.begin(capture::kSimplePacket).put(1000u).put_bytes(frame_of(20), true).end();
  const Read read = read_all(file.bytes());
  REQUIRE(read.error == "");
  REQUIRE(read.frames.size() == 1);
  CHECK(read.frames[0] == frame_of(20));
  CHECK(read.meta[0].original_length == 1000);
}

TEST_CASE("capture reader: interfaces tick as their descriptions say", "[net][capture]") {
  const auto frame = frame_of(20);
  struct Case {
    std::uint8_t resolution;
    std::int64_t offset;
    std::uint64_t ticks;
    std::uint64_t expected;
  };
  const auto power = [](unsigned n) { return static_cast<std::uint8_t>(0x80 | n); };
  const Case cases[] = {
      {0, 0, 5, 5'000'000'000},
      {3, 0, 5, 5'000'000},
      {6, 10, 5, 10'000'005'000},
      {9, -1, 3'000'000'005, 2'000'000'005},
      {12, 0, 5'999, 5},
      {127, 0, ~std::uint64_t{0}, 0},
      {0, 0, ~std::uint64_t{0}, ~std::uint64_t{0}},
      {power(0), 0, 2, 2'000'000'000},
      {power(10), 0, 512, 500'000'000},
      {power(32), 0, 1u << 31, 500'000'000},
      {power(127), 0, ~std::uint64_t{0}, 0},
  };
  for (const bool swapped : {false, true}) {
    for (const Case& c : cases) {
      CaptureFile file(swapped);
      file.section().interface_with_clock(c.resolution, c.offset).enhanced_packet(0, c.ticks, frame);
      const Read read = read_all(file.bytes());
      REQUIRE(read.error == "");
      INFO("resolution " << unsigned{c.resolution});
      CHECK(read.meta.at(0).epoch_ns == c.expected);
    }
  }
}

TEST_CASE("capture reader: sections may follow one another, each in its own byte order", "[net][capture]") {
  const auto frame = frame_of(30);
  CaptureFile file;
  file.section().interface().interface().enhanced_packet(1, 1, frame);
  CaptureFile other(true);
  other.section().interface().enhanced_packet(0, 2, frame);
  file.put_bytes(other.bytes(), false);
  CHECK(read_all(file.bytes()).frames.size() == 2);
  other.enhanced_packet(1, 3, frame);  // described in the first section only
  file.bytes().insert(file.bytes().end(), other.bytes().begin(), other.bytes().end());
  const Read read = read_all(file.bytes());
  CHECK(read.frames.size() == 3);
  CHECK(mentions(read.error, "interface 1, which is not described"));
}

TEST_CASE("capture reader: what is no capture is refused with the file's name", "[net][capture]") {
  const auto refused = [](std::vector<std::byte> bytes) {
    const Read read = read_all(bytes);
    CHECK(mentions(read.error, "test: "));
    CHECK(read.frames.empty());
    return read.error;
  };
  CHECK(mentions(refused({}), "empty"));
  CHECK(mentions(refused(frame_of(3)), "shorter than any capture's header"));
  CHECK(mentions(refused(frame_of(500)), "not a capture"));
  CHECK(mentions(CaptureReader::open("/nonexistent/file").error(), "/nonexistent/file: No such file"));
  CHECK(mentions(CaptureReader::open("/").error(), "/: is a directory"));

  CaptureFile header;
  header.put(capture::kPcapMicroseconds).put(2u);
  CHECK(mentions(refused(header.bytes()), "ends within the header"));
  CaptureFile version;
  version.put(capture::kPcapMicroseconds).put<std::uint16_t>(3).put_bytes(frame_of(20), false);
  CHECK(mentions(refused(version.bytes()), "pcap version 3"));
  CaptureFile link;
  link.pcap_header(capture::kPcapMicroseconds, 113);
  CHECK(mentions(refused(link.bytes()), "link type 113 (only Ethernet"));
  CaptureFile magic;
  magic.begin(capture::kSectionHeader).put(0x11111111u).put_bytes(frame_of(12), false).end();
  CHECK(mentions(refused(magic.bytes()), "byte-order magic"));
  CaptureFile major;
  major.begin(capture::kSectionHeader)
      .put(capture::kByteOrderMagic)
      .put<std::uint16_t>(2)
      .put_bytes(frame_of(10), false);
  CHECK(mentions(refused(major.end().bytes()), "pcapng version 2"));
  CaptureFile cut;
  cut.section().bytes().resize(20);
  CHECK(mentions(refused(cut.bytes()), "ends within its first section header"));
}

TEST_CASE("capture reader: a damaged file gives its good packets, then says what is wrong", "[net][capture]") {
  const auto frame = frame_of(30);
  CaptureFile file;
  file.section().interface().enhanced_packet(0, 1, frame);
  std::string expected;
  SECTION("a block shorter than a block") {
    file.put(capture::kEnhancedPacket).put(8u);
    expected = "a block of 8 bytes";
  }
  SECTION("a block that is not whole words") {
    file.put(capture::kEnhancedPacket).put(33u);
    expected = "a block of 33 bytes";
  }
  SECTION("a block beyond every limit") {
    file.put(capture::kEnhancedPacket).put(0xffff'fffcu);
    expected = "a block of 4294967292 bytes";
  }
  SECTION("two lengths that differ") {
    file.begin(5).put(1u).end().bytes().back() = std::byte{1};
    expected = "the two lengths of a block differ";
  }
  SECTION("a packet longer than its block") {
    file.begin(capture::kEnhancedPacket).put(0u).put(0u).put(0u).put(31u).put(31u).put_bytes(frame_of(28), true).end();
    expected = "a packet longer than its block";
  }
  SECTION("a packet whose length wraps when filled up to words") {
    file.begin(capture::kEnhancedPacket).put(0u).put(0u).put(0u).put(~0u).put(~0u).put_bytes(frame_of(28), true).end();
    expected = "a packet longer than its block";
  }
  SECTION("a packet block without room for its own fields") {
    file.begin(capture::kEnhancedPacket).put(0u).end();
    expected = "a packet block of 4 bytes";
  }
  SECTION("a simple packet block without a length") {
    file.begin(capture::kSimplePacket).end();
    expected = "a simple packet block without a length";
  }
  SECTION("an interface description that is too short") {
    file.begin(capture::kInterfaceDescription).put(1u).end();
    expected = "an interface description of 4 bytes";
  }
  SECTION("a packet of another link type") {
    file.interface(276).enhanced_packet(1, 1, frame);
    expected = "link type 276";
  }
  SECTION("too many interfaces") {
    for (std::size_t i = 0; i < CaptureReader::kInterfacesMax; ++i) file.interface();
    expected = "more than 4096 interfaces";
  }
  file.enhanced_packet(0, 2, frame);
  const Read read = read_all(file.bytes());
  CHECK(read.frames.size() == 1);
  CHECK(mentions(read.error, "test: damaged after packet 1: "));
  INFO(read.error);
  CHECK(mentions(read.error, expected));
}

TEST_CASE("capture reader: a pcap record beyond every limit is damage, not an allocation", "[net][capture]") {
  CaptureFile file;
  file.pcap_header(capture::kPcapMicroseconds).put<std::uint64_t>(0).put(0x7fff'ffffu).put(0x7fff'ffffu);
  CHECK(mentions(read_all(file.bytes()).error, "a frame of 2147483647 bytes"));
}

TEST_CASE("capture reader: options that do not fit are ignored", "[net][capture]") {
  const auto frame = frame_of(30);
  CaptureFile file;
  file.section();
  file.begin(capture::kInterfaceDescription).put(capture::kLinkEthernet).put<std::uint16_t>(0).put(0u);
  file.put(capture::kOptionTimeResolution).put<std::uint16_t>(9999).end();
  file.enhanced_packet(0, 7, frame);
  const Read read = read_all(file.bytes());
  REQUIRE(read.error == "");
  CHECK(read.meta.at(0).epoch_ns == 7'000);
}

TEST_CASE("capture reader: a file cut anywhere ends there, with all whole packets before", "[net][capture]") {
  const auto frame = frame_of(21);
  CaptureFile ng;
  ng.section().interface();
  CaptureFile old;
  old.pcap_header(capture::kPcapMicroseconds);
  std::vector<std::size_t> ng_ends, old_ends;
  for (unsigned i = 0; i < 4; ++i) {
    ng_ends.push_back(ng.enhanced_packet(0, i, frame).bytes().size());
    old_ends.push_back(old.pcap_record(i, 0, frame, 21).bytes().size());
  }
  const auto check = [&](const CaptureFile& file, const std::vector<std::size_t>& ends, std::size_t from) {
    for (std::size_t bytes = from; bytes <= file.bytes().size(); ++bytes) {
      const Read read = read_all(std::span(file.bytes()).first(bytes));
      INFO("cut to " << bytes);
      REQUIRE(read.error == "");
      const auto whole = std::count_if(ends.begin(), ends.end(), [&](std::size_t end) { return end <= bytes; });
      REQUIRE(read.frames.size() == static_cast<std::size_t>(whole));
      const bool at_an_end = bytes == from || std::count(ends.begin(), ends.end(), bytes) == 1;
      REQUIRE(read.cut_short == !at_an_end);
    }
  };
  check(ng, ng_ends, 28 + 20);
  check(old, old_ends, capture::kPcapHeaderBytes);
}

TEST_CASE("capture reader: noise in a good file never gives a frame that was not in it", "[net][capture]") {
  base::Rng rng(1, "net.capture.noise");
  CaptureFile file;
  file.section().interface();
  for (unsigned i = 0; i < 5; ++i) file.enhanced_packet(0, i, frame_of(40));
  for (unsigned round = 0; round < 20'000; ++round) {
    auto noisy = file.bytes();
    for (std::uint64_t n = 1 + rng.below(4); n > 0; --n) {
      noisy[rng.below(noisy.size())] = static_cast<std::byte>(rng.next() >> 56);
    }
    const Read read = read_all(noisy);
    REQUIRE(read.frames.size() <= 5);
    for (const auto& frame : read.frames) REQUIRE(frame.size() <= noisy.size());
  }
}

TEST_CASE("capture reader: the golden captures are read whole", "[net][capture][golden]") {
  for (const std::string& path : test::golden_captures()) {
    INFO(path);
    auto reader = CaptureReader::open(path);
    REQUIRE(reader.has_value());
    CapturedFrame frame;
    std::uint64_t count = 0, last_ns = 0;
    for (;;) {
      const auto more = reader->next(frame);
      REQUIRE(more.has_value());
      if (!*more) break;
      ++count;
      CHECK(frame.original_length == frame.bytes.size());
      CHECK(frame.epoch_ns >= last_ns);
      last_ns = frame.epoch_ns;
    }
    CHECK(count > 0);
    CHECK_FALSE(reader->cut_short());
  }
}

}  // namespace rocelab::net
