// Quanta from weights.
#include "qos/ets_scheduler.h"

#include <algorithm>

namespace rocelab::qos {

EtsConfig EtsConfig::make(std::uint8_t strict, const std::array<std::uint32_t, kClasses>& weights) {
  EtsConfig config;
  config.strict = strict;
  std::uint32_t smallest = ~0u;
  for (unsigned i = 0; i < kClasses; ++i) {
    if ((strict >> i & 1) == 0) smallest = std::min(smallest, std::max(weights[i], 1u));
  }
  for (unsigned i = 0; i < kClasses; ++i) {
    const std::uint64_t weight = std::max(weights[i], 1u);
    const std::uint64_t quantum = weight * kQuantumBytes / smallest;
    config.quantum[i] = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(quantum, 1, 1u << 30));
  }
  return config;
}

}  // namespace rocelab::qos
