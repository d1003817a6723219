// See identity.h.
#include "runtime/identity.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/if_vlan.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>

#include "base/rng.h"

namespace rocelab::runtime {

namespace {

constexpr std::uint32_t kDefaultNetwork = 198u << 24 | 18u << 16;  // 198.18.0.0/15
constexpr std::uint32_t kDefaultNetworkHosts = (1u << 17) - 2;     // neither .0.0 nor .255.255

/// A socket to ask ioctls of.
class Asker {
 public:
  Asker() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~Asker() {
    if (fd_ >= 0) close(fd_);
  }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;
  bool ask(unsigned long what, void* argument) const { return fd_ >= 0 && ioctl(fd_, what, argument) == 0; }

 private:
  int fd_;
};

ifreq named(const std::string& name) {
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name.c_str());
  return request;
}

struct Vlan {
  std::string below;
  std::uint16_t id = 0;
};
/// The interface under a VLAN interface, and its tag.
std::optional<Vlan> vlan_of(const Asker& asker, const char* name) {
  vlan_ioctl_args request{};
  request.cmd = GET_VLAN_REALDEV_NAME_CMD;
  std::snprintf(request.device1, sizeof(request.device1), "%s", name);
  if (!asker.ask(SIOCGIFVLAN, &request)) return std::nullopt;
  Vlan vlan{request.u.device2, 0};
  vlan_ioctl_args second{};
  second.cmd = GET_VLAN_VID_CMD;
  std::snprintf(second.device1, sizeof(second.device1), "%s", name);
  if (!asker.ask(SIOCGIFVLAN, &second)) return std::nullopt;
  vlan.id = static_cast<std::uint16_t>(second.u.VID);
  return vlan;
}

std::optional<wire::Gid> gid_of(const sockaddr* address) {
  if (address == nullptr) return std::nullopt;
  if (address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof(in));
    return wire::Gid::from_ipv4(ntohl(in.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, address, sizeof(in));
    wire::Gid gid;
    std::memcpy(gid.bytes.data(), &in.sin6_addr, gid.bytes.size());
    return gid;
  }
  return std::nullopt;
}

std::string read_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// The run directory by its one true name, so that two spellings of it are one host.
std::string canonical(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> resolved(realpath(path.c_str(), nullptr), &std::free);
  return resolved ? resolved.get() : path;
}

void add_pair(std::vector<rxe::GidEntry>& table, const InterfaceAddress& address) {
  for (const rxe::GidEntry& entry : table) {
    if (entry.gid == address.gid && entry.has_vlan == address.has_vlan && entry.vlan_id == address.vlan_id) return;
  }
  for (const rxe::GidType type : {rxe::GidType::kRoceV1, rxe::GidType::kRoceV2}) {
    table.push_back({address.gid, type, true, address.interface_index, address.has_vlan, address.vlan_id});
  }
}

base::TextResult<rxe::PathMtu> choose_mtu(const Config& config, const std::optional<InterfaceFacts>& interface) {
  if (!interface) return config.mtu.value_or(rxe::PathMtu::k4096);
  std::optional<rxe::PathMtu> largest;
  for (const rxe::PathMtu mtu :
       {rxe::PathMtu::k256, rxe::PathMtu::k512, rxe::PathMtu::k1024, rxe::PathMtu::k2048, rxe::PathMtu::k4096}) {
    if (rxe::mtu_bytes(mtu) + kIpOverheadBytesMax <= interface->mtu_bytes) largest = mtu;
  }
  if (!largest) {
    return base::fail_text(fmt::format("interface `{}`: its MTU of {} is too small for RoCE, expected at least {}",
                                       config.interface, interface->mtu_bytes,
                                       rxe::mtu_bytes(rxe::PathMtu::k256) + kIpOverheadBytesMax));
  }
  if (config.mtu && *config.mtu > *largest) {
    return base::fail_text(fmt::format("mtu: {}: interface `{}` with its MTU of {} carries at most {}",
                                       rxe::mtu_bytes(*config.mtu), config.interface, interface->mtu_bytes,
                                       rxe::mtu_bytes(*largest)));
  }
  return config.mtu.value_or(*largest);
}

}  // namespace

base::TextResult<InterfaceFacts> read_interface(const std::string& name, bool loopback_too) {
  InterfaceFacts facts;
  facts.index = if_nametoindex(name.c_str());
  if (facts.index == 0) return base::fail_text(fmt::format("interface `{}`: there is none of this name", name));
  const Asker asker;
  ifreq hardware = named(name), mtu = named(name);
  if (!asker.ask(SIOCGIFHWADDR, &hardware) || !asker.ask(SIOCGIFMTU, &mtu)) {
    return base::fail_text(fmt::format("interface `{}`: {}", name, std::strerror(errno)));
  }
  if (hardware.ifr_hwaddr.sa_family != ARPHRD_ETHER && !loopback_too) {
    return base::fail_text(fmt::format("interface `{}`: it is not an Ethernet interface", name));
  }
  if (hardware.ifr_hwaddr.sa_family == ARPHRD_ETHER || hardware.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK) {
    std::memcpy(facts.mac.data(), hardware.ifr_hwaddr.sa_data, facts.mac.size());
  }
  facts.mtu_bytes = static_cast<std::uint32_t>(std::max(mtu.ifr_mtu, 0));

  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) {
    return base::fail_text(fmt::format("interface `{}`: cannot read addresses: {}", name, std::strerror(errno)));
  }
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, &freeifaddrs);
  const auto collect = [&](int family, bool of_vlans) {
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
      if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != family) continue;
      const auto gid = gid_of(entry->ifa_addr);
      if (!gid || gid->is_zero()) continue;
      InterfaceAddress address{*gid, if_nametoindex(entry->ifa_name), false, 0};
      if (of_vlans) {
        const auto vlan = vlan_of(asker, entry->ifa_name);
        if (!vlan || vlan->below != name) continue;
        address.has_vlan = true;
        address.vlan_id = vlan->id;
      } else if (name != entry->ifa_name) {
        continue;
      }
      facts.addresses.push_back(address);
    }
  };
  for (const bool of_vlans : {false, true}) {
    collect(AF_INET, of_vlans);
    collect(AF_INET6, of_vlans);
  }
  return facts;
}

std::string interface_of(const wire::Gid& address) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, &freeifaddrs);
  std::string loopback;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (gid_of(entry->ifa_addr) == address) return entry->ifa_name;
    if ((entry->ifa_flags & IFF_LOOPBACK) != 0) loopback = entry->ifa_name;
  }
  return address.is_ipv4_mapped() && address.ipv4() >> 24 == 127 ? loopback : std::string();
}

std::string machine_id() {
  std::string id = read_line("/etc/machine-id");
  if (id.size() >= 32) return id;
  char name[256] = {};
  gethostname(name, sizeof(name) - 1);
  return std::string(name) + read_line("/proc/sys/kernel/random/boot_id");
}

std::array<std::uint8_t, 8> eui64(const wire::MacAddress& mac) {
  // RFC 4291, appendix A: ff:fe in the middle, the universal/local bit inverted.
  return {static_cast<std::uint8_t>(mac[0] ^ 0x02), mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
}

wire::Gid link_local_gid(const wire::MacAddress& mac) {
  wire::Gid gid;
  gid.bytes[0] = 0xfe;
  gid.bytes[1] = 0x80;
  const auto guid = eui64(mac);
  std::copy(guid.begin(), guid.end(), gid.bytes.begin() + 8);
  return gid;
}

bool is_link_local_of_mac(const wire::Gid& gid, wire::MacAddress& mac) {
  const auto& b = gid.bytes;
  const wire::MacAddress candidate = {static_cast<std::uint8_t>(b[8] ^ 0x02), b[9], b[10], b[13], b[14], b[15]};
  if (link_local_gid(candidate) != gid) return false;
  mac = candidate;
  return true;
}

base::TextResult<std::vector<DeviceDescription>> describe_devices(const Config& chosen, std::string_view machine) {
  std::optional<InterfaceFacts> interface;
  Config config = chosen;
  const bool sockets = config.port == PortKind::kUdp;
  if (sockets && config.interface.empty() && !config.addresses.empty() && !config.addresses[0].empty()) {
    config.interface = interface_of(config.addresses[0][0]);
    if (config.interface.empty()) {
      return base::fail_text(fmt::format("addresses: `{}`: port `udp` needs addresses of this machine",
                                         wire::to_string(config.addresses[0][0])));
    }
  }
  if (config.port != PortKind::kHost) {
    auto facts = read_interface(config.interface, sockets);
    if (!facts) return base::fail_text(facts.error());
    interface = std::move(*facts);
  }
  const auto mtu = choose_mtu(config, interface);
  if (!mtu) return base::fail_text(mtu.error());

  // One stream a host: device 0 is the same whether there are others or not.
  base::Rng rng(0, fmt::format("identity {} {}", machine, canonical(config.run_dir)));
  const std::uint64_t address_base = rng.next();
  std::vector<DeviceDescription> devices;
  for (std::uint32_t index = 0; index < config.devices; ++index) {
    DeviceDescription device;
    device.name = fmt::format("rocelab{}", index);
    device.index = index;
    device.mtu = *mtu;
    device.vendor_part_id = config.vendor_part_id;
    const std::uint64_t drawn = rng.next();
    if (interface) {
      if (config.port != PortKind::kTap) device.mac = interface->mac;  // a TAP's is the other end's
      device.interface = config.interface;
      device.interface_index = interface->index;
    }
    if (device.mac == wire::MacAddress{}) {
      for (std::size_t i = 0; i < device.mac.size(); ++i) device.mac[i] = static_cast<std::uint8_t>(drawn >> 8 * i);
      device.mac[0] = 0x02;                                                       // unicast, locally administered
      device.mac[5] = static_cast<std::uint8_t>((device.mac[5] & 0xf8) | index);  // never two alike on one host
    }
    device.node_guid = eui64(device.mac);
    if (!sockets) add_pair(device.gids, {link_local_gid(device.mac), device.interface_index, false, 0});
    if (index < config.addresses.size() && !config.addresses[index].empty()) {
      for (const wire::Gid& gid : config.addresses[index]) {
        add_pair(device.gids, {gid, device.interface_index, false, 0});
      }
    } else if (interface) {
      for (const InterfaceAddress& address : interface->addresses) add_pair(device.gids, address);
    } else {
      const auto host = static_cast<std::uint32_t>((address_base + index) % kDefaultNetworkHosts) + 1;
      add_pair(device.gids, {wire::Gid::from_ipv4(kDefaultNetwork + host), 0, false, 0});
    }
    if (sockets) {
      std::erase_if(device.gids,
                    [](const rxe::GidEntry& entry) { return entry.type != rxe::GidType::kRoceV2 || entry.has_vlan; });
      if (device.gids.empty()) {
        return base::fail_text(fmt::format("interface `{}`: it has no address for port `udp`", config.interface));
      }
    }
    const std::size_t table_max = rxe::DeviceAttr{}.gid_table_length;
    if (device.gids.size() > table_max) device.gids.resize(table_max);
    devices.push_back(std::move(device));
  }
  return devices;
}

}  // namespace rocelab::runtime
