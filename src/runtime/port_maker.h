// Makes the ports of a process: loopback, links, the uplink, with the taps that the configuration asks for. Owned by
// the Driver. make_*() may take milliseconds and start DPDK's EAL: without the engine lock. wrap() adds the taps, which
// share one file: under the lock.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "net/port.h"
#include "runtime/config.h"
#include "runtime/links.h"
#include "runtime/local_device.h"
#include "runtime/run_directory.h"

namespace rocelab::net {
class PcapngWriter;
}

namespace rocelab::runtime {

class PortMaker {
 public:
  /// Opens the capture file, if there is to be one.
  static base::TextResult<PortMaker> create(const Config& config, const RunDirectory& directory);
  PortMaker(PortMaker&&) noexcept;
  ~PortMaker();

  std::unique_ptr<net::Port> make_loopback();
  /// For the device, as the process in that slot.
  base::TextResult<std::unique_ptr<net::Port>> make_uplink(const DeviceDescription& device, std::uint32_t own_slot);
  /// Our end of the link to a peer.
  base::TextResult<std::unique_ptr<net::Port>> make_link(const Links::Chore& chore, std::uint32_t own_slot,
                                                         std::uint32_t own_generation);
  std::unique_ptr<net::Port> wrap(std::unique_ptr<net::Port> port);
  /// Under the lock, now and then: captured frames reach the file.
  void flush_capture();

  /// Removes the sockets of links that a dead process served. generation 0: whatever it was.
  void remove_sockets(std::uint32_t slot, std::uint32_t generation);

 private:
  PortMaker(const Config& config, std::string directory, std::shared_ptr<net::PcapngWriter> writer);

  PortKind kind_;
  std::string interface_;
  std::optional<net::FaultOptions> faults_;
  std::uint32_t ring_slots_;
  std::string directory_;
  std::shared_ptr<net::PcapngWriter> writer_;
  std::uint32_t wrapped_ = 0;  ///< each port's faults are a stream of their own
};

}  // namespace rocelab::runtime
