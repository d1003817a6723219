// One size of one benchmark. Both ends call the same function; the client prints the line. False: it failed
// (Endpoint::problem) or the other end is gone.
#pragma once

#include <cstdint>

#include "perftest/endpoint.h"

namespace rocelab::perftest {

/// The client keeps tx_depth messages outstanding; the server only receives (SEND) or waits.
bool measure_bandwidth(const Options& options, Role role, std::uint32_t bytes, Endpoint& end,
                       Surroundings& surroundings);
/// WRITE and SEND: the two ends answer each other, half of a round trip counts. READ and atomics: a whole request.
bool measure_latency(const Options& options, Role role, std::uint32_t bytes, Endpoint& end, Surroundings& surroundings);

}  // namespace rocelab::perftest
