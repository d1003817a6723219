// One communication id as the Manager keeps it: what the consumer may know (Info), the message that is repeated until
// it is answered, and the answer that is repeated when the peer repeats itself. Owned by ConnectionTable.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "cm/types.h"

namespace rocelab::cm {

struct Connection {
  using Bytes = std::array<std::byte, kMadBytes>;

  Id id{};
  Info info;
  bool orphan = false;  ///< destroyed by its consumer; the protocol still needs it

  Service service;  ///< of a listener

  std::uint64_t transaction = 0;                ///< of REQ, MRA, REP, RTU and REJ
  std::uint64_t dreq_transaction = 0;           ///< of DREQ and DREP
  std::optional<std::uint32_t> remote_request;  ///< of a SIDR_REQ that came

  std::optional<Bytes> repeated;  ///< sent again every `interval` until answered
  std::uint8_t retries_left = 0;
  Duration interval;
  std::uint8_t retries_max = 0;
  std::optional<Bytes> answer;  ///< MRA, RTU or DREP: what the peer gets when it repeats its message

  std::optional<TimePoint> deadline;  ///< as in ConnectionTable's order

  State state() const { return info.state; }
  std::uint32_t number() const { return static_cast<std::uint32_t>(id); }
};

}  // namespace rocelab::cm
