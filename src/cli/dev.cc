// `rocelab dev [NAME]`: the devices of this host, who uses them, and what they have counted. Reads the configuration
// and the host page; opens no device and makes nothing.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/settings.h"
#include "cli/sysfs_tree.h"
#include "runtime/facts.h"
#include "runtime/host_counters.h"
#include "runtime/identity.h"

namespace rocelab::cli {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
  Settings settings;
  std::string name;
  bool verbose = false;
  bool counters = false;
  bool json = false;
};

/// The limits that `ibv_devinfo -v` prints too, by their names there.
std::vector<std::pair<const char*, std::uint64_t>> limits() {
  const rxe::DeviceAttr attr;
  return {{"max_qp", attr.max_qp},
          {"max_qp_wr", attr.max_qp_wr},
          {"max_sge", attr.max_sge},
          {"max_inline_data", attr.max_inline_data},
          {"max_cq", attr.max_cq},
          {"max_cqe", attr.max_cqe},
          {"max_mr", attr.max_mr},
          {"max_mw", attr.max_mw},
          {"max_pd", attr.max_pd},
          {"max_ah", attr.max_ah},
          {"max_srq", attr.max_srq},
          {"max_srq_wr", attr.max_srq_wr},
          {"max_qp_rd_atom", attr.max_qp_rd_atom},
          {"max_mcast_grp", attr.max_mcast_grp},
          {"max_msg_size", attr.max_msg_size}};
}

const char* type_text(rxe::GidType type) { return type == rxe::GidType::kRoceV1 ? "IB/RoCE v1" : "RoCE v2"; }

/// A slot's processes own the QPNs slot << 16 .. slot << 16 | 0xffff (runtime/host.h).
std::uint32_t first_qpn(std::uint32_t slot) { return slot << 16; }
std::uint32_t last_qpn(std::uint32_t slot) { return slot << 16 | 0xffff; }

std::string gid_flags(const rxe::GidEntry& entry) {
  return entry.has_vlan ? fmt::format(", VLAN {}", entry.vlan_id) : "";
}

void print_counters(const char* indent, const runtime::NamedCounters& counters) {
  for (const auto& [name, value] : counters) fmt::print("{}{:<24} {:>20}\n", indent, name, value);
}

void print_device(const runtime::DeviceDescription& device, const runtime::Config& config,
                  const runtime::NamedCounters& counters, const Options& options) {
  fmt::print("{}\n", device.name);
  fmt::print("  node GUID      {}\n", guid_text(device.node_guid));
  fmt::print("  MAC address    {}\n", wire::to_string(device.mac));
  fmt::print("  port 1         ACTIVE, Ethernet, {}, MTU {}\n", runtime::kRateText, rxe::mtu_bytes(device.mtu));
  fmt::print("  reaches        {}\n", device.interface.empty()
                                          ? "processes of this machine with the same run directory"
                                          : "this machine's processes, and others by interface " + device.interface);
  for (std::size_t i = 0; i < device.gids.size(); ++i) {
    if (!device.gids[i].valid) continue;
    fmt::print("  GID {:<10} {} ({}{})\n", i, wire::to_string(device.gids[i].gid), type_text(device.gids[i].type),
               gid_flags(device.gids[i]));
  }
  if (options.verbose) {
    fmt::print("  firmware       {}\n", runtime::kFirmwareVersion);
    fmt::print("  ring slots     {} frames between two processes\n", config.ring_slots);
    for (const auto& [name, value] : limits()) fmt::print("  {:<16} {}\n", name, value);
  }
  if (options.counters) {
    fmt::print("  counters\n");
    print_counters("    ", counters);
  }
}

void print_host(const runtime::Config& config, const runtime::CounterReport& report, const Options& options) {
  fmt::print("host {}\n", config.run_dir);
  if (report.processes.empty()) fmt::print("  no process uses it\n");
  for (const auto& process : report.processes) {
    fmt::print("  slot {:<3} pid {:<8} QPNs {:#08x}-{:#08x}  {}\n", process.slot, process.pid, first_qpn(process.slot),
               last_qpn(process.slot), process.command);
  }
  if (options.counters) {
    fmt::print("  counters\n");
    print_counters("    ", report.host);
  }
}

Json to_json(const runtime::NamedCounters& counters) {
  Json object = Json::object();
  for (const auto& [name, value] : counters) object[name] = value;
  return object;
}

Json to_json(const runtime::DeviceDescription& device, const runtime::NamedCounters& counters) {
  Json gids = Json::array();
  for (std::size_t i = 0; i < device.gids.size(); ++i) {
    const rxe::GidEntry& entry = device.gids[i];
    if (!entry.valid) continue;
    Json gid = {{"index", i}, {"gid", wire::to_string(entry.gid)}, {"type", type_text(entry.type)}};
    if (entry.has_vlan) gid["vlan"] = entry.vlan_id;
    gids.push_back(std::move(gid));
  }
  Json limit_values = Json::object();
  for (const auto& [name, value] : limits()) limit_values[name] = value;
  return {{"name", device.name},
          {"node_guid", guid_text(device.node_guid)},
          {"mac", wire::to_string(device.mac)},
          {"port",
           {{"state", "ACTIVE"},
            {"link_layer", "Ethernet"},
            {"rate", runtime::kRateText},
            {"mtu", rxe::mtu_bytes(device.mtu)}}},
          {"interface", device.interface.empty() ? Json() : Json(device.interface)},
          {"gids", std::move(gids)},
          {"firmware", runtime::kFirmwareVersion},
          {"limits", std::move(limit_values)},
          {"counters", to_json(counters)}};
}

Json to_json(const runtime::Config& config, const runtime::CounterReport& report) {
  Json processes = Json::array();
  for (const auto& process : report.processes) {
    processes.push_back({{"slot", process.slot},
                         {"pid", process.pid},
                         {"command", process.command},
                         {"qpn_first", first_qpn(process.slot)},
                         {"qpn_last", last_qpn(process.slot)}});
  }
  return {{"run_dir", config.run_dir}, {"processes", std::move(processes)}, {"counters", to_json(report.host)}};
}

int show(const Options& options) {
  const auto config = options.settings.apply();
  if (!config) return fail("dev", config.error(), kExitUsage);
  const auto devices = runtime::describe_devices(*config, runtime::machine_id());
  if (!devices) return fail("dev", devices.error(), kExitFailure);
  const auto report = runtime::read_counters(*config);
  if (!report) return fail("dev", report.error(), kExitFailure);

  Json shown = Json::array();
  std::size_t count = 0;
  for (const runtime::DeviceDescription& device : *devices) {
    if (!options.name.empty() && options.name != device.name) continue;
    static const runtime::NamedCounters kNone;
    const auto& counters = device.index < report->devices.size() ? report->devices[device.index].counters : kNone;
    ++count;
    if (options.json) {
      shown.push_back(to_json(device, counters));
    } else {
      print_device(device, *config, counters, options);
    }
  }
  if (count == 0) {
    return fail("dev",
                fmt::format("no device `{}`: this host has rocelab0 to rocelab{}", options.name, devices->size() - 1),
                kExitFailure);
  }
  if (options.json) {
    fmt::print("{}\n", Json{{"host", to_json(*config, *report)}, {"devices", std::move(shown)}}.dump(2));
  } else {
    print_host(*config, *report, options);
  }
  return std::fflush(stdout) == 0 ? 0 : kExitFailure;
}

}  // namespace

void add_dev_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("dev", "Show the devices of this host, their processes and counters");
  const auto options = std::make_shared<Options>();
  command->add_option("name", options->name, "Show this device only")->type_name("NAME");
  command->add_flag("-v,--verbose", options->verbose, "Also limits");
  command->add_flag("-c,--counters", options->counters,
                    "Also counters, summed over all processes, ended ones included");
  command->add_flag("-j,--json", options->json, "Everything as JSON");
  options->settings.add_options(*command);
  set_action(*command, [options] { return show(*options); });
}

}  // namespace rocelab::cli
