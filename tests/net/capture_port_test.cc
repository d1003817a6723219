// CapturePort: both directions of both ports that share a file, and a file that is complete in every pause.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "net/capture_port.h"
#include "net/capture_reader.h"
#include "net/loopback_port.h"
#include "net/pcapng_writer.h"
#include "tests/net/frames.h"
#include "tests/net/peer_process.h"
#include "tests/support/catch.h"

namespace rocelab::net {

namespace {

struct Seen {
  std::uint32_t interface;
  CaptureDirection direction;
  std::vector<std::byte> bytes;
};

std::vector<Seen> read_all(const std::string& path) {
  std::vector<Seen> all;
  auto reader = CaptureReader::open(path);
  REQUIRE(reader.has_value());
  CapturedFrame frame;
  std::uint64_t before_ns = 0;
  while (*reader->next(frame)) {
    CHECK(frame.epoch_ns >= before_ns);
    before_ns = frame.epoch_ns;
    all.push_back({frame.interface, frame.direction, {frame.bytes.begin(), frame.bytes.end()}});
  }
  CHECK_FALSE(reader->cut_short());
  return all;
}

}  // namespace

TEST_CASE("capture: two ports share a file; each frame is there as sent and as received", "[net][capture]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/tap.pcapng";
  auto created = PcapngWriter::create(path);
  REQUIRE(created.has_value());
  const auto writer = std::make_shared<PcapngWriter>(std::move(*created));
  CapturePort first(std::make_unique<LoopbackPort>(8), writer);
  CapturePort second(std::make_unique<LoopbackPort>(8), writer);

  std::array<Frame, kBurstMax> frames;
  for (CapturePort* port : {&first, &second}) {
    for (std::uint64_t i = 0; i < 3; ++i) REQUIRE(send_frame(*port, 100 + i, i));
    CHECK(port->tx_flush() == 3);
    REQUIRE(port->rx_burst(frames) == 3);
    CHECK(frame_is(frames[2], 102, 2));
    port->rx_release();
    CHECK(port->rx_burst(frames) == 0);  // a pause
    port->rx_release();
  }

  const std::vector<Seen> all = read_all(path);  // while both ports and the writer still exist
  REQUIRE(all.size() == 12);
  for (std::size_t i = 0; i < all.size(); ++i) {
    INFO(i);
    CHECK(all[i].interface == i / 6);
    CHECK(all[i].direction == (i % 6 < 3 ? CaptureDirection::kOutbound : CaptureDirection::kInbound));
    CHECK(frame_is(all[i].bytes, 100 + i % 3, i % 3));
  }
}

TEST_CASE("capture: a reservation that is not committed is not recorded, nor is a refused one", "[net][capture]") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/tap.pcapng";
  auto created = PcapngWriter::create(path);
  REQUIRE(created.has_value());
  {
    CapturePort port(std::make_unique<LoopbackPort>(2), std::make_shared<PcapngWriter>(std::move(*created)));
    REQUIRE(port.tx_reserve(100) != nullptr);
    CHECK(send_frame(port, 60, 1));
    CHECK(send_frame(port, 60, 2));
    CHECK_FALSE(send_frame(port, 60, 3));
    CHECK(port.tx_reserve(port.frame_bytes_max() + 1) == nullptr);
  }
  const std::vector<Seen> all = read_all(path);
  REQUIRE(all.size() == 2);
  CHECK(frame_is(all[0].bytes, 60, 1));
  CHECK(frame_is(all[1].bytes, 60, 2));
}

}  // namespace rocelab::net
