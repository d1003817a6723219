// Quantities are exact, or refused with a sentence.
#include "sim/workload/quantities.h"

#include "tests/support/catch.h"

namespace rocelab::sim {

TEST_CASE("quantities: numbers with units become integers of the base unit", "[sim][workload]") {
  CHECK(parse_time_ps("1.5us").value() == 1'500'000);
  CHECK(parse_time_ps("2 s").value() == 2'000'000'000'000);
  CHECK(parse_time_ps("0ns").value() == 0);
  CHECK(parse_bytes("32MB").value() == 32'000'000);
  CHECK(parse_bytes("4KiB").value() == 4096);
  CHECK(parse_bytes("1_000").value() == 1000);
  CHECK(parse_rate_bits_per_s("100Gb/s").value() == 100'000'000'000);
  CHECK(parse_rate_bits_per_s("2.5Gbps").value() == 2'500'000'000);
  CHECK(parse_decimal("2.000000577", 12).value() == 2'000'000'577'000);
}

TEST_CASE("quantities: what is no whole number of the base unit, or no number, is refused", "[sim][workload]") {
  CHECK(parse_time_ps("0.1ps").error() == "`0.1ps` is not a whole number of picoseconds");
  CHECK(parse_time_ps("5").error() == "`5` has no unit; write it like \"1.5us\"");
  CHECK(parse_time_ps("5 parsec").error() == "`5 parsec` has an unknown unit `parsec`; write it like \"1.5us\"");
  CHECK_FALSE(parse_time_ps(""));
  CHECK_FALSE(parse_time_ps("-1us"));
  CHECK_FALSE(parse_time_ps("99999999999999999999s"));
  CHECK_FALSE(parse_time_ps("9999999999s"));
  CHECK_FALSE(parse_bytes("1.5"));
  CHECK_FALSE(parse_decimal("1.2.3", 6));
  CHECK_FALSE(parse_decimal("1e5", 6));
}

}  // namespace rocelab::sim
