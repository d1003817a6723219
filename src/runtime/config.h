// What a user may choose about this host's devices. Defaults need no configuration at all; a TOML file
// (ROCELAB_CONFIG=file) overrides them, and ROCELAB_* variables override the file. Read once per process by whoever
// creates the Host (src/verbs, src/cli, tests). docs/configuration.md is the user's page of this file.
// Values only; loading reports every mistake as text naming the key, the value and what was expected.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/fault_port.h"
#include "runtime/facts.h"
#include "runtime/limits.h"
#include "rxe/types.h"
#include "wire/gid.h"

namespace rocelab::runtime {

inline constexpr std::uint32_t kDevicesMax = 8;  ///< rocelab0 .. rocelab7
inline constexpr std::size_t kAddressesMax = 8;  ///< configured addresses of one device

/// Which way packets leave this host.
enum class PortKind : std::uint8_t {
  kHost,      ///< between the processes of this machine only (memif and loopback)
  kAfPacket,  ///< also off the host, through a kernel network interface (needs CAP_NET_RAW)
  kAfXdp,     ///< the same by AF_XDP where it is allowed and the interface's queue is free
  kTap,       ///< also off the host, as a NIC of its own at the other end of a TAP interface
  kUdp,       ///< also off the host, by UDP sockets of an interface's addresses: RoCE v2 without any privilege
};

/// Who moves packets when the application is not inside poll_cq.
enum class ProgressMode : std::uint8_t {
  kAuto,    ///< poll_cq drives; the progress thread takes over when the application stops polling
  kThread,  ///< only the progress thread drives (poll_cq just pops)
  kPoll,    ///< poll_cq drives; the thread acts only while a completion queue is armed or the device is idle
};

enum class LogLevel : std::uint8_t { kOff, kError, kWarn, kInfo, kDebug };

struct Config {
  std::string run_dir;              ///< names the host: its processes share devices; absolute path
  std::uint32_t devices = 1;        ///< 1..kDevicesMax
  std::optional<rxe::PathMtu> mtu;  ///< unset: 4096, or what the uplink's interface carries
  PortKind port = PortKind::kHost;
  std::string interface;                          ///< of kAfPacket; of kUdp, unless `addresses` tell it
  std::vector<std::vector<wire::Gid>> addresses;  ///< per device; empty: the defaults of identity.h
  std::string pcap;                               ///< pcapng file that records every frame; empty: none
  std::optional<net::FaultOptions> faults;        ///< what every port does to the frames it sends
  Limits limits;                                  ///< on a device's objects, for all processes of the host together
  LogLevel log = LogLevel::kWarn;
  ProgressMode progress = ProgressMode::kAuto;
  std::uint32_t ring_slots = 256;  ///< frames a link between two processes holds; power of two, 64..16384
  rxe::CongestionControl congestion_control = rxe::CongestionControl::kNone;
  std::uint32_t vendor_part_id =
      kVendorPartId;  ///< reported only: some programs choose their paths by a table of parts
};

/// Name and value of each variable: the process environment or a test's table.
using Environment = std::vector<std::pair<std::string, std::string>>;

/// Defaults, then the TOML file named by ROCELAB_CONFIG, then the other ROCELAB_* variables.
base::TextResult<Config> load_config(const Environment& environment);
/// The same from this process's environment.
base::TextResult<Config> load_config();
/// Applies the TOML text to `config`; `file` is used in messages ("FILE:LINE: ...").
base::TextResult<void> apply_toml(std::string_view text, const std::string& file, Config& config);

/// One knob, for documentation and `rocelab dev`.
struct KnobDescription {
  std::string_view key;       ///< in the TOML file
  std::string_view variable;  ///< in the environment
  std::string_view expected;  ///< range, as messages say it
};
std::span<const KnobDescription> knobs();

}  // namespace rocelab::runtime
