// Names of the opcodes; see opcode.h.
#include "wire/opcode.h"

#include <string>

namespace rocelab::wire {

namespace {

constexpr std::array<std::string_view, 30> kOperations = {
    "SEND_FIRST",
    "SEND_MIDDLE",
    "SEND_LAST",
    "SEND_LAST_WITH_IMMEDIATE",
    "SEND_ONLY",
    "SEND_ONLY_WITH_IMMEDIATE",
    "RDMA_WRITE_FIRST",
    "RDMA_WRITE_MIDDLE",
    "RDMA_WRITE_LAST",
    "RDMA_WRITE_LAST_WITH_IMMEDIATE",
    "RDMA_WRITE_ONLY",
    "RDMA_WRITE_ONLY_WITH_IMMEDIATE",
    "RDMA_READ_REQUEST",
    "RDMA_READ_RESPONSE_FIRST",
    "RDMA_READ_RESPONSE_MIDDLE",
    "RDMA_READ_RESPONSE_LAST",
    "RDMA_READ_RESPONSE_ONLY",
    "ACKNOWLEDGE",
    "ATOMIC_ACKNOWLEDGE",
    "COMPARE_SWAP",
    "FETCH_ADD",
    "",
    "SEND_LAST_WITH_INVALIDATE",
    "SEND_ONLY_WITH_INVALIDATE",
    "",
    "",
    "",
    "",
    "FLUSH",
    "ATOMIC_WRITE",
};
constexpr std::array<std::string_view, 7> kTransports = {"RC_", "UC_", "RD_", "UD_", "CNP", "XRC_", "SR_"};

std::array<std::string, 256> make_names() {
  std::array<std::string, 256> names;
  for (unsigned value = 0; value < 256; ++value) {
    const auto opcode = static_cast<Opcode>(value);
    if (!is_valid(opcode)) {
      names[value] = "UNKNOWN";
    } else if (opcode == Opcode::kCnp) {
      names[value] = "CNP";
    } else {
      names[value] = std::string(kTransports[value >> 5]) + std::string(kOperations[value & 0x1f]);
    }
  }
  return names;
}

}  // namespace

std::string_view name(Opcode opcode) {
  static const std::array<std::string, 256> names = make_names();
  return names[static_cast<std::uint8_t>(opcode)];
}

}  // namespace rocelab::wire
