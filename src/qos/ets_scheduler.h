// Which of eight queues sends next: strict priorities first (the highest number wins), the others by deficit weighted
// round robin, the way switches do enhanced transmission selection (ETS, IEEE 802.1Q, 37). Weights are shares of bytes.
// One EtsScheduler a port (40 bytes), one EtsConfig for many. Plain values; the caller says which queues are ready.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace rocelab::qos {

inline constexpr unsigned kClasses = 8;

struct EtsConfig {
  /// What the smallest weight may send per round; a frame larger than that waits for more rounds.
  static constexpr std::uint32_t kQuantumBytes = 2048;

  std::uint8_t strict = 0;                        ///< bit per class that goes before all that are not strict
  std::array<std::uint32_t, kClasses> quantum{};  ///< bytes per round, at least 1

  /// `weights`: 0 counts as 1.
  static EtsConfig make(std::uint8_t strict, const std::array<std::uint32_t, kClasses>& weights);
};

class EtsScheduler {
 public:
  /// The class to send from, of those with a bit in `ready` (not 0). `head_bytes(cls)` is the size of its first frame.
  /// The frame counts as sent.
  template <class HeadBytes>
  unsigned pick(const EtsConfig& config, std::uint8_t ready, HeadBytes head_bytes) {
    const unsigned strict = ready & config.strict;
    if (strict != 0) return highest(strict);
    if ((ready & (ready - 1)) == 0) {
      // Alone: what it sends is not held against it, and it owes nobody a turn.
      current_ = static_cast<std::uint8_t>(highest(ready));
      deficit_[current_] = 0;
      return current_;
    }
    for (;;) {
      if ((ready >> current_ & 1) != 0) {
        const std::uint32_t bytes = head_bytes(current_);
        if (deficit_[current_] >= bytes) {
          deficit_[current_] -= bytes;
          return current_;
        }
      }
      current_ = following(ready);
      deficit_[current_] += config.quantum[current_];
    }
  }

  /// The class has nothing more to send: what it has not used is lost.
  void on_empty(unsigned cls) { deficit_[cls] = 0; }
  std::uint32_t deficit(unsigned cls) const { return deficit_[cls]; }

 private:
  static unsigned highest(unsigned mask) { return static_cast<unsigned>(std::bit_width(mask)) - 1; }
  /// The next class with a bit in `ready` after the current one, round robin.
  std::uint8_t following(std::uint8_t ready) const {
    const unsigned above = ready & (0xfeu << current_);
    return static_cast<std::uint8_t>(std::countr_zero(above != 0 ? above : unsigned{ready}));
  }

  std::array<std::uint32_t, kClasses> deficit_{};
  std::uint8_t current_ = 0;
};

}  // namespace rocelab::qos
