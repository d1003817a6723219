// Reads arbitrary bytes as a management datagram. What is a message must be written again as one that reads the same,
// prints as one line, and names the receiver that receiver_of() sees without reading it. The header of addresses in
// front of private data is read from the same bytes. With ROCELAB_CANARY the target has a bug, which the fuzzer must
// find.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "cm/messages.h"
#include "cm/service.h"
#include "tests/fuzz/fuzz.h"

namespace rocelab::fuzz {
namespace {

using Bytes = std::vector<std::byte>;

#ifdef ROCELAB_CANARY
/// Believes the length of a REJ's information, which can be longer than there is room for: not in the corpus, one bit
/// away from it.
void planted_bug(const Bytes& bytes, const cm::Rej& rej) {
  const std::size_t said = std::to_integer<std::size_t>(bytes[cm::kMadHeaderBytes + 9]) >> 1;
  const Bytes info(rej.info.begin(), rej.info.end());
  if (said <= info.size()) return;
  const volatile auto beyond = *(info.data() + said);
  static_cast<void>(beyond);
}
#endif

void check_header(const Bytes& bytes) {
  const auto header = cm::IpHeader::parse(bytes);
  if (!header) return;
  Bytes again(cm::IpHeader::kSize);
  header->emit(again);
  demand(cm::IpHeader::parse(again) == header, "a header of addresses is written as it was read");
}

void check(const Bytes& bytes) {
  check_header(bytes);
  const auto receiver = cm::receiver_of(bytes);
  const auto parsed = cm::parse_mad(bytes);
  if (!parsed.mad) return;
#ifdef ROCELAB_CANARY
  if (const auto* rej = std::get_if<cm::Rej>(&parsed.mad->message)) planted_bug(bytes, *rej);
#endif
  demand(to_string(parsed.mad->message).find('\n') == std::string::npos, "a message prints as one line");
  std::array<std::byte, cm::kMadBytes> again;
  cm::emit_mad(*parsed.mad, again);
  demand(cm::parse_mad(again).mad == parsed.mad, "a message is written as it was read");
  demand(cm::receiver_of(again) == receiver, "and for the same receiver");
}

}  // namespace
}  // namespace rocelab::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  rocelab::fuzz::check(rocelab::fuzz::Bytes(bytes, bytes + size));
  return 0;
}
