// Round-trip times from the times at which packets left: of up to 64 packets in flight at once, whose answers name
// their PSN. A packet that was sent twice gives no sample (Karn's rule). Held by the strategies that go by delay.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "rxe/congestion/congestion.h"

namespace rocelab::rxe {

class RttSamples {
 public:
  void sent(TimePoint now, const SentInfo& info) {
    if (samples_ == nullptr) samples_ = std::make_unique<Samples>();
    Sample& sample = (*samples_)[info.psn % kCount];
    if (info.repeated) {
      if (sample.psn == info.psn) sample.psn = kNone;
      return;
    }
    // The sample of a packet that is still on its way is worth more than the start of another one.
    if (sample.psn != kNone && sample.psn >= answered_) return;
    sample = {info.psn, now};
  }
  /// The round trip of the packet that this answers, when it is known.
  std::optional<Duration> answered(TimePoint now, const AckInfo& info) {
    if (info.psn >= answered_) answered_ = info.psn + 1;
    if (samples_ == nullptr) return std::nullopt;
    Sample& sample = (*samples_)[info.psn % kCount];
    if (sample.psn != info.psn) return std::nullopt;
    sample.psn = kNone;
    return now - sample.at;
  }
  /// Everything is sent again.
  void forget() {
    if (samples_ != nullptr) samples_->fill({});
  }

 private:
  static constexpr std::size_t kCount = 64;
  static constexpr std::uint64_t kNone = ~0ull;
  struct Sample {
    std::uint64_t psn = kNone;
    TimePoint at;
  };
  using Samples = std::array<Sample, kCount>;
  std::unique_ptr<Samples> samples_;  ///< from the first packet on
  std::uint64_t answered_ = 0;        ///< one past the highest PSN that has been answered
};

}  // namespace rocelab::rxe
