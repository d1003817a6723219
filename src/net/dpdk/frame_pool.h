// Where the ports of this folder get their mbufs: a plain stack, last in first out. A port's calls are serialised by
// its owner but come from any thread, and such threads have no cache of their own in DPDK; a stock pool would take one
// atomic exchange a frame and walk through all its memory in turn. The stack needs none, and the buffer used last,
// which is still in the processor's cache, is the next one handed out (perf/dpdk compares).
#pragma once

#include <cstddef>
#include <memory>
#include <string>

struct rte_mempool;

namespace rocelab::net::dpdk {

/// Makes the stack known to EAL; once, by start_eal.
bool register_frame_pool();

struct FramePoolDeleter {
  void operator()(rte_mempool* pool) const;
};
using FramePool = std::unique_ptr<rte_mempool, FramePoolDeleter>;

/// A pool of `frames` mbufs with room for `frame_bytes` each behind the usual headroom; null: out of memory. `name` is
/// unique in the process and at most 25 characters long. One user at a time.
FramePool make_frame_pool(const std::string& name, unsigned frames, std::size_t frame_bytes);

}  // namespace rocelab::net::dpdk
