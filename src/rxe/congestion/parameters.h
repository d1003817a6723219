// What the congestion control strategies can be told, with the values of the papers as defaults; where each comes from
// is said beside it. Plain values, copied into a strategy when a QP begins to send.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace rocelab::rxe {

using base::Duration;
using base::TimePoint;

enum class CongestionControl : std::uint8_t {
  kNone,
  kDcqcn,
  kHpcc,
  kTimely,
  kSwift,
  kWindow,  ///< a fixed number of bytes in flight, the baseline
};

/// Zhu et al., "Congestion Control for Large-Scale RDMA Deployments", SIGCOMM 2015. The defaults are those of
/// sigcomm15().
struct DcqcnParameters {
  unsigned gain_shift = 8;                                  ///< g = 2^-shift
  Duration alpha_interval = Duration::us(55);               ///< K: alpha decays when so long without a CNP
  Duration increase_interval = Duration::us(55);            ///< T
  std::uint64_t increase_bytes = 10'000'000;                ///< B; 0: no byte counter
  std::uint32_t fast_recovery_steps = 5;                    ///< F
  std::uint64_t additive_increase_bits_per_s = 40'000'000;  ///< R_AI
  std::uint64_t hyper_increase_bits_per_s = 200'000'000;    ///< R_HAI
  std::uint64_t rate_min_bits_per_s = 10'000'000;           ///< never below; ours, the paper names none
  Duration decrease_interval_min;                           ///< CNPs so soon after a cut do not cut again
  bool clamp_target = true;  ///< each cut lowers the target to the rate before it; else only cuts after an increase do
  bool clocked = false;      ///< marks count once a tick: clocked_dcqcn.h

  /// The paper: K, T, B, F, g from section 5 and its parameter table, R_AI from section 3.2; R_HAI from its authors'
  /// ns-3 simulator, as the paper gives none.
  static DcqcnParameters sigcomm15() { return {}; }
  /// mix/config.txt of the HPCC ns-3 simulator, whose model follows Mellanox's implementation. It is meant for
  /// receivers that echo marks with each acknowledgement, hence the short alpha interval.
  static DcqcnParameters hpcc_simulator();
};

/// Li et al., "HPCC: High Precision Congestion Control", SIGCOMM 2019; the names are those of its algorithm 1.
struct HpccParameters {
  std::uint32_t target_utilization_permille = 950;          ///< eta: section 5.1
  std::uint32_t stage_max = 5;                              ///< maxStage: section 5.1
  std::uint64_t additive_increase_bits_per_s = 50'000'000;  ///< W_AI / T: RATE_AI of the authors' mix/config.txt
  std::uint64_t rate_min_bits_per_s = 100'000'000;          ///< MIN_RATE of the same file
};

/// Mittal et al., "TIMELY: RTT-based Congestion Control for the Datacenter", SIGCOMM 2015, algorithm 1.
struct TimelyParameters {
  Duration rtt_low = Duration::us(50);                      ///< T_low: section 5.1
  Duration rtt_high = Duration::us(500);                    ///< T_high: section 5.1
  Duration rtt_min = Duration::us(20);                      ///< minRTT; as in the HPCC authors' simulator
  std::uint64_t additive_increase_bits_per_s = 10'000'000;  ///< delta: section 5.1
  std::uint32_t smoothing_permille = 875;           ///< alpha, weight of the newest difference; same source as rtt_min
  std::uint32_t decrease_permille = 800;            ///< beta: section 5.1
  std::uint32_t hyper_increase_after = 5;           ///< completions with falling RTT before N = 5: section 4.3
  std::uint64_t rate_min_bits_per_s = 100'000'000;  ///< ours; the paper names none
  std::uint32_t segment_bytes = 16'384;             ///< one RTT sample and decision a segment: section 5.1
};

/// Kumar et al., "Swift: Delay is Simple and Effective for Congestion Control in the Datacenter", SIGCOMM 2020,
/// algorithm 1 and section 3.5. Windows in thousandths of a packet.
struct SwiftParameters {
  Duration base_target = Duration::us(25);          ///< base target delay, without hops: section 5.1
  Duration hop_target = Duration::us(1);            ///< per-hop scaling; ours, to be set with the topology's delays
  std::uint32_t hops = 0;                           ///< on the path, as the engine sees no hop count
  Duration flow_scaling_range = Duration::us(100);  ///< fs_range; htsim's 4 to 5 base targets
  std::uint32_t flow_scaling_min_milli = 100;       ///< fs_min_cwnd: 0.1 packets, section 3.5
  std::uint32_t flow_scaling_max_milli = 100'000;   ///< fs_max_cwnd: 100 packets, section 3.5
  std::uint32_t additive_increase_milli = 1'000;    ///< ai: 1 packet an RTT
  std::uint32_t decrease_permille = 800;            ///< beta
  std::uint32_t decrease_max_permille = 500;        ///< max_mdf
  std::uint32_t window_min_milli = 10;              ///< min_cwnd: 0.01 packets
  std::uint32_t retransmits_to_reset = 5;           ///< RETX_RESET_THRESHOLD
};

struct CongestionParameters {
  Duration base_rtt = Duration::us(13);  ///< T of HPCC, without queues (its section 5.1); of the fixed window too
  std::uint64_t window_bytes =
      0;  ///< in flight at most, whatever the strategy; 0: no such limit (kWindow: line rate x base_rtt)
  DcqcnParameters dcqcn;
  HpccParameters hpcc;
  TimelyParameters timely;
  SwiftParameters swift;
};

}  // namespace rocelab::rxe
