// Messages with random values in every field, as wide as the field is; the same for the same stream.
#pragma once

#include <cstdint>

#include "base/rng.h"
#include "cm/messages.h"

namespace rocelab::test {

inline constexpr std::size_t kMessageKinds = std::variant_size_v<cm::Message>;

/// `kind`: index in cm::Message.
cm::Message random_message(base::Rng& rng, std::size_t kind);

}  // namespace rocelab::test
