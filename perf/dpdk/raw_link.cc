// Bare memif devices.
#include "perf/dpdk/raw_link.h"

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include <array>
#include <bit>
#include <cstring>
#include <mutex>

#include "net/dpdk/eal.h"
#include "net/dpdk/memif_control.h"

namespace rocelab::perf {

namespace {
constexpr unsigned kBurst = 32;
}

std::unique_ptr<RawLink> RawLink::create(const std::string& socket_path, bool server, unsigned ring_slots,
                                         std::size_t frame_bytes_max) {
  if (!net::dpdk::start_eal() || rte_thread_register() != 0) return nullptr;
  const auto control = net::dpdk::MemifControl::instance();
  if (!control) return nullptr;
  const std::scoped_lock lock((*control)->lock());
  const std::size_t buffer_bytes = (frame_bytes_max + 63) / 64 * 64;
  rte_mempool* const pool = rte_pktmbuf_pool_create(
      "raw", 1023, 256, 0, static_cast<std::uint16_t>(buffer_bytes + RTE_PKTMBUF_HEADROOM), SOCKET_ID_ANY);
  const std::string arguments =
      std::string("role=") + (server ? "server" : "client") + ",bsize=" + std::to_string(buffer_bytes) +
      ",rsize=" + std::to_string(std::countr_zero(ring_slots)) + ",socket=" + socket_path + ",socket-abstract=no";
  auto link = std::unique_ptr<RawLink>(new RawLink);
  link->control_ = *control;
  link->pool_ = pool;
  const rte_eth_conf config{};
  const auto slots = static_cast<std::uint16_t>(ring_slots);
  constexpr auto kAnySocket = static_cast<unsigned>(SOCKET_ID_ANY);
  if (pool == nullptr || rte_vdev_init("net_memif_raw", arguments.c_str()) != 0 ||
      rte_eth_dev_get_port_by_name("net_memif_raw", &link->device_) != 0 ||
      rte_eth_dev_configure(link->device_, 1, 1, &config) != 0 ||
      rte_eth_rx_queue_setup(link->device_, 0, slots, kAnySocket, nullptr, pool) != 0 ||
      rte_eth_tx_queue_setup(link->device_, 0, slots, kAnySocket, nullptr) != 0) {
    return nullptr;
  }
  return link;
}

bool RawLink::link_up() {
  const std::scoped_lock lock(control_->lock());
  if (!started_) started_ = rte_eth_dev_start(device_) == 0;  // a client whose server is not there yet
  rte_eth_link link{};
  return started_ && rte_eth_link_get_nowait(device_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

void RawLink::send(const std::byte* frame, std::size_t length, unsigned count) {
  std::array<rte_mbuf*, kBurst> mbufs;
  while (rte_pktmbuf_alloc_bulk(static_cast<rte_mempool*>(pool_), mbufs.data(), count) != 0) {
  }
  for (unsigned i = 0; i < count; ++i) {
    std::memcpy(rte_pktmbuf_mtod(mbufs[i], void*), frame, length);
    mbufs[i]->data_len = static_cast<std::uint16_t>(length);
    mbufs[i]->pkt_len = static_cast<std::uint32_t>(length);
  }
  for (unsigned sent = 0; sent < count;) {
    sent += rte_eth_tx_burst(device_, 0, mbufs.data() + sent, static_cast<std::uint16_t>(count - sent));
  }
}

unsigned RawLink::receive(std::uint64_t& sum) {
  std::array<rte_mbuf*, kBurst> mbufs;
  const unsigned count = rte_eth_rx_burst(device_, 0, mbufs.data(), kBurst);
  if (count == 0) return 0;
  for (unsigned i = 0; i < count; ++i) {
    std::uint64_t word;
    std::memcpy(&word, rte_pktmbuf_mtod(mbufs[i], const void*), sizeof word);
    sum += word;
  }
  rte_pktmbuf_free_bulk(mbufs.data(), count);
  return count;
}

}  // namespace rocelab::perf
