// One table of a scenario while it is read. Each key is read by a call that names its type and range; what nobody read
// is an unknown key. The first mistake of all sections is kept in a shared Reading, and after it the calls do nothing,
// so that readers are straight-line code: "FILE:LINE: key `switch.alpha`: ...".
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/workload/scenario/tree.h"

namespace rocelab::sim {

/// What all sections of a document share: where its first mistake goes, and every parameter in force, defaults
/// included, as text.
class Reading {
 public:
  explicit Reading(std::string file) : file_(std::move(file)) {}
  void report(std::uint32_t line, std::string_view key, std::string_view what);
  void report_elsewhere(std::string_view what) {
    if (!any()) text_ = what;
  }
  bool any() const { return !text_.empty(); }
  const std::string& text() const { return text_; }
  const std::string& file() const { return file_; }
  void note(std::string key, std::string value) { settings_.emplace_back(std::move(key), std::move(value)); }
  const std::vector<std::pair<std::string, std::string>>& settings() const { return settings_; }

 private:
  std::string file_;
  std::string text_;
  std::vector<std::pair<std::string, std::string>> settings_;
};

/// What a number may be, in its base unit.
struct Range {
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::int64_t>::max();
};

class Section {
 public:
  /// `path` is what messages put before the key: "switch", "workload[0]"; empty for the document itself.
  Section(const TomlValue& table, std::string path, Reading& reading);

  bool has(std::string_view key) const { return table_->find(key) != nullptr; }
  std::uint32_t line() const { return table_->line; }
  std::uint32_t line_of(std::string_view key) const;

  // Each leaves `out` alone when the key is absent.
  void text(std::string_view key, std::string& out);
  void boolean(std::string_view key, bool& out);
  void time(std::string_view key, std::uint64_t& out_ps, Range range = {});
  void bytes(std::string_view key, std::uint64_t& out, Range range = {});
  void rate(std::string_view key, std::uint64_t& out_bits_per_s);  ///< never 0
  void number(std::string_view key, std::uint64_t& out, Range range = {});
  /// A decimal in units of 10^-decimals; `range` in those units.
  void decimal(std::string_view key, std::uint64_t& out, unsigned decimals, Range range = {});
  template <class T>
  void small(std::string_view key, T& out, Range range = {}) {
    std::uint64_t value = static_cast<std::uint64_t>(out);
    if (range.max > std::numeric_limits<T>::max()) range.max = std::numeric_limits<T>::max();
    number(key, value, range);
    out = static_cast<T>(value);
  }
  void texts(std::string_view key, std::vector<std::string>& out);
  void numbers(std::string_view key, std::vector<std::uint64_t>& out, Range range = {});
  /// One of the names; the index chosen, or none when the key is absent or wrong.
  std::optional<std::size_t> choice(std::string_view key, std::span<const std::string_view> names);
  template <class E, std::size_t N>
  void choose(std::string_view key, E& out, const std::pair<std::string_view, E> (&choices)[N]) {
    std::string_view names[N];
    for (std::size_t i = 0; i < N; ++i) names[i] = choices[i].first;
    if (const auto index = choice(key, names)) out = choices[*index].second;
    for (std::size_t i = 0; i < N; ++i) {
      if (choices[i].second == out) return note(key, names[i]);
    }
  }
  /// Sub-tables; a missing one is an empty one.
  Section section(std::string_view key);
  std::vector<Section> sections(std::string_view key);
  /// The value as it stands, counted as read.
  const TomlValue* raw(std::string_view key);

  void require(std::string_view key);  ///< reports when it is absent
  void fail(std::string_view key, std::string_view what);
  /// The mistake is in another file, which `what` names.
  void fail_elsewhere(std::string_view what) { reading_->report_elsewhere(what); }
  /// Something was wrong here or in another section.
  bool failed() const { return reading_->any(); }
  /// Adds to the parameters in force; the typed calls do that themselves.
  void note(std::string_view key, std::string_view value);
  /// To be called last: reports the first key that nobody read. `Section`s of sub-tables call it for themselves.
  void finish();

 private:
  std::string full(std::string_view key) const;
  const TomlValue* take(std::string_view key);
  void read_text(std::string_view key, std::string& out);
  void read_boolean(std::string_view key, bool& out);
  void read_number(std::string_view key, std::uint64_t& out, Range range);
  void read_decimal(std::string_view key, std::uint64_t& out, unsigned decimals, Range range);
  void read_texts(std::string_view key, std::vector<std::string>& out);
  void quantity(std::string_view key, std::uint64_t& out, Range range,
                base::TextResult<std::uint64_t> (*parse)(std::string_view), std::string_view example);

  const TomlValue* table_;
  std::string path_;
  Reading* reading_;
  std::vector<std::string_view> known_;
};

}  // namespace rocelab::sim
