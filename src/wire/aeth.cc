// AETH syndromes; see aeth.h.
#include "wire/aeth.h"

#include <array>

namespace rocelab::wire {

namespace {

// In units of 10 us. Code 0 is the longest wait, not the shortest.
constexpr std::array<std::int32_t, 32> kRnrTimer10us = {
    65'536, 1,   2,   3,   4,     6,     8,     12,    16,    24,    32,    48,     64,     96,     128,    192,
    256,    384, 512, 768, 1'024, 1'536, 2'048, 3'072, 4'096, 6'144, 8'192, 12'288, 16'384, 24'576, 32'768, 49'152};

}  // namespace

base::Duration rnr_timer(std::uint8_t code) { return base::Duration::us(10) * kRnrTimer10us[code & 0x1f]; }

}  // namespace rocelab::wire
