// Pools of mbufs, used from a thread that DPDK does not know: such threads have no cache of their own.
#include "perf/dpdk/frame_pools.h"

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <array>
#include <cstring>

#include "net/dpdk/eal.h"
#include "net/dpdk/frame_pool.h"
#include "net/frame_codec.h"
#include "perf/pair.h"

namespace rocelab::perf {

double pool_ns(const char* kind, std::uint64_t rounds, unsigned touched_bytes) {
  constexpr unsigned kBurst = 32;
  constexpr unsigned kFrames = 97;  // what a port has
  if (!net::dpdk::start_eal()) return -1;
  const bool ours = std::strcmp(kind, "stack") == 0;
  net::dpdk::FramePool pool =
      ours ? net::dpdk::make_frame_pool("measured", kFrames, net::kFrameBytesMax)
           : net::dpdk::FramePool(rte_pktmbuf_pool_create_by_ops(
                 "measured", kFrames, 0, 0, net::kFrameBytesMax + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY, kind));
  if (pool == nullptr) return -1;
  std::array<rte_mbuf*, kBurst> mbufs;
  const double seconds = seconds_of([&] {
    for (std::uint64_t round = 0; round < rounds; ++round) {
      for (rte_mbuf*& mbuf : mbufs) {
        mbuf = rte_pktmbuf_alloc(pool.get());
        std::memset(rte_pktmbuf_mtod(mbuf, void*), 1, touched_bytes);
      }
      rte_pktmbuf_free_bulk(mbufs.data(), kBurst);
    }
  });
  return seconds * 1e9 / static_cast<double>(rounds * kBurst);
}

}  // namespace rocelab::perf
