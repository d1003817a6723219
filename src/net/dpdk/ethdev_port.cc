// Mbufs, backlog and bursts of the ports of this folder.
#include "net/dpdk/ethdev_port.h"

#include <fmt/format.h>
#include <rte_bus_vdev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "net/dpdk/eal.h"
#include "net/dpdk/log_capture.h"

namespace rocelab::net::dpdk {

unsigned EthdevPort::next_number() {
  static std::atomic<unsigned> next{0};
  return next.fetch_add(1, std::memory_order_relaxed);
}

base::TextResult<void> EthdevPort::make_pool(const std::string& pool_name, std::size_t room_bytes) {
  // One mbuf being written, those that wait, and one burst of received ones.
  const LogCapture log;
  pool_ = make_frame_pool(pool_name, 1 + kBacklogMax + kBurstMax, room_bytes);
  if (pool_ != nullptr) return {};
  return base::fail_text(log.explain(fmt::format("{}: no memory for frames: {}", name_, rte_strerror(rte_errno))));
}

base::TextResult<void> EthdevPort::make_device(const std::string& device_name, const std::string& arguments,
                                               std::uint32_t ring_slots) {
  const LogCapture log;
  if (rte_eth_dev_count_total() >= kPortsMax) {
    return base::fail_text(
        fmt::format("{}: this process has {} DPDK ports already, the most there can be", name_, kPortsMax));
  }
  if (rte_vdev_init(device_name.c_str(), arguments.c_str()) != 0) {
    return base::fail_text(log.explain(fmt::format("{}: DPDK cannot make the port", name_)));
  }
  device_name_ = device_name;
  const auto slots = static_cast<std::uint16_t>(ring_slots);
  const rte_eth_conf config{};
  if (rte_eth_dev_get_port_by_name(device_name.c_str(), &device_) != 0 ||
      rte_eth_dev_configure(device_, 1, 1, &config) != 0 ||
      rte_eth_rx_queue_setup(device_, 0, slots, static_cast<unsigned>(SOCKET_ID_ANY), nullptr, pool_.get()) != 0 ||
      rte_eth_tx_queue_setup(device_, 0, slots, static_cast<unsigned>(SOCKET_ID_ANY), nullptr) != 0) {
    return base::fail_text(log.explain(fmt::format("{}: DPDK cannot set the port up", name_)));
  }
  return {};
}

void EthdevPort::destroy_device() {
  if (!eal_usable()) return;
  rx_release();
  drop_waiting();
  if (reserved_ != nullptr) rte_pktmbuf_free(std::exchange(reserved_, nullptr));
  if (device_name_.empty()) return;
  const LogCapture quiet;
  rte_eth_dev_stop(device_);
  rte_vdev_uninit(device_name_.c_str());
  device_name_.clear();
}

EthdevPort::~EthdevPort() {
  if (!eal_usable()) static_cast<void>(pool_.release());  // a forked child: all of it is the parent's
}

std::byte* EthdevPort::tx_reserve(std::size_t bytes) {
  if (bytes > frame_bytes_max_ || !eal_usable()) return nullptr;
  if (waiting_count_ == kBacklogMax) {
    send_waiting();
    if (waiting_count_ == kBacklogMax && !drops()) return nullptr;
  }
  if (reserved_ == nullptr) reserved_ = rte_pktmbuf_alloc(pool_.get());
  return reserved_ == nullptr ? nullptr : rte_pktmbuf_mtod(reserved_, std::byte*);
}

void EthdevPort::tx_commit(std::size_t bytes) {
  if (reserved_ == nullptr) return;
  if (waiting_count_ == kBacklogMax) {
    ++counters_.tx_dropped;  // the mbuf stays for the next frame
    return;
  }
  reserved_->data_len = static_cast<std::uint16_t>(bytes);
  reserved_->pkt_len = static_cast<std::uint32_t>(bytes);
  waiting_[waiting_count_++] = std::exchange(reserved_, nullptr);
  waiting_bytes_ += bytes;
  if (waiting_count_ % kBurstMax == 0) send_waiting();
}

std::size_t EthdevPort::tx_flush() {
  if (waiting_count_ != 0) send_waiting();
  return std::exchange(given_, 0);
}

std::size_t EthdevPort::send_burst() {
  std::size_t bytes = waiting_bytes_;
  const std::size_t sent = rte_eth_tx_burst(device_, 0, waiting_.data(), static_cast<std::uint16_t>(waiting_count_));
  waiting_count_ -= sent;
  waiting_bytes_ = 0;
  if (waiting_count_ != 0) {
    std::copy_n(waiting_.begin() + static_cast<std::ptrdiff_t>(sent), waiting_count_, waiting_.begin());
    for (std::size_t i = 0; i < waiting_count_; ++i) waiting_bytes_ += waiting_[i]->pkt_len;
    bytes -= waiting_bytes_;
  }
  counters_.tx_frames += sent;
  counters_.tx_bytes += bytes;
  given_ += sent;
  return sent;
}

/// All of them are ours, single and unshared, so they need not be looked at one by one.
void EthdevPort::give_back(rte_mbuf** mbufs, std::size_t count) {
  if (count == 0) return;
  rte_mempool_put_bulk(pool_.get(), reinterpret_cast<void**>(mbufs), static_cast<unsigned>(count));
}

void EthdevPort::drop_waiting() {
  counters_.tx_dropped += waiting_count_;
  give_back(waiting_.data(), waiting_count_);
  waiting_count_ = 0;
  waiting_bytes_ = 0;
}

std::size_t EthdevPort::receive_burst(std::span<Frame> out) {
  rte_mbuf** const mbufs = received_.data() + received_count_;
  const std::size_t room = std::min(out.size(), kBurstMax - received_count_);
  const std::size_t count = rte_eth_rx_burst(device_, 0, mbufs, static_cast<std::uint16_t>(room));
  std::size_t handed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    rte_mbuf* const mbuf = mbufs[i];
    if (mbuf->nb_segs != 1 || mbuf->pkt_len > frame_bytes_max_) {  // the other side has larger frames than we do
      ++counters_.rx_dropped;
      rte_pktmbuf_free(mbuf);
      continue;
    }
    mbufs[handed] = mbuf;
    out[handed++] = Frame(rte_pktmbuf_mtod(mbuf, const std::byte*), mbuf->data_len);
    counters_.rx_bytes += mbuf->data_len;
  }
  received_count_ += handed;
  counters_.rx_frames += handed;
  return handed;
}

void EthdevPort::rx_release() {
  if (received_count_ == 0 || !eal_usable()) return;
  give_back(received_.data(), received_count_);
  received_count_ = 0;
}

bool EthdevPort::device_says_up() const {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(device_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace rocelab::net::dpdk
