// Which strategy stands behind each CongestionControl, and the one that is none: a fixed window.
#include "rxe/congestion/congestion.h"

#include <algorithm>

#include "rxe/congestion/clocked_dcqcn.h"
#include "rxe/congestion/dcqcn.h"
#include "rxe/congestion/hpcc.h"
#include "rxe/congestion/rates.h"
#include "rxe/congestion/swift.h"
#include "rxe/congestion/timely.h"

namespace rocelab::rxe {

namespace {

/// The baseline: bytes in flight are limited, nothing else.
class FixedWindow final : public CongestionController {
 public:
  FixedWindow(std::uint64_t line_bits_per_s, std::uint64_t bytes) : line_(line_bits_per_s) { set_window(bytes); }
  std::uint64_t rate_bits_per_s() const override { return line_; }

 private:
  std::uint64_t line_;
};

std::unique_ptr<CongestionController> make_strategy(CongestionControl kind, std::uint64_t line,
                                                    std::uint32_t packet_bytes,
                                                    const CongestionParameters& parameters) {
  switch (kind) {
    case CongestionControl::kNone:
      if (parameters.window_bytes == 0) return nullptr;
      return std::make_unique<FixedWindow>(line, parameters.window_bytes);
    case CongestionControl::kDcqcn:
      if (parameters.dcqcn.clocked) return std::make_unique<ClockedDcqcn>(line, parameters.dcqcn);
      return std::make_unique<Dcqcn>(line, parameters.dcqcn);
    case CongestionControl::kHpcc:
      return std::make_unique<Hpcc>(line, parameters.base_rtt, parameters.hpcc);
    case CongestionControl::kTimely:
      return std::make_unique<Timely>(line, parameters.timely);
    case CongestionControl::kSwift:
      return std::make_unique<Swift>(line, packet_bytes, parameters.swift);
    case CongestionControl::kWindow:
      return std::make_unique<FixedWindow>(line, bytes_in(line, parameters.base_rtt));
  }
  return nullptr;
}

}  // namespace

void CongestionController::set_pace(std::uint64_t bits_per_s) {
  // So bounded, 2^20 bytes still fit 64 bits.
  constexpr std::uint64_t kSlowest = 1ull << 43;
  ps_per_byte_q16_ = std::min(kSlowest, (kBitsPsPerByte << 16) / std::max<std::uint64_t>(bits_per_s, 1));
}

std::unique_ptr<CongestionController> make_congestion_controller(CongestionControl kind, std::uint64_t link_bits_per_s,
                                                                 std::uint32_t packet_bytes,
                                                                 const CongestionParameters& parameters) {
  auto made = make_strategy(kind, std::clamp<std::uint64_t>(link_bits_per_s, 1, kLineMax),
                            std::max<std::uint32_t>(packet_bytes, 1), parameters);
  if (made != nullptr && parameters.window_bytes != 0) made->limit_window(parameters.window_bytes);
  return made;
}

}  // namespace rocelab::rxe
