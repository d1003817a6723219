// See sysfs_tree.h. The names and formats are the kernel's (Documentation/ABI/stable/sysfs-class-infiniband).
#include "cli/sysfs_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

#include "runtime/facts.h"
#include "runtime/host_counters.h"
#include "runtime/host_page.h"
#include "rxe/counters.h"

namespace rocelab::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kDevices = "devices/virtual/infiniband";
constexpr const char* kUverbs = "devices/virtual/infiniband_verbs";
constexpr const char* kNodes = "dev/infiniband";  ///< stands for /dev/infiniband

// The kernel's numbers of uverbs devices: their major, and the minor of the first.
constexpr unsigned kUverbsMajor = 231;
constexpr unsigned kUverbsMinor = 192;
// rdma_cm is a misc device, whose minor the kernel chooses.
constexpr const char* kRdmaCmNumber = "10:58";

/// Counters that the kernel has for every port, beside the driver's own in hw_counters, and which of the engine's stand
/// behind them. Data is counted in units of four bytes.
struct PortCounter {
  const char* name;
  const char* engine;  ///< nullptr: always zero here
  unsigned divisor;
};
constexpr PortCounter kPortCounters[] = {
    {"port_rcv_data", "rcvd_bytes", 4},         {"port_xmit_data", "sent_bytes", 4},
    {"port_rcv_packets", "rcvd_pkts", 1},       {"port_xmit_packets", "sent_pkts", 1},
    {"link_downed", "link_downed", 1},          {"port_rcv_errors", nullptr, 1},
    {"port_xmit_discards", nullptr, 1},         {"port_xmit_wait", nullptr, 1},
    {"port_rcv_constraint_errors", nullptr, 1}, {"symbol_error", nullptr, 1},
};

/// Groups of four hexadecimal digits between colons.
std::string groups(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    text += fmt::format("{}{:02x}{:02x}", i == 0 ? "" : ":", bytes[i], bytes[i + 1]);
  }
  return text;
}

std::string line(const std::string& text) { return text + "\n"; }

/// All processors of the machine, as a mask in groups of 32 bits and as a list: no device is nearer to one of them.
std::string processor_mask(long count) {
  std::string text;
  for (long first = (count - 1) / 32 * 32; first >= 0; first -= 32) {
    const long bits = std::min(count - first, 32L);
    const std::uint64_t mask = (1ull << bits) - 1;
    text += text.empty() ? fmt::format("{:x}", mask) : fmt::format(",{:08x}", mask);
  }
  return text;
}

void describe_port(SysfsTree& tree, const std::string& port, const runtime::DeviceDescription& device,
                   std::size_t gid_table_length) {
  tree.files[port + "/state"] = line("4: ACTIVE");
  tree.files[port + "/phys_state"] = line("5: LinkUp");
  tree.files[port + "/rate"] = line(runtime::kRateText);
  tree.files[port + "/link_layer"] = line("Ethernet");
  tree.files[port + "/lid"] = line("0x0");
  tree.files[port + "/lid_mask_count"] = line("0");
  tree.files[port + "/sm_lid"] = line("0x0");
  tree.files[port + "/sm_sl"] = line("0");
  tree.files[port + "/cap_mask"] = line(fmt::format("{:#010x}", runtime::kPortCapabilities));
  tree.files[port + "/pkeys/0"] = line("0xffff");
  for (std::size_t i = 0; i < std::max(gid_table_length, device.gids.size()); ++i) {
    const rxe::GidEntry entry = i < device.gids.size() ? device.gids[i] : rxe::GidEntry{};
    tree.files[fmt::format("{}/gids/{}", port, i)] = line(groups(entry.gid.bytes));
    if (!entry.valid) continue;
    // Programs compare these strings, spelling included.
    tree.files[fmt::format("{}/gid_attrs/types/{}", port, i)] =
        line(entry.type == rxe::GidType::kRoceV1 ? "IB/RoCE v1" : "RoCE v2");
    if (!device.interface.empty()) {
      tree.files[fmt::format("{}/gid_attrs/ndevs/{}", port, i)] = line(device.interface);
    }
  }
  for (const PortCounter& counter : kPortCounters)
    tree.files[fmt::format("{}/counters/{}", port, counter.name)] = line("0");
  for (const rxe::CounterEntry& counter : rxe::counter_table()) {
    tree.files[fmt::format("{}/hw_counters/{}", port, counter.name)] = line("0");
  }
}

/// Tells the shim how to compute the counters' files when they are opened: where the host page keeps its numbers, then
/// "DEVICE/ports/1/FOLDER/NAME index divisor" a counter.
std::string counters_index(std::span<const runtime::DeviceDescription> devices) {
  const auto location = runtime::HostPage::counters_location();
  std::string text = fmt::format("{} {} {} {} {}\n", location.retired, location.slots, location.slot_stride,
                                 location.slot_counters, location.slot_count);
  for (const runtime::DeviceDescription& device : devices) {
    std::size_t index = runtime::counters_size(device.index);
    for (const rxe::CounterEntry& counter : rxe::counter_table()) {
      if (index >= runtime::kCountersMax) return text;  // not published either
      text += fmt::format("{}/ports/1/hw_counters/{} {} 1\n", device.name, counter.name, index);
      for (const PortCounter& port : kPortCounters) {
        if (port.engine == nullptr || counter.name != port.engine) continue;
        text += fmt::format("{}/ports/1/counters/{} {} {}\n", device.name, port.name, index, port.divisor);
      }
      ++index;
    }
  }
  return text;
}

void describe_device(SysfsTree& tree, const runtime::DeviceDescription& device, std::size_t gid_table_length) {
  const std::string folder = fmt::format("{}/{}", kDevices, device.name);
  tree.links[fmt::format("class/infiniband/{}", device.name)] = "../../" + folder;
  tree.files[folder + "/node_type"] = line("1: CA");
  tree.files[folder + "/node_guid"] = line(groups(device.node_guid));
  tree.files[folder + "/sys_image_guid"] = line(groups(device.node_guid));
  tree.files[folder + "/node_desc"] = line(device.name);
  tree.files[folder + "/fw_ver"] = line(std::string(runtime::kFirmwareVersion));
  tree.files[folder + "/hca_type"] = line("rocelab");
  tree.files[folder + "/board_id"] = line("rocelab");
  tree.files[folder + "/hw_rev"] = line(fmt::format("{:#x}", runtime::kHardwareVersion));
  describe_port(tree, folder + "/ports/1", device, gid_table_length);

  // What `device` leads to on hardware: the PCI function. Ours is virtual and belongs to no NUMA node.
  const long processors = std::max(sysconf(_SC_NPROCESSORS_CONF), 1L);
  tree.files[folder + "/device/numa_node"] = line("-1");
  tree.files[folder + "/device/local_cpus"] = line(processor_mask(processors));
  tree.files[folder + "/device/local_cpulist"] = line(processors == 1 ? "0" : fmt::format("0-{}", processors - 1));
  tree.files[folder + "/device/vendor"] = line(fmt::format("{:#06x}", runtime::kPciVendorId));
  tree.files[folder + "/device/device"] = line(fmt::format("{:#06x}", device.vendor_part_id));
  if (!device.interface.empty()) {
    const std::string interface = fmt::format("{}/device/net/{}", folder, device.interface);
    tree.files[interface + "/address"] = line(wire::to_string(device.mac));
    tree.files[interface + "/ifindex"] = line(std::to_string(device.interface_index));
    tree.files[interface + "/dev_port"] = line("0");
    tree.files[interface + "/dev_id"] = line("0x0");
  }

  const std::string uverbs = fmt::format("uverbs{}", device.index);
  tree.links["class/infiniband_verbs/" + uverbs] = fmt::format("../../{}/{}", kUverbs, uverbs);
  tree.files[fmt::format("{}/{}/ibdev", kUverbs, uverbs)] = line(device.name);
  tree.files[fmt::format("{}/{}/abi_version", kUverbs, uverbs)] = line("1");
  const std::string number = fmt::format("{}:{}", kUverbsMajor, kUverbsMinor + device.index);
  tree.files[fmt::format("{}/{}/dev", kUverbs, uverbs)] = line(number);
  tree.files[fmt::format("{}/{}", kNodes, uverbs)] = line(number);
  tree.links[fmt::format("{}/{}/device", kUverbs, uverbs)] = fmt::format("../../infiniband/{}/device", device.name);
}

base::TextResult<void> write_file(const fs::path& path, const std::string& contents) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
  const bool written = fd >= 0 && write(fd, contents.data(), contents.size()) == static_cast<ssize_t>(contents.size());
  const int error = errno;
  if (fd >= 0) close(fd);
  if (!written) return base::fail_text(fmt::format("cannot write `{}`: {}", path.string(), std::strerror(error)));
  return {};
}

base::TextResult<void> fill(const fs::path& folder, const SysfsTree& tree) {
  std::error_code error;
  for (const auto& [name, contents] : tree.files) {
    fs::create_directories((folder / name).parent_path(), error);
    if (auto done = write_file(folder / name, contents); !done) return done;
  }
  for (const auto& [name, target] : tree.links) {
    fs::create_directories((folder / name).parent_path(), error);
    fs::create_symlink(target, folder / name, error);
    if (error) return base::fail_text(fmt::format("cannot make `{}`: {}", (folder / name).string(), error.message()));
  }
  return {};
}

/// False also when something that tidies up old files has taken some.
bool is_complete(const fs::path& folder, const SysfsTree& tree) {
  std::error_code error;
  const auto there = [&](const auto& entry) { return fs::exists(folder / entry.first, error); };
  return std::all_of(tree.files.begin(), tree.files.end(), there) &&
         std::all_of(tree.links.begin(), tree.links.end(), there);
}

}  // namespace

std::string guid_text(std::span<const std::uint8_t> guid) { return groups(guid); }

SysfsTree make_sysfs_tree(std::span<const runtime::DeviceDescription> devices, std::size_t gid_table_length) {
  SysfsTree tree;
  tree.files["class/infiniband_verbs/abi_version"] = line("6");
  // No umadN: management datagrams are not to be had this way. Tools that only look (ibstat) want the version.
  tree.files["class/infiniband_mad/abi_version"] = line("5");
  tree.links["class/misc/rdma_cm"] = "../../devices/virtual/misc/rdma_cm";
  tree.files["devices/virtual/misc/rdma_cm/abi_version"] = line("4");
  tree.files["devices/virtual/misc/rdma_cm/dev"] = line(kRdmaCmNumber);
  tree.files[fmt::format("{}/rdma_cm", kNodes)] = line(kRdmaCmNumber);
  tree.files["counters"] = counters_index(devices);
  for (const runtime::DeviceDescription& device : devices) describe_device(tree, device, gid_table_length);
  return tree;
}

std::string folder_name(const SysfsTree& tree) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;  // FNV-1a: names must differ, nobody attacks them
  const auto add = [&hash](const std::string& text) {
    for (const char character : text + '\0') {
      hash = (hash ^ static_cast<unsigned char>(character)) * 0x100'0000'01b3;
    }
  };
  for (const auto* part : {&tree.files, &tree.links}) {
    for (const auto& [name, contents] : *part) {
      add(name);
      add(contents);
    }
  }
  return fmt::format("sysfs-{:016x}", hash);
}

base::TextResult<std::string> write_tree(const SysfsTree& tree, const std::string& parent) {
  std::error_code error;
  const fs::path where = fs::canonical(parent, error);
  if (error) return base::fail_text(fmt::format("run directory `{}`: {}", parent, error.message()));
  const fs::path target = where / folder_name(tree);
  // It comes into being as a whole: what is there now and incomplete is damaged, not on its way.
  if (fs::exists(target, error)) {
    if (is_complete(target, tree)) return target.string();
    fs::remove_all(target, error);
  }

  std::string scratch = (where / "sysfs.XXXXXX").string();
  if (mkdtemp(scratch.data()) == nullptr) {
    return base::fail_text(fmt::format("run directory `{}`: {}", parent, std::strerror(errno)));
  }
  const auto filled = fill(scratch, tree);
  // Renaming onto a folder that is not empty fails: then another process has made the same tree meanwhile.
  const bool renamed = filled && std::rename(scratch.c_str(), target.c_str()) == 0;
  const int reason = errno;
  if (!renamed) fs::remove_all(scratch, error);
  if (!filled) return base::fail_text(filled.error());
  if (!renamed && !is_complete(target, tree)) {
    return base::fail_text(fmt::format("cannot make `{}`: {}", target.string(), std::strerror(reason)));
  }
  return target.string();
}

}  // namespace rocelab::cli
