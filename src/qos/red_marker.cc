// The slope between the thresholds.
#include "qos/red_marker.h"

#include <algorithm>

namespace rocelab::qos {

RedMarker::RedMarker(const RedOptions& options)
    : kmin_bytes_(options.kmin_bytes), kmax_bytes_(std::max(options.kmax_bytes, options.kmin_bytes)) {
  const std::uint32_t span = kmax_bytes_ - kmin_bytes_;
  if (span == 0) return;
  const std::uint64_t pmax_ppm = std::min(options.pmax_ppm, 1'000'000u);
  const auto full = static_cast<unsigned __int128>(pmax_ppm) << 63;
  slope_ = static_cast<std::uint64_t>(full / 1'000'000 / span);
}

}  // namespace rocelab::qos
