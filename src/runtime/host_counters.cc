// See host_counters.h.
#include "runtime/host_counters.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "runtime/host_page.h"
#include "runtime/run_directory.h"

namespace rocelab::runtime {

namespace {

std::vector<std::string> make_names() {
  std::vector<std::string> names = {"tx_frames", "tx_bytes", "rx_frames", "rx_bytes"};
  for (std::size_t i = 0; i < wire::kFrameErrorCount; ++i) {
    names.push_back("rx_" + std::string(wire::name(static_cast<wire::FrameError>(i))));
  }
  for (const char* name : {"rx_not_for_us", "rx_handed_over", "tx_no_peer", "tx_no_route", "tx_too_long",
                           "tx_peer_stuck", "links_made", "links_lost", "wakeups_sent"}) {
    names.emplace_back(name);
  }
  return names;
}

}  // namespace

std::span<const std::string> process_counter_names() {
  static const std::vector<std::string> names = make_names();
  return names;
}

std::size_t counters_size(std::size_t devices) { return kProcessCounterCount + devices * rxe::counter_table().size(); }

std::uint64_t counters_layout() {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  const auto add = [&hash](std::string_view name) {
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    hash = (hash ^ 0xffu) * 0x100000001b3u;
  };
  for (const std::string& name : process_counter_names()) add(name);
  for (const rxe::CounterEntry& entry : rxe::counter_table()) add(entry.name);
  return hash;
}

base::TextResult<CounterReport> read_counters(const Config& config) {
  std::vector<std::uint64_t> sums(kCountersMax);
  CounterReport report;
  struct stat status {};
  if (stat((config.run_dir + "/" + HostPage::kFileName).c_str(), &status) == 0) {
    auto directory = RunDirectory::open(config.run_dir);
    if (!directory) return base::fail_text(directory.error());
    auto page = HostPage::open(*directory, counters_layout());
    if (!page) return base::fail_text(page.error());
    // What a killed process counted is still in its slot.
    page->for_each_peer([&page](std::uint32_t slot, std::uint32_t generation) {
      if (!page->is_alive(slot, generation)) page->bury(slot, generation);
    });
    // A process that ends between the two readings is missed for once rather than counted twice.
    const auto retired = page->retired_counters();
    const auto add = [&sums](const std::vector<std::uint64_t>& values) {
      for (std::size_t i = 0; i < sums.size() && i < values.size(); ++i) sums[i] += values[i];
    };
    add(retired);
    for (const SlotView& view : page->live_slots()) {
      add(view.counters);
      report.processes.push_back({view.slot, view.pid, view.command});
    }
  } else if (errno != ENOENT) {
    return base::fail_text(fmt::format("run directory `{}`: {}", config.run_dir, std::strerror(errno)));
  }
  std::size_t next = 0;
  for (const std::string& name : process_counter_names()) report.host.emplace_back(name, sums[next++]);
  for (std::uint32_t index = 0; index < config.devices; ++index) {
    CounterReport::Device device{fmt::format("rocelab{}", index), {}};
    for (const rxe::CounterEntry& entry : rxe::counter_table()) {
      device.counters.emplace_back(entry.name, next < sums.size() ? sums[next] : 0);
      ++next;
    }
    report.devices.push_back(std::move(device));
  }
  return report;
}

}  // namespace rocelab::runtime
