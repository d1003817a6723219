// Words, numbers and messages of the importers; see text.h.
#include "sim/fabric/topology/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace rocelab::sim {

namespace {

constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr int kExponentMax = 40;

struct Unit {
  std::string_view name;
  int scale;             ///< power of ten
  std::uint64_t factor;  ///< and times this
};

// DataRate of ns-3 knows these and the binary ones, which nobody writes for links.
constexpr std::array kRateUnits = {
    Unit{"bps", 0, 1},  Unit{"b/s", 0, 1},  Unit{"kbps", 3, 1}, Unit{"kb/s", 3, 1}, Unit{"Kbps", 3, 1},
    Unit{"Mbps", 6, 1}, Unit{"Mb/s", 6, 1}, Unit{"Gbps", 9, 1}, Unit{"Gb/s", 9, 1}, Unit{"Tbps", 12, 1},
    Unit{"Bps", 0, 8},  Unit{"B/s", 0, 8},  Unit{"kBps", 3, 8}, Unit{"kB/s", 3, 8}, Unit{"MBps", 6, 8},
    Unit{"MB/s", 6, 8}, Unit{"GBps", 9, 8}, Unit{"GB/s", 9, 8},
};
constexpr std::array kTimeUnits = {Unit{"ps", 0, 1}, Unit{"ns", 3, 1}, Unit{"us", 6, 1}, Unit{"ms", 9, 1},
                                   Unit{"s", 12, 1}};

template <std::size_t N>
std::optional<std::uint64_t> parse_quantity(std::string_view text, const std::array<Unit, N>& units) {
  std::size_t digits = 0;
  while (digits < text.size() && (is_digit(text[digits]) || text[digits] == '.')) ++digits;
  const std::string_view name = text.substr(digits);
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
  if (unit == units.end()) return std::nullopt;
  const auto value = parse_decimal(text.substr(0, digits), unit->scale);
  if (!value || *value > std::numeric_limits<std::uint64_t>::max() / unit->factor) return std::nullopt;
  return *value * unit->factor;
}

}  // namespace

bool LineReader::next(std::vector<std::string_view>& words) {
  words.clear();
  while (!rest_.empty()) {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++line_;
    while (!line.empty()) {
      const auto begin = std::find_if_not(line.begin(), line.end(), is_space);
      const auto stop = std::find_if(begin, line.end(), is_space);
      if (begin != stop) words.emplace_back(&*begin, static_cast<std::size_t>(stop - begin));
      line.remove_prefix(static_cast<std::size_t>(stop - line.begin()));
    }
    if (!words.empty() && words.front().front() != '#') return true;
    words.clear();
  }
  return false;
}

tl::unexpected<std::string> LineReader::fail_at(std::uint32_t line, std::string_view key, std::string_view what) const {
  return base::fail_text(fmt::format("{}:{}: key `{}`: {}", file_, line, key, what));
}

std::optional<std::string_view> WordReader::next() {
  if (used_ == words_.size()) {
    used_ = 0;
    if (!lines_.next(words_)) return std::nullopt;
  }
  return words_[used_++];
}

base::TextResult<std::uint64_t> WordReader::number(std::string_view key, std::uint64_t most) {
  const auto word = next();
  if (!word) return fail(key, "missing: the file ends here");
  const auto value = parse_number(*word);
  if (!value || *value > most) return fail(key, fmt::format("{}: expected a number from 0 to {}", shown(*word), most));
  return *value;
}

std::string shown(std::string_view word) {
  std::string text(word.substr(0, kWordShownMax));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return fmt::format("\"{}{}\"", text, word.size() > kWordShownMax ? "..." : "");
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text, int scale) {
  // Exact: digits and a power of ten; a double would round what is written to the last digit.
  unsigned __int128 value = 0;
  int exponent = scale;
  bool any = false;
  bool fraction = false;
  std::size_t i = 0;
  for (; i < text.size() && (is_digit(text[i]) || text[i] == '.'); ++i) {
    if (text[i] == '.') {
      if (fraction) return std::nullopt;
      fraction = true;
      continue;
    }
    any = true;
    if (value > std::numeric_limits<std::uint64_t>::max()) {  // digits beyond what counts
      if (!fraction) return std::nullopt;
      continue;
    }
    value = value * 10 + static_cast<unsigned>(text[i] - '0');
    if (fraction) --exponent;
  }
  if (!any) return std::nullopt;
  if (i < text.size()) {
    if (text[i] != 'e' && text[i] != 'E') return std::nullopt;
    ++i;
    if (i < text.size() && text[i] == '+') ++i;
    int written = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + text.size(), written);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if (written < -kExponentMax || written > kExponentMax) return std::nullopt;
    exponent += written;
  }
  for (; exponent > 0 && value != 0; --exponent) {
    value *= 10;
    if (value > std::numeric_limits<std::uint64_t>::max()) return std::nullopt;
  }
  unsigned last = 0;
  for (; exponent < 0 && (value != 0 || last != 0); ++exponent) {
    last = static_cast<unsigned>(value % 10);
    value /= 10;
  }
  value += last >= 5 ? 1 : 0;
  if (value > std::numeric_limits<std::uint64_t>::max()) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

std::optional<std::uint64_t> parse_rate(std::string_view text) { return parse_quantity(text, kRateUnits); }

std::optional<base::Duration> parse_duration(std::string_view text) {
  const auto ps = parse_quantity(text, kTimeUnits);
  if (!ps || *ps > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return base::Duration::ps(static_cast<std::int64_t>(*ps));
}

}  // namespace rocelab::sim
