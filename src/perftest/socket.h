// The other end of a benchmark by TCP, as perftest does it: the server listens, the client names it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "perftest/surroundings.h"

namespace rocelab::perftest {

inline constexpr std::uint16_t kPortDefault = 18515;  ///< perftest's

/// Waits for a client. The message of a failure is for people.
base::TextResult<std::unique_ptr<Surroundings>> listen_for_client(std::uint16_t port);
/// Tries for some seconds, so that server and client may be started together.
base::TextResult<std::unique_ptr<Surroundings>> connect_to_server(const std::string& host, std::uint16_t port);

}  // namespace rocelab::perftest
