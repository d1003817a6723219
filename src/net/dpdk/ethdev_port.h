// What memif and af_packet ports share: frames in mbufs of their own, a bounded backlog of those that the device has
// not taken yet, and bursts to and from a DPDK device with one queue each way. The derived port decides when the device
// may be asked. Same rules for callers as net::Port.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "net/dpdk/frame_pool.h"
#include "net/port.h"

struct rte_mbuf;

namespace rocelab::net::dpdk {

class EthdevPort : public Port {
 public:
  static constexpr std::size_t kBacklogMax = 64;  ///< frames committed that the device has not taken

  ~EthdevPort() override;
  EthdevPort(const EthdevPort&) = delete;
  EthdevPort& operator=(const EthdevPort&) = delete;

  std::string_view name() const override { return name_; }
  std::size_t frame_bytes_max() const override { return frame_bytes_max_; }
  std::byte* tx_reserve(std::size_t bytes) override;
  void tx_commit(std::size_t bytes) override;
  std::size_t tx_flush() override;
  bool tx_waiting() const override { return waiting_count_ != 0; }
  void rx_release() override;
  const PortCounters& counters() const override { return counters_; }

 protected:
  EthdevPort(std::string name, std::size_t frame_bytes_max)
      : name_(std::move(name)), frame_bytes_max_(frame_bytes_max) {}

  /// A number for device and pool, unique in the process.
  static unsigned next_number();
  /// Mbufs with room for `room_bytes` each. Before anything else; EAL runs.
  base::TextResult<void> make_pool(const std::string& pool_name, std::size_t room_bytes);
  /// Makes the device with the driver's arguments and one queue each way. Not started. The device exists from here on,
  /// also when a later step fails: destroy_device() in the derived destructor.
  base::TextResult<void> make_device(const std::string& device_name, const std::string& arguments,
                                     std::uint32_t ring_slots);
  /// Also gives back the mbufs; no call of the device afterwards. In a forked child it does nothing.
  void destroy_device();

  /// Passes on what waits, if the device may be asked just now.
  virtual void send_waiting() = 0;
  /// True: what the device does not take now is lost, instead of making the sender wait.
  virtual bool drops() const = 0;

  /// One transmit burst of what waits; how many frames left. The device is started and may be asked.
  std::size_t send_burst();
  /// One receive burst into `out`. The same condition.
  std::size_t receive_burst(std::span<Frame> out);
  void drop_waiting();
  std::uint16_t device() const { return device_; }
  bool device_says_up() const;

 private:
  void give_back(rte_mbuf** mbufs, std::size_t count);

  const std::string name_;
  const std::size_t frame_bytes_max_;
  FramePool pool_;
  std::string device_name_;   // empty: no device
  std::uint16_t device_ = 0;  // DPDK's port number

  rte_mbuf* reserved_ = nullptr;
  std::array<rte_mbuf*, kBacklogMax> waiting_{};
  std::size_t waiting_count_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::size_t given_ = 0;  // frames that left since the last tx_flush
  std::array<rte_mbuf*, kBurstMax> received_{};
  std::size_t received_count_ = 0;
  PortCounters counters_;
};

}  // namespace rocelab::net::dpdk
