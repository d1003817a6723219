// Bit errors as one draw a packet, and loss by script.
#include "sim/fabric/link_effects.h"

#include <utility>

namespace rocelab::sim {
namespace {

constexpr std::uint64_t kBitErrorUnit = 1'000'000'000'000'000'000;

/// a * b for fractions in units of 2^-64, where all ones stands for 1.
std::uint64_t multiply(std::uint64_t a, std::uint64_t b) {
  if (a == ~0ull) return b;
  if (b == ~0ull) return a;
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
}

}  // namespace

LinkEffects::LinkEffects(const LinkEffectsOptions& options, base::Rng rng) : options_(options), rng_(std::move(rng)) {
  for (const ScriptedLoss& loss : options.scripted) scripts_.push_back({loss, 0});
  set_bit_errors(options.bit_errors_per_1e18);
}

void LinkEffects::set_bit_errors(std::uint64_t per_1e18) {
  options_.bit_errors_per_1e18 = per_1e18 < kBitErrorUnit ? per_1e18 : kBitErrorUnit;
  known_bytes_ = 0;
  known_intact_ = ~0ull;
}

std::uint64_t LinkEffects::intact_probability(std::uint32_t bytes) const {
  // (1 - e)^bits by repeated squaring.
  const auto error = (static_cast<unsigned __int128>(options_.bit_errors_per_1e18) << 64) / kBitErrorUnit;
  std::uint64_t power =
      error == 0 ? ~0ull : static_cast<std::uint64_t>((static_cast<unsigned __int128>(1) << 64) - error);
  std::uint64_t result = ~0ull;
  for (std::uint64_t bits = std::uint64_t{bytes} * 8; bits != 0; bits >>= 1) {
    if ((bits & 1) != 0) result = multiply(result, power);
    power = multiply(power, power);
  }
  return result;
}

LinkEffects::Fate LinkEffects::decide(const Packet& packet) {
  Fate fate = Fate::kPasses;
  for (Script& script : scripts_) {
    const ScriptedLoss& loss = script.loss;
    if ((packet.flags & loss.flags) != loss.flags) continue;
    if (loss.source != kNoNode && loss.source != packet.source) continue;
    if (loss.destination != kNoNode && loss.destination != packet.destination) continue;
    ++script.matches;
    if (script.matches < loss.first || script.matches - loss.first >= loss.count) continue;
    if (!loss.corrupt) {
      fate = Fate::kLost;
    } else if (fate == Fate::kPasses) {
      fate = Fate::kCorrupted;
    }
  }
  if (fate == Fate::kLost) return fate;
  if (options_.loss_numerator != 0 && rng_.chance(options_.loss_numerator, options_.loss_denominator))
    return Fate::kLost;
  if (options_.bit_errors_per_1e18 != 0) {
    if (known_bytes_ != packet.frame_bytes()) {
      known_bytes_ = packet.frame_bytes();
      known_intact_ = intact_probability(known_bytes_);
    }
    if (rng_.next() > known_intact_) fate = Fate::kCorrupted;
  }
  return fate;
}

}  // namespace rocelab::sim
