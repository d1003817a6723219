// The benchmarks: perftest's, written against C verbs alone, so that the same function runs on a real device or as a
// process of a simulated host. Prints in perftest's columns.
#pragma once

#include <string>

#include "perftest/options.h"
#include "perftest/surroundings.h"

namespace rocelab::perftest {

/// Runs to the end; empty, or what went wrong. Both ends are started with the same options. The client prints figures;
/// the server, as perftest's, what it was asked for.
std::string run(const Options& options, Role role, Surroundings& surroundings);

}  // namespace rocelab::perftest
