// ECN marking by queue length as switches do it for DCQCN: never up to Kmin, always above Kmax, in between with a
// probability that grows linearly to Pmax (RED on the instantaneous length). Integers only; chance is handed in.
#pragma once

#include <cstdint>

namespace rocelab::qos {

struct RedOptions {
  std::uint32_t kmin_bytes = 0;
  std::uint32_t kmax_bytes = 0;        ///< at least kmin_bytes
  std::uint32_t pmax_ppm = 1'000'000;  ///< probability at kmax_bytes, in millionths; at most 10^6
};

class RedMarker {
 public:
  /// Marks nothing.
  RedMarker() = default;
  explicit RedMarker(const RedOptions& options);

  /// `draw()` gives 64 random bits; asked only between the thresholds.
  template <class Draw>
  bool mark(std::uint32_t queue_bytes, Draw draw) const {
    if (queue_bytes <= kmin_bytes_) [[likely]]
      return false;
    if (queue_bytes > kmax_bytes_) return true;
    return (draw() >> 1) < std::uint64_t{queue_bytes - kmin_bytes_} * slope_;
  }

  std::uint32_t kmin_bytes() const { return kmin_bytes_; }
  std::uint32_t kmax_bytes() const { return kmax_bytes_; }
  friend bool operator==(const RedMarker&, const RedMarker&) = default;

 private:
  std::uint32_t kmin_bytes_ = ~0u;
  std::uint32_t kmax_bytes_ = ~0u;
  std::uint64_t slope_ = 0;  ///< probability per byte above kmin, in units of 2^-63
};

}  // namespace rocelab::qos
