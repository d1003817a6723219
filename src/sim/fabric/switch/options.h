// How a switch is set up. One SwitchProfile, made and checked once, serves every switch of a kind; what depends on the
// link (headroom, marking thresholds) is worked out per port when the port is attached.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "qos/ets_scheduler.h"
#include "qos/pfc_watchdog.h"
#include "qos/red_marker.h"
#include "qos/shared_buffer.h"
#include "sim/fabric/packet.h"

namespace rocelab::sim {

/// What becomes of a class's packets when there are too many.
enum class ClassKind : std::uint8_t {
  kLossy,      ///< dropped when the egress queue is over its share
  kLossless,   ///< the sender is paused (PFC)
  kUnlimited,  ///< neither, and not charged to the buffer: control traffic as some simulators treat it
};

struct ClassOptions {
  ClassKind kind = ClassKind::kLossy;
  bool strict = false;       ///< served before all that are not strict, higher priority first
  std::uint32_t weight = 1;  ///< share of the rate among those that are not strict
  bool ecn = true;           ///< marked, where EcnOptions are given
};

/// Marking thresholds for ports of a rate. Ports of other rates scale those of the first entry by their rate.
struct EcnOptions {
  std::uint64_t rate_bps = 100'000'000'000;
  qos::RedOptions red;
};

enum class BufferModel : std::uint8_t {
  kSharedDynamic,  ///< reserve, shared pool with dynamic thresholds, headroom
  kEgressLimit,    ///< only egress_limit_bytes a queue, nothing shared: the simplest switch
};

struct SwitchOptions {
  std::array<ClassOptions, kPriorities> classes;
  BufferModel buffer_model = BufferModel::kSharedDynamic;
  std::uint64_t buffer_bytes = 32u << 20;        ///< all of the packet memory
  std::uint32_t reserve_bytes = 0;               ///< of every port for each of its limited classes
  std::uint32_t pfc_alpha = qos::kAlphaOne / 8;  ///< of a lossless group's XOFF threshold, in 1/1024
  std::uint32_t egress_alpha = qos::kAlphaOne;   ///< of a lossy egress queue, in 1/1024
  std::uint32_t egress_limit_bytes = 0;          ///< of a lossy egress queue; 0: none besides alpha
  std::uint32_t xon_offset_bytes = 3 * 1024;     ///< resume this far below XOFF
  bool pfc = true;                               ///< false: lossless classes only have their headroom
  std::uint32_t headroom_bytes = 0;              ///< of a port's lossless class; 0: computed from rate and delay
  std::uint32_t frame_bytes_max = 9216 + kEthernetGapBytes;  ///< for computing headroom: on the wire
  std::uint16_t pause_quanta = 0xffff;  ///< of a pause frame, 512 bit times each; renewed at half time
  std::vector<EcnOptions> ecn;          ///< empty: no marking
  bool ecn_at_dequeue = true;           ///< false: when the packet is queued
  bool telemetry = false;               ///< stamp packets that ask for it (HPCC)
  bool trimming = false;                ///< cut the payload of a lossy packet instead of dropping it
  std::uint8_t trim_priority = 7;       ///< where the trimmed header queues
  qos::PfcWatchdogOptions watchdog;
  base::Duration deadlock_after = base::Duration::ms(1);  ///< a pause as long as this is searched for cycles; 0: never
  base::Duration storm_after = base::Duration::ms(5);     ///< a pause as long as this is a finding; 0: never
  base::Duration sample_interval;                         ///< of queues, pauses and links; 0: no samples
  std::uint8_t gap_bytes = kEthernetGapBytes;             ///< per packet on the wire, for link samples
};

/// What one port has of its own; 0 stands for "as SwitchOptions say".
struct SwitchPortOptions {
  std::uint32_t headroom_bytes = 0;
  std::uint32_t pfc_alpha = 0;
};

/// Options, checked, with what follows from them.
struct SwitchProfile {
  SwitchOptions options;
  qos::EtsConfig ets;
  std::uint8_t lossless = 0;  ///< classes by kind, a bit each
  std::uint8_t lossy = 0;
  std::uint8_t limited = 0;  ///< those of the two above that are charged to the buffer
  std::uint8_t ecn = 0;      ///< classes that are marked

  /// The error begins with the name of the field that is wrong.
  static base::TextResult<SwitchProfile> make(const SwitchOptions& options);
  /// For a port of that rate.
  qos::RedMarker marker(std::uint64_t rate_bps) const;
  std::uint32_t headroom(std::uint64_t rate_bps, base::Duration delay) const;
};

}  // namespace rocelab::sim
