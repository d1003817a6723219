// What an mbuf costs: the pool of src/net/dpdk/frame_pool.h beside DPDK's own. Used by perf/memif.cc alone.
#pragma once

#include <cstdint>

namespace rocelab::perf {

/// Nanoseconds a frame, of taking 32 mbufs one by one (as DPDK's drivers do), writing `touched_bytes` of each, and
/// giving them back together. `kind`: "stack" is ours, anything else the name of a pool driver of DPDK. Negative: no
/// such pool.
double pool_ns(const char* kind, std::uint64_t rounds, unsigned touched_bytes);

}  // namespace rocelab::perf
