// Reads arbitrary bytes as a capture file, to its end, and decodes every frame in it. What the reader hands out must
// lie within the limits it names, and reading twice must give the same. With ROCELAB_CANARY the target has a bug, which
// the fuzzer must find (smoke.py asks).
#include <cstring>
#include <vector>

#include "net/capture_reader.h"
#include "net/frame_codec.h"
#include "tests/fuzz/fuzz.h"

namespace rocelab::fuzz {
namespace {

using Bytes = std::vector<std::byte>;

#ifdef ROCELAB_CANARY
/// Believes a frame's original length, which a capture may have cut.
void planted_bug(const net::CapturedFrame& frame) {
  const Bytes copy(frame.bytes.begin(), frame.bytes.end());
  if (copy.empty() || frame.original_length <= copy.size()) return;
  const volatile auto beyond = *(copy.data() + copy.size());
  static_cast<void>(beyond);
}
#endif

/// A sum over everything that the file's frames say.
std::uint64_t read(const Bytes& file) {
  auto reader = net::CaptureReader::from_bytes(file, "input");
  if (!reader) {
    demand(reader.error().rfind("input: ", 0) == 0, "an error names the file");
    return 1;
  }
  std::uint64_t sum = 0, count = 0;
  net::CapturedFrame frame;
  for (;;) {
    const auto more = reader->next(frame);
    if (!more) {
      demand(reader->next(frame).value_or(true) == false, "a damaged file is at its end");
      demand(more.error().rfind("input: ", 0) == 0, "an error names the file");
      return sum + 2;
    }
    if (!*more) return sum + (reader->cut_short() ? 3 : 0);
#ifdef ROCELAB_CANARY
    planted_bug(frame);
#endif
    demand(frame.number == ++count, "frames are counted from one");
    demand(frame.bytes.size() <= file.size(), "a frame is not longer than its file");
    demand(frame.interface < net::CaptureReader::kInterfacesMax, "the interface has been described");
    sum = sum * 31 + frame.epoch_ns + frame.interface + frame.original_length + frame.bytes.size();
    for (const std::byte byte : frame.bytes) sum = sum * 31 + std::to_integer<unsigned>(byte);
    wire::Packet packet;
    sum += net::decode_frame(frame.bytes, packet).has_value();
  }
}

}  // namespace
}  // namespace rocelab::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const rocelab::fuzz::Bytes file(bytes, bytes + size);
  rocelab::fuzz::demand(rocelab::fuzz::read(file) == rocelab::fuzz::read(file), "reading twice gives the same");
  return 0;
}
