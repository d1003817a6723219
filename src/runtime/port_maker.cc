// See port_maker.h.
#include "runtime/port_maker.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <string_view>
#include <utility>

#include "net/capture_port.h"
#include "net/dpdk/af_packet_port.h"
#include "net/dpdk/memif_port.h"
#include "net/fault_port.h"
#include "net/loopback_port.h"
#include "net/pcapng_writer.h"
#include "net/tap/tap_port.h"
#include "net/udp/udp_port.h"
#include "net/xdp/xdp_port.h"
#include "runtime/identity.h"
#include "runtime/log.h"

namespace rocelab::runtime {

namespace {
constexpr std::size_t kLoopbackSlots = 256;
constexpr std::size_t kEthernetBytesMax = 18;  // with a VLAN tag
}  // namespace

base::TextResult<PortMaker> PortMaker::create(const Config& config, const RunDirectory& directory) {
  std::shared_ptr<net::PcapngWriter> writer;
  if (!config.pcap.empty()) {
    auto opened = net::PcapngWriter::create(config.pcap);
    if (!opened) return base::fail_text(opened.error());
    writer = std::make_shared<net::PcapngWriter>(std::move(*opened));
  }
  return PortMaker(config, directory.path(), std::move(writer));
}

PortMaker::PortMaker(const Config& config, std::string directory, std::shared_ptr<net::PcapngWriter> writer)
    : kind_(config.port),
      interface_(config.interface),
      faults_(config.faults),
      ring_slots_(config.ring_slots),
      directory_(std::move(directory)),
      writer_(std::move(writer)) {}
PortMaker::PortMaker(PortMaker&&) noexcept = default;
PortMaker::~PortMaker() = default;

std::unique_ptr<net::Port> PortMaker::make_loopback() { return std::make_unique<net::LoopbackPort>(kLoopbackSlots); }

base::TextResult<std::unique_ptr<net::Port>> PortMaker::make_uplink(const DeviceDescription& device,
                                                                    std::uint32_t own_slot) {
  if (kind_ == PortKind::kUdp) {
    net::udp::UdpOptions options;
    options.name = device.interface;
    for (const rxe::GidEntry& entry : device.gids) options.addresses.push_back({entry.gid, entry.ndev_ifindex});
    options.shared_directory = directory_;
    options.process = own_slot;
    return net::udp::UdpPort::create(options);
  }
  if (kind_ == PortKind::kTap) {
    const auto facts = read_interface(interface_);
    if (!facts) return base::fail_text(facts.error());
    net::tap::TapOptions options;
    options.interface = interface_;
    options.mac = device.mac;
    options.frame_bytes_max = facts->mtu_bytes + kEthernetBytesMax;
    for (const rxe::GidEntry& entry : device.gids) {
      if (entry.type == rxe::GidType::kRoceV2) options.addresses.push_back(entry.gid);
    }
    return net::tap::TapPort::create(options);
  }
  auto raw = net::dpdk::AfPacketPort::create({.interface = interface_, .process = own_slot});
  if (!raw || kind_ != PortKind::kAfXdp) return raw;
  auto xdp = net::xdp::XdpPort::create({.interface = interface_, .process = own_slot}, *raw);
  if (xdp) return xdp;
  log(LogLevel::kWarn, "{}; using af_packet instead", xdp.error());
  return raw;
}

base::TextResult<std::unique_ptr<net::Port>> PortMaker::make_link(const Links::Chore& chore, std::uint32_t own_slot,
                                                                  std::uint32_t own_generation) {
  // Named after both processes, so that successors in the same slots never meet an old socket.
  const std::string own = fmt::format("{}.{}", own_slot, own_generation);
  const std::string peer = fmt::format("{}.{}", chore.slot, chore.generation);
  net::dpdk::MemifOptions options;
  options.socket_path = chore.server ? fmt::format("{}/link-{}-{}", directory_, own, peer)
                                     : fmt::format("{}/link-{}-{}", directory_, peer, own);
  options.server = chore.server;
  options.ring_slots = ring_slots_;
  return net::dpdk::MemifPort::create(options);
}

std::unique_ptr<net::Port> PortMaker::wrap(std::unique_ptr<net::Port> port) {
  // The capture shows what really leaves: it sits below the faults.
  if (writer_ != nullptr) port = std::make_unique<net::CapturePort>(std::move(port), writer_);
  if (faults_) port = std::make_unique<net::FaultPort>(std::move(port), *faults_, fmt::format("port {}", wrapped_++));
  return port;
}

void PortMaker::flush_capture() {
  if (writer_ != nullptr) writer_->flush();
}

void PortMaker::remove_sockets(std::uint32_t slot, std::uint32_t generation) {
  const std::string prefix =
      generation == 0 ? fmt::format("link-{}.", slot) : fmt::format("link-{}.{}-", slot, generation);
  DIR* const listing = opendir(directory_.c_str());
  if (listing == nullptr) return;
  while (const dirent* entry = readdir(listing)) {
    if (std::string_view(entry->d_name).starts_with(prefix)) unlinkat(dirfd(listing), entry->d_name, 0);
  }
  closedir(listing);
}

}  // namespace rocelab::runtime
