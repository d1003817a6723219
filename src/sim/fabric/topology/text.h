// Reading of line-oriented text files, shared by the importers: words with their line numbers, numbers checked to the
// last character, and messages of one form: "FILE:LINE: key `KEY`: what is wrong".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace rocelab::sim {

inline constexpr std::size_t kWordShownMax = 40;  ///< of a wrong word in a message

/// Splits text into lines of words. Lines that are empty or begin with '#' are skipped.
class LineReader {
 public:
  LineReader(std::string_view text, std::string_view file) : rest_(text), file_(file) {}

  /// False at the end of the text. The words point into it.
  bool next(std::vector<std::string_view>& words);
  /// Number of the line that next() gave, from 1; at the end, of the last line.
  std::uint32_t line() const { return line_; }

  tl::unexpected<std::string> fail(std::string_view key, std::string_view what) const {
    return fail_at(line_, key, what);
  }
  tl::unexpected<std::string> fail_at(std::uint32_t line, std::string_view key, std::string_view what) const;

 private:
  std::string_view rest_;
  std::string_view file_;
  std::uint32_t line_ = 0;
};

/// The same text word by word, whatever the lines.
class WordReader {
 public:
  WordReader(std::string_view text, std::string_view file) : lines_(text, file) {}

  /// The next word, or nothing at the end.
  std::optional<std::string_view> next();
  /// The next word as a number within [0, most]; otherwise a message that blames `key`.
  base::TextResult<std::uint64_t> number(std::string_view key, std::uint64_t most);
  tl::unexpected<std::string> fail(std::string_view key, std::string_view what) const { return lines_.fail(key, what); }

 private:
  LineReader lines_;
  std::vector<std::string_view> words_;
  std::size_t used_ = 0;
};

/// The word in quotes, shortened and without unprintable characters.
std::string shown(std::string_view word);

/// Digits only.
std::optional<std::uint64_t> parse_number(std::string_view text);
/// "0.001" or "1e-6", times 10^`scale`, rounded to a whole number; nothing when it is no number, negative or too large.
std::optional<std::uint64_t> parse_decimal(std::string_view text, int scale);
/// "100Gbps", "2.5Mb/s", "1000000bps", "12GB/s": bits per second.
std::optional<std::uint64_t> parse_rate(std::string_view text);
/// "1000ns", "0.001ms", "1us", "1s", "500ps".
std::optional<base::Duration> parse_duration(std::string_view text);

}  // namespace rocelab::sim
