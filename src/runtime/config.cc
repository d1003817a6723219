// See config.h. Every knob is one row of a table with its key, its variable, its range in words and a function that
// takes a value; both sources go through that function, so they accept the same values.
#include "runtime/config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "base/toml.h"

extern char** environ;

namespace rocelab::runtime {

namespace {

constexpr std::string_view kPrefix = "ROCELAB_";
/// Variables of ours that are no knobs: the file itself, and what `rocelab run` tells its preload shim.
constexpr std::string_view kConfigFile = "ROCELAB_CONFIG";
constexpr std::array<std::string_view, 2> kOtherVariables = {kConfigFile, "ROCELAB_SYSFS"};
constexpr std::size_t kInterfaceNameMax = 15;  // IFNAMSIZ without its terminator
constexpr std::uint32_t kRingSlotsMin = 64, kRingSlotsMax = 16'384;
constexpr std::size_t kFileBytesMax = 1u << 20;

/// A value as a knob gets it: text, or addresses by device.
using AddressTexts = std::vector<std::vector<std::string>>;
enum class Form : std::uint8_t { kText, kInteger, kAddresses };

/// Set functions return a reason when the value is wrong; empty: "not what is expected" suffices.
using Outcome = std::optional<std::string>;
const Outcome kGood = std::nullopt;
const Outcome kBad = std::string();

struct Knob {
  KnobDescription description;
  Form form;
  Outcome (*set_text)(Config&, std::string_view);
};

std::optional<std::uint32_t> parse_whole(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

template <class E, std::size_t N>
Outcome choose(std::string_view text, const std::array<std::pair<std::string_view, E>, N>& choices, E& out) {
  for (const auto& [name, value] : choices) {
    if (name == text) {
      out = value;
      return kGood;
    }
  }
  return kBad;
}

Outcome set_run_dir(Config& config, std::string_view text) {
  if (text.empty() || text[0] != '/') return kBad;
  while (text.size() > 1 && text.back() == '/') text.remove_suffix(1);
  config.run_dir = text;
  return kGood;
}

Outcome set_devices(Config& config, std::string_view text) {
  const auto value = parse_whole(text);
  if (!value || *value < 1 || *value > kDevicesMax) return kBad;
  config.devices = *value;
  return kGood;
}

Outcome set_mtu(Config& config, std::string_view text) {
  const auto value = parse_whole(text);
  for (const rxe::PathMtu mtu :
       {rxe::PathMtu::k256, rxe::PathMtu::k512, rxe::PathMtu::k1024, rxe::PathMtu::k2048, rxe::PathMtu::k4096}) {
    if (value != rxe::mtu_bytes(mtu)) continue;
    config.mtu = mtu;
    return kGood;
  }
  return kBad;
}

Outcome set_port(Config& config, std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, PortKind>, 5> kChoices = {{{"host", PortKind::kHost},
                                                                                     {"af_packet", PortKind::kAfPacket},
                                                                                     {"af_xdp", PortKind::kAfXdp},
                                                                                     {"tap", PortKind::kTap},
                                                                                     {"udp", PortKind::kUdp}}};
  return choose(text, kChoices, config.port);
}

Outcome set_interface(Config& config, std::string_view text) {
  if (text.empty() || text.size() > kInterfaceNameMax || text.find_first_of("/ \t\n:") != text.npos) return kBad;
  config.interface = text;
  return kGood;
}

Outcome set_addresses(Config& config, const AddressTexts& devices) {
  if (devices.size() > kDevicesMax) return fmt::format("{} devices, at most {}", devices.size(), kDevicesMax);
  std::vector<std::vector<wire::Gid>> parsed;
  std::set<wire::Gid> seen;
  for (const auto& texts : devices) {
    if (texts.size() > kAddressesMax) return fmt::format("{} addresses, at most {}", texts.size(), kAddressesMax);
    auto& gids = parsed.emplace_back();
    for (const std::string& text : texts) {
      const auto gid = wire::parse_gid(text);
      if (!gid) return fmt::format("`{}` is not an address", text);
      if (gid->is_multicast()) return fmt::format("`{}` is a multicast address", text);
      if (gid->is_zero() || (gid->is_ipv4_mapped() && (gid->ipv4() == 0 || gid->ipv4() == ~0u))) {
        return fmt::format("`{}` names no host", text);
      }
      if (!seen.insert(*gid).second) return fmt::format("`{}` is there twice", text);
      gids.push_back(*gid);
    }
  }
  config.addresses = std::move(parsed);
  return kGood;
}

/// "a,b;c": commas within a device, semicolons between devices.
Outcome set_addresses_text(Config& config, std::string_view text) {
  AddressTexts devices(1);
  devices.back().emplace_back();
  for (const char c : text) {
    if (c == ';') {
      devices.emplace_back().emplace_back();
    } else if (c == ',') {
      devices.back().emplace_back();
    } else if (c != ' ') {
      devices.back().back().push_back(c);
    }
  }
  for (auto& device : devices) {
    if (device.size() == 1 && device[0].empty()) device.clear();  // no address: the default of that device
  }
  return set_addresses(config, devices);
}

Outcome set_pcap(Config& config, std::string_view text) {
  if (text.empty()) return kBad;
  config.pcap = text;
  return kGood;
}

Outcome set_faults(Config& config, std::string_view text) {
  auto faults = net::parse_faults(text);
  if (!faults) return faults.error();
  config.faults = *faults;
  return kGood;
}

Outcome set_limits(Config& config, std::string_view text) {
  auto limits = parse_limits(text);
  if (!limits) return limits.error();
  config.limits = *limits;
  return kGood;
}

Outcome set_log(Config& config, std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, LogLevel>, 5> kChoices = {{{"off", LogLevel::kOff},
                                                                                     {"error", LogLevel::kError},
                                                                                     {"warn", LogLevel::kWarn},
                                                                                     {"info", LogLevel::kInfo},
                                                                                     {"debug", LogLevel::kDebug}}};
  return choose(text, kChoices, config.log);
}

Outcome set_progress(Config& config, std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, ProgressMode>, 3> kChoices = {
      {{"auto", ProgressMode::kAuto}, {"thread", ProgressMode::kThread}, {"poll", ProgressMode::kPoll}}};
  return choose(text, kChoices, config.progress);
}

Outcome set_ring_slots(Config& config, std::string_view text) {
  const auto value = parse_whole(text);
  if (!value || *value < kRingSlotsMin || *value > kRingSlotsMax || (*value & (*value - 1)) != 0) return kBad;
  config.ring_slots = *value;
  return kGood;
}

Outcome set_congestion_control(Config& config, std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, rxe::CongestionControl>, 2> kChoices = {
      {{"none", rxe::CongestionControl::kNone}, {"dcqcn", rxe::CongestionControl::kDcqcn}}};
  return choose(text, kChoices, config.congestion_control);
}

Outcome set_vendor_part_id(Config& config, std::string_view text) {
  const auto value = parse_whole(text);
  if (!value) return kBad;
  config.vendor_part_id = *value;
  return kGood;
}

constexpr std::array<Knob, 14> kKnobs = {{
    {{"run_dir", "ROCELAB_RUN_DIR", "an absolute path"}, Form::kText, set_run_dir},
    {{"devices", "ROCELAB_DEVICES", "a whole number from 1 to 8"}, Form::kInteger, set_devices},
    {{"mtu", "ROCELAB_MTU", "one of 256, 512, 1024, 2048, 4096"}, Form::kInteger, set_mtu},
    {{"port", "ROCELAB_PORT", "one of host, af_packet, af_xdp, tap, udp"}, Form::kText, set_port},
    {{"interface", "ROCELAB_INTERFACE", "the name of a network interface, 1 to 15 characters"},
     Form::kText,
     set_interface},
    {{"addresses", "ROCELAB_ADDRESSES", "IPv4 or IPv6 unicast addresses, each once, at most 8 for each device"},
     Form::kAddresses,
     set_addresses_text},
    {{"pcap", "ROCELAB_PCAP", "the name of a file (%p: process id)"}, Form::kText, set_pcap},
    {{"faults", "ROCELAB_FAULTS", "seed=N and any of loss, corrupt, duplicate, reorder, delay in ppm, delay_frames"},
     Form::kText,
     set_faults},
    {{"limits", "ROCELAB_LIMITS",
      "NAME=NUMBER and commas; names qp, cq, mr, mw, pd, srq, ah, objects, memory (bytes, or with K, M, G)"},
     Form::kText,
     set_limits},
    {{"log", "ROCELAB_LOG", "one of off, error, warn, info, debug"}, Form::kText, set_log},
    {{"progress", "ROCELAB_PROGRESS", "one of auto, thread, poll"}, Form::kText, set_progress},
    {{"ring_slots", "ROCELAB_RING_SLOTS", "a power of two from 64 to 16384"}, Form::kInteger, set_ring_slots},
    {{"vendor_part_id", "ROCELAB_VENDOR_PART_ID", "a whole number from 0 to 4294967295"},
     Form::kInteger,
     set_vendor_part_id},
    {{"congestion_control", "ROCELAB_CONGESTION_CONTROL", "one of none, dcqcn"}, Form::kText, set_congestion_control},
}};

const Knob* knob_named(std::string_view name, std::string_view KnobDescription::*which) {
  for (const Knob& knob : kKnobs) {
    if (knob.description.*which == name) return &knob;
  }
  return nullptr;
}

std::string expected(const Knob& knob, std::string_view value, const Outcome& outcome) {
  return fmt::format("{}{}{}: expected {}", value, outcome->empty() ? "" : ": ", *outcome, knob.description.expected);
}

template <class Name>
std::string all_names(Name name) {
  std::string names;
  for (const Knob& knob : kKnobs) names += (names.empty() ? "" : ", ") + std::string(name(knob));
  return names;
}

/// $XDG_RUNTIME_DIR/rocelab where there is such a directory, else /tmp/rocelab-UID.
std::string default_run_dir(const Environment& environment) {
  for (const auto& [name, value] : environment) {
    if (name == "XDG_RUNTIME_DIR" && !value.empty() && value[0] == '/' && access(value.c_str(), W_OK | X_OK) == 0) {
      return value + (value.back() == '/' ? "rocelab" : "/rocelab");
    }
  }
  return fmt::format("/tmp/rocelab-{}", geteuid());
}

/// What a single knob cannot know.
base::TextResult<void> check_together(const Config& config) {
  const bool raw = config.port == PortKind::kAfPacket || config.port == PortKind::kAfXdp;
  if (raw && config.interface.empty()) {
    return base::fail_text(fmt::format("port `{}` needs `interface`: the network interface that packets leave by",
                                       config.port == PortKind::kAfPacket ? "af_packet" : "af_xdp"));
  }
  const bool has_addresses = !config.addresses.empty() && !config.addresses[0].empty();
  if (config.port == PortKind::kTap && (config.interface.empty() || !has_addresses)) {
    return base::fail_text(
        "port `tap` needs `interface`, a TAP interface, and `addresses` of the device at its other end");
  }
  if (config.port == PortKind::kUdp && config.interface.empty() && !has_addresses) {
    return base::fail_text(
        "port `udp` needs `interface`, whose addresses packets leave by, or `addresses` of this machine");
  }
  if (config.port == PortKind::kHost && !config.interface.empty()) {
    return base::fail_text(
        fmt::format("interface `{}` is used by ports off the host only, but the port is `host`", config.interface));
  }
  if (config.port != PortKind::kHost && config.devices != 1) {
    return base::fail_text(
        fmt::format("devices: {}: a port off the host has one device for its interface, expected 1", config.devices));
  }
  if (config.addresses.size() > config.devices) {
    return base::fail_text(
        fmt::format("addresses: lists for {} devices, but `devices` is {}", config.addresses.size(), config.devices));
  }
  return {};
}

/// The addresses of a TOML value: a list of strings (of the first device) or a list of such lists (one a device).
std::optional<AddressTexts> address_texts(const toml::node& node) {
  const toml::array* list = node.as_array();
  if (list == nullptr) return std::nullopt;
  const bool nested = !list->empty() && list->get(0)->is_array();
  AddressTexts devices;
  if (!nested && !list->empty()) devices.emplace_back();
  for (const toml::node& entry : *list) {
    if (entry.is_array() != nested) return std::nullopt;
    if (!nested) {
      if (!entry.is_string()) return std::nullopt;
      devices.back().push_back(**entry.as_string());
      continue;
    }
    auto& device = devices.emplace_back();
    for (const toml::node& inner : *entry.as_array()) {
      if (!inner.is_string()) return std::nullopt;
      device.push_back(**inner.as_string());
    }
  }
  return devices;
}

std::string written(const toml::node& node) {
  std::ostringstream out;
  out << toml::toml_formatter(node, toml::toml_formatter::default_flags & ~toml::format_flags::allow_literal_strings);
  return out.str();
}

Outcome apply_node(const Knob& knob, const toml::node& node, Config& config) {
  switch (knob.form) {
    case Form::kText: {
      const auto* text = node.as_string();
      return text != nullptr ? knob.set_text(config, **text) : kBad;
    }
    case Form::kInteger: {
      const auto* number = node.as_integer();
      return number != nullptr ? knob.set_text(config, std::to_string(**number)) : kBad;
    }
    case Form::kAddresses: {
      const auto texts = address_texts(node);
      return texts ? set_addresses(config, *texts) : Outcome("not a list of strings (or a list of such lists)");
    }
  }
  return kBad;
}

base::TextResult<void> apply_file(const std::string& name, Config& config) {
  std::ifstream file(name, std::ios::binary);
  if (!file) return base::fail_text(fmt::format("{}: cannot read it: {}", name, std::strerror(errno)));
  std::string text(kFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return base::fail_text(fmt::format("{}: cannot read it", name));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kFileBytesMax) return base::fail_text(fmt::format("{}: longer than {} bytes", name, kFileBytesMax));
  return apply_toml(text, name, config);
}

}  // namespace

std::span<const KnobDescription> knobs() {
  static const auto descriptions = [] {
    std::array<KnobDescription, kKnobs.size()> all;
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = kKnobs[i].description;
    return all;
  }();
  return descriptions;
}

base::TextResult<void> apply_toml(std::string_view text, const std::string& file, Config& config) {
  if (const auto line = base::line_beyond_toml(text)) {
    return base::fail_text(fmt::format("{}:{}: {}", file, *line, base::kBeyondToml));
  }
  const toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) {
    return base::fail_text(
        fmt::format("{}:{}: {}", file, parsed.error().source().begin.line, parsed.error().description()));
  }
  for (const auto& [key, node] : parsed.table()) {
    const Knob* const knob = knob_named(key.str(), &KnobDescription::key);
    if (knob == nullptr) {
      return base::fail_text(fmt::format("{}:{}: unknown key `{}`: expected one of {}", file, key.source().begin.line,
                                         key.str(), all_names([](const Knob& k) { return k.description.key; })));
    }
    if (const Outcome outcome = apply_node(*knob, node, config)) {
      return base::fail_text(fmt::format("{}:{}: key `{}`: {}", file, node.source().begin.line, key.str(),
                                         expected(*knob, written(node), outcome)));
    }
  }
  return {};
}

base::TextResult<Config> load_config(const Environment& environment) {
  Config config;
  for (const auto& [name, value] : environment) {
    if (name != kConfigFile || value.empty()) continue;
    if (auto applied = apply_file(value, config); !applied) return base::fail_text(applied.error());
  }
  for (const auto& [name, value] : environment) {
    if (!std::string_view(name).starts_with(kPrefix)) continue;
    if (std::find(kOtherVariables.begin(), kOtherVariables.end(), name) != kOtherVariables.end()) continue;
    const Knob* const knob = knob_named(name, &KnobDescription::variable);
    if (knob == nullptr) {
      return base::fail_text(fmt::format("unknown variable {}: expected one of {}, {}", name, kConfigFile,
                                         all_names([](const Knob& k) { return k.description.variable; })));
    }
    if (value.empty()) continue;  // as if it were not set
    if (const Outcome outcome = knob->set_text(config, value)) {
      return base::fail_text(fmt::format("variable {}: {}", name, expected(*knob, '"' + value + '"', outcome)));
    }
  }
  if (config.run_dir.empty()) config.run_dir = default_run_dir(environment);
  if (auto together = check_together(config); !together) return base::fail_text(together.error());
  return config;
}

base::TextResult<Config> load_config() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == text.npos || (!text.starts_with(kPrefix) && !text.starts_with("XDG_RUNTIME_DIR="))) continue;
    environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return load_config(environment);
}

}  // namespace rocelab::runtime
