// See quantities.h.
#include "sim/workload/quantities.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <span>

namespace rocelab::sim {

namespace {

__extension__ using Wide = unsigned __int128;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 5> kTimes = {
    {{"ps", 1}, {"ns", 1'000}, {"us", 1'000'000}, {"ms", 1'000'000'000}, {"s", 1'000'000'000'000}}};
constexpr std::array<Unit, 10> kBytes = {{{"B", 1},
                                          {"", 1},
                                          {"kB", 1'000},
                                          {"KB", 1'000},
                                          {"MB", 1'000'000},
                                          {"GB", 1'000'000'000},
                                          {"TB", 1'000'000'000'000},
                                          {"KiB", 1u << 10},
                                          {"MiB", 1u << 20},
                                          {"GiB", 1u << 30}}};
constexpr std::array<Unit, 10> kRates = {{{"b/s", 1},
                                          {"bps", 1},
                                          {"kb/s", 1'000},
                                          {"kbps", 1'000},
                                          {"Mb/s", 1'000'000},
                                          {"Mbps", 1'000'000},
                                          {"Gb/s", 1'000'000'000},
                                          {"Gbps", 1'000'000'000},
                                          {"Tb/s", 1'000'000'000'000},
                                          {"Tbps", 1'000'000'000'000}}};

constexpr unsigned kDecimalsMax = 18;

/// A decimal number: digits / 10^decimals; `rest` is what follows it.
struct Decimal {
  std::uint64_t digits = 0;
  unsigned decimals = 0;
  std::string_view rest;
};

base::TextResult<Decimal> take_decimal(std::string_view text) {
  Decimal out;
  bool any = false, point = false;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c == '_' && any) continue;
    if (c < '0' || c > '9') break;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (out.digits > (std::numeric_limits<std::uint64_t>::max() - digit) / 10 ||
        (point && out.decimals == kDecimalsMax)) {
      return base::fail_text(fmt::format("`{}` has too many digits", text));
    }
    out.digits = out.digits * 10 + digit;
    out.decimals += point ? 1u : 0u;
    any = true;
  }
  if (!any) return base::fail_text(fmt::format("`{}` does not begin with a number", text));
  while (i < text.size() && text[i] == ' ') ++i;
  out.rest = text.substr(i);
  while (out.decimals > 0 && out.digits % 10 == 0) {
    out.digits /= 10;
    --out.decimals;
  }
  return out;
}

base::TextResult<std::uint64_t> scaled(const Decimal& number, std::uint64_t factor, std::string_view text,
                                       std::string_view base_unit) {
  std::uint64_t divisor = 1;
  for (unsigned i = 0; i < number.decimals; ++i) divisor *= 10;
  const Wide product = Wide{number.digits} * factor;
  if (product % divisor != 0) return base::fail_text(fmt::format("`{}` is not a whole number of {}", text, base_unit));
  const Wide value = product / divisor;
  if (value > std::numeric_limits<std::int64_t>::max()) return base::fail_text(fmt::format("`{}` is too large", text));
  return static_cast<std::uint64_t>(value);
}

base::TextResult<std::uint64_t> parse(std::string_view text, std::span<const Unit> units, std::string_view base_unit,
                                      std::string_view example) {
  const auto number = take_decimal(text);
  if (!number) return base::fail_text(fmt::format("{}; write it like \"{}\"", number.error(), example));
  for (const Unit& unit : units) {
    if (unit.name == number->rest) return scaled(*number, unit.factor, text, base_unit);
  }
  if (number->rest.empty())
    return base::fail_text(fmt::format("`{}` has no unit; write it like \"{}\"", text, example));
  return base::fail_text(
      fmt::format("`{}` has an unknown unit `{}`; write it like \"{}\"", text, number->rest, example));
}

}  // namespace

base::TextResult<std::uint64_t> parse_time_ps(std::string_view text) {
  return parse(text, kTimes, "picoseconds", "1.5us");
}

base::TextResult<std::uint64_t> parse_bytes(std::string_view text) { return parse(text, kBytes, "bytes", "32MB"); }

base::TextResult<std::uint64_t> parse_rate_bits_per_s(std::string_view text) {
  return parse(text, kRates, "bits per second", "100Gb/s");
}

base::TextResult<std::uint64_t> parse_decimal(std::string_view text, unsigned decimals) {
  const auto number = take_decimal(text);
  if (!number) return base::fail_text(number.error());
  if (!number->rest.empty()) return base::fail_text(fmt::format("`{}` is not a number", text));
  std::uint64_t factor = 1;
  for (unsigned i = 0; i < decimals; ++i) factor *= 10;
  return scaled(*number, factor, text, fmt::format("10^-{}", decimals));
}

}  // namespace rocelab::sim
