// Packets of any opcode and encapsulation with random contents, from a seed: what the codec tests, the ICRC's
// comparison and the tshark test feed on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "wire/packet.h"

namespace rocelab::test {

inline constexpr wire::Encapsulation kEncapsulations[] = {
    wire::Encapsulation::kRoceV1, wire::Encapsulation::kRoceV2Ipv4, wire::Encapsulation::kRoceV2Ipv6};

/// A packet and the bytes that its payload points to.
struct OwnedPacket {
  wire::Packet packet;
  std::vector<std::byte> payload;
};

/// All opcodes that IBTA defines and the codec knows, in ascending order.
std::vector<wire::Opcode> all_opcodes();

/// Every field that the encapsulation and the opcode put on the wire is random, within its width; others keep their
/// defaults. `payload_bytes` is ignored where the opcode has no payload.
OwnedPacket random_packet(base::Rng& rng, wire::Encapsulation encapsulation, bool vlan, wire::Opcode opcode,
                          std::size_t payload_bytes);
/// The same with encapsulation, tag, opcode and length (0 to 4096 bytes) random too.
OwnedPacket random_packet(base::Rng& rng);

/// The packet's frame.
std::vector<std::byte> encoded(const wire::Packet& packet);

/// Empty when both put the same things on the wire, else the name of the first field that differs.
const char* difference(const wire::Packet& a, const wire::Packet& b);

}  // namespace rocelab::test
