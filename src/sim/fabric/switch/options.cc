// Checks the options of a switch and works out what follows from them.
#include "sim/fabric/switch/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "qos/pfc_headroom.h"
#include "sim/fabric/port.h"

namespace rocelab::sim {
namespace {

base::TextResult<void> check(const SwitchOptions& options) {
  if (options.buffer_bytes == 0) return base::fail_text("buffer_bytes: a switch without a buffer passes nothing on");
  if (options.buffer_bytes > 0xffff'ffff) return base::fail_text("buffer_bytes: more than 4 GiB - 1");
  if (options.pfc_alpha == 0) return base::fail_text("pfc_alpha: 0 would pause every sender for ever");
  if (options.egress_alpha == 0) return base::fail_text("egress_alpha: 0 would drop everything");
  if (options.pause_quanta == 0) return base::fail_text("pause_quanta: 0 resumes instead of pausing");
  if (options.buffer_model == BufferModel::kEgressLimit && options.egress_limit_bytes == 0) {
    return base::fail_text("egress_limit_bytes: the buffer model egress_limit needs one");
  }
  for (unsigned i = 0; i < kPriorities; ++i) {
    const ClassOptions& cls = options.classes[i];
    if (!cls.strict && cls.weight == 0) return base::fail_text(fmt::format("classes[{}].weight: 0", i));
    if (cls.weight > 1'000'000) return base::fail_text(fmt::format("classes[{}].weight: more than 1,000,000", i));
    if (cls.kind == ClassKind::kLossless && options.buffer_model == BufferModel::kEgressLimit) {
      return base::fail_text(fmt::format("classes[{}].kind: lossless needs the shared buffer model", i));
    }
  }
  for (const EcnOptions& ecn : options.ecn) {
    if (ecn.rate_bps == 0) return base::fail_text("ecn.rate_bps: 0");
    if (ecn.red.kmax_bytes < ecn.red.kmin_bytes) return base::fail_text("ecn.kmax_bytes: less than kmin_bytes");
    if (ecn.red.pmax_ppm > 1'000'000) return base::fail_text("ecn.pmax: more than 1");
  }
  if (options.trimming && options.trim_priority >= kPriorities) return base::fail_text("trim_priority: more than 7");
  if (options.sample_interval < base::Duration()) return base::fail_text("sample_interval: negative");
  return {};
}

std::uint32_t scaled(std::uint32_t bytes, std::uint64_t rate_bps, std::uint64_t from_bps) {
  const auto product = static_cast<unsigned __int128>(bytes) * rate_bps / from_bps;
  return product > 0xffff'fffe ? 0xffff'fffe : static_cast<std::uint32_t>(product);
}

}  // namespace

base::TextResult<SwitchProfile> SwitchProfile::make(const SwitchOptions& options) {
  if (base::TextResult<void> checked = check(options); !checked) return base::fail_text(checked.error());
  SwitchProfile profile;
  profile.options = options;
  std::uint8_t strict = 0;
  std::array<std::uint32_t, kPriorities> weights{};
  for (unsigned i = 0; i < kPriorities; ++i) {
    const ClassOptions& cls = options.classes[i];
    const auto bit = static_cast<std::uint8_t>(1u << i);
    weights[i] = cls.weight;
    if (cls.strict) strict |= bit;
    if (cls.kind == ClassKind::kLossless) profile.lossless |= bit;
    if (cls.kind == ClassKind::kLossy) profile.lossy |= bit;
    if (cls.ecn && !options.ecn.empty()) profile.ecn |= bit;
  }
  if (options.buffer_model == BufferModel::kSharedDynamic) profile.limited = profile.lossless | profile.lossy;
  profile.ets = qos::EtsConfig::make(strict, weights);
  return profile;
}

qos::RedMarker SwitchProfile::marker(std::uint64_t rate_bps) const {
  if (options.ecn.empty()) return {};
  for (const EcnOptions& entry : options.ecn) {
    if (entry.rate_bps == rate_bps) return qos::RedMarker(entry.red);
  }
  const EcnOptions& first = options.ecn.front();
  qos::RedOptions red = first.red;
  red.kmin_bytes = scaled(red.kmin_bytes, rate_bps, first.rate_bps);
  red.kmax_bytes = scaled(red.kmax_bytes, rate_bps, first.rate_bps);
  return qos::RedMarker(red);
}

std::uint32_t SwitchProfile::headroom(std::uint64_t rate_bps, base::Duration delay) const {
  qos::PfcHeadroomInput input;
  input.rate_bps = rate_bps;
  input.delay_ps = static_cast<std::uint64_t>(delay.count_ps());
  input.frame_bytes_max = options.frame_bytes_max;
  input.pause_bytes = kPauseFrameBytes;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(qos::pfc_headroom_bytes(input), 0xffff'ffff));
}

}  // namespace rocelab::sim
