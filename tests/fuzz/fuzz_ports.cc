// What a port's owner does with arbitrary bytes, for the ports that hear strangers. The input is an Ethernet frame: a
// raw port hands it on as it is; a UDP port gets what lies behind its IP and UDP headers as a datagram, and writes
// headers of its own; and somebody may want to send it by a socket. With ROCELAB_CANARY the target has a bug, which the
// fuzzer must find (smoke.py asks).
#include <cstring>
#include <vector>

#include "net/frame_codec.h"
#include "net/udp/datagram.h"
#include "tests/fuzz/fuzz.h"
#include "wire/ethernet.h"

namespace rocelab::fuzz {
namespace {

using Bytes = std::vector<std::byte>;
constexpr std::size_t kIpv4Transport = 42, kIpv6Transport = 62;

void receive_datagram(const Bytes& input, bool ipv4) {
  const std::size_t skipped = ipv4 ? kIpv4Transport : kIpv6Transport;
  const std::size_t bytes = input.size() > skipped ? input.size() - skipped : 0;
  Bytes room(net::udp::kHeadroomBytes + bytes);
  if (bytes != 0) std::memcpy(room.data() + net::udp::kHeadroomBytes, input.data() + skipped, bytes);
  net::udp::Arrival arrival;
  // Whatever the header said, as far as there was one: the kernel vouches for addresses and no more.
  const auto byte_at = [&](std::size_t i) {
    return i < input.size() ? static_cast<std::uint8_t>(input[i]) : std::uint8_t{0};
  };
  if (ipv4) {
    const auto address = [&](std::size_t at) {
      std::uint32_t value = 0;
      for (std::size_t i = 0; i < 4; ++i) value = value << 8 | byte_at(at + i);
      return wire::Gid::from_ipv4(value);
    };
    arrival = {address(26), address(30), static_cast<std::uint16_t>(byte_at(34) << 8 | byte_at(35)), byte_at(15),
               byte_at(22)};
  } else {
    for (std::size_t i = 0; i < 16; ++i) arrival.source.bytes[i] = byte_at(22 + i);
    for (std::size_t i = 0; i < 16; ++i) arrival.destination.bytes[i] = byte_at(38 + i);
    arrival.source.bytes[0] = arrival.destination.bytes[0] = 0xfd;  // no IPv4-mapped address arrives by IPv6
    arrival.source_port = static_cast<std::uint16_t>(byte_at(54) << 8 | byte_at(55));
    arrival.hop_limit = byte_at(21);
  }
  const auto rebuilt = net::udp::rebuild(arrival, room.data() + net::udp::kHeadroomBytes, bytes);
  demand(
      rebuilt.frame.data() >= room.data() && rebuilt.frame.data() + rebuilt.frame.size() == room.data() + room.size(),
      "the frame is the datagram and room in front of it");
#ifdef ROCELAB_CANARY
  if (bytes > 5 && room[net::udp::kHeadroomBytes + 5] == std::byte{0xee}) {
    const volatile auto beyond = *(rebuilt.frame.data() + rebuilt.frame.size());
    static_cast<void>(beyond);
  }
#endif
  wire::Packet packet;
  const auto decoded = net::decode_frame(rebuilt.frame, packet);
  if (!rebuilt.checked) {
    demand(!decoded, "what the port could not check does not decode");
    return;
  }
  demand(decoded || decoded.error() != wire::FrameError::kBadIcrc, "what the port has checked has a right ICRC");
  wire::Packet again;
  demand(net::decode_checked_frame(rebuilt.frame, again).has_value() == decoded.has_value(), "both decoders agree");
}

void send_by_socket(Bytes frame) {
  const auto packet = net::udp::take_apart(frame);
  if (!packet) return;
  demand(packet->transport >= frame.data() && packet->transport + packet->bytes <= frame.data() + frame.size(),
         "the transport is inside");
  auto changed = *packet;
  if (!packet->source.is_ipv4_mapped()) return;
  const Bytes before = frame;
  net::udp::set_identification(changed, 0x1234);
  net::udp::set_identification(changed, packet->identification);
  demand(before == frame, "an identification set and taken back leaves the ICRC as it was");
}

void run(const Bytes& frame) {
  wire::Packet packet;
  static_cast<void>(net::decode_frame(frame, packet));
  static_cast<void>(net::decode_checked_frame(frame, packet));
  receive_datagram(frame, true);
  receive_datagram(frame, false);
  send_by_socket(frame);
}

}  // namespace
}  // namespace rocelab::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  rocelab::fuzz::run(rocelab::fuzz::Bytes(bytes, bytes + size));
  return 0;
}
