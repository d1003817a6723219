// See section.h.
#include "sim/workload/scenario/section.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/workload/quantities.h"

namespace rocelab::sim {

namespace {

const TomlValue kEmptyTable;

/// Levenshtein distance, for "did you mean".
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> names) {
  std::string_view best;
  std::size_t least = 3;
  for (const std::string_view candidate : names) {
    const std::size_t d = distance(name, candidate);
    if (d < least && d < candidate.size()) {
      least = d;
      best = candidate;
    }
  }
  return best;
}

}  // namespace

void Reading::report(std::uint32_t line, std::string_view key, std::string_view what) {
  if (any()) return;
  const std::string where = line == 0 ? std::string("--set") : fmt::format("{}:{}", file_, line);
  text_ = key.empty() ? fmt::format("{}: {}", where, what) : fmt::format("{}: key `{}`: {}", where, key, what);
}

Section::Section(const TomlValue& table, std::string path, Reading& reading)
    : table_(&table), path_(std::move(path)), reading_(&reading) {}

std::string Section::full(std::string_view key) const {
  return path_.empty() ? std::string(key) : key.empty() ? path_ : fmt::format("{}.{}", path_, key);
}

std::uint32_t Section::line_of(std::string_view key) const {
  const TomlValue* value = table_->find(key);
  return value != nullptr ? value->line : table_->line;
}

const TomlValue* Section::take(std::string_view key) {
  known_.push_back(key);
  return reading_->any() ? nullptr : table_->find(key);
}

const TomlValue* Section::raw(std::string_view key) { return take(key); }

void Section::fail(std::string_view key, std::string_view what) { reading_->report(line_of(key), full(key), what); }

void Section::require(std::string_view key) {
  if (!has(key)) reading_->report(table_->line == 0 ? 1 : table_->line, full(key), "is missing");
}

void Section::read_text(std::string_view key, std::string& out) {
  const TomlValue* value = take(key);
  if (value == nullptr) return;
  if (value->kind != TomlValue::Kind::kText) return fail(key, "must be a text in quotes");
  out = value->text;
}

void Section::read_boolean(std::string_view key, bool& out) {
  const TomlValue* value = take(key);
  if (value == nullptr) return;
  if (value->kind != TomlValue::Kind::kBoolean) return fail(key, "must be true or false");
  out = value->boolean;
}

void Section::note(std::string_view key, std::string_view value) { reading_->note(full(key), std::string(value)); }

void Section::text(std::string_view key, std::string& out) {
  read_text(key, out);
  note(key, out);
}

void Section::boolean(std::string_view key, bool& out) {
  read_boolean(key, out);
  note(key, out ? "true" : "false");
}

void Section::number(std::string_view key, std::uint64_t& out, Range range) {
  read_number(key, out, range);
  note(key, fmt::format("{}", out));
}

void Section::decimal(std::string_view key, std::uint64_t& out, unsigned decimals, Range range) {
  read_decimal(key, out, decimals, range);
  std::uint64_t unit = 1;
  for (unsigned i = 0; i < decimals; ++i) unit *= 10;
  std::string value = fmt::format("{}.{:0{}}", out / unit, out % unit, decimals);
  value.erase(value.find_last_not_of('0') + 1);
  if (value.back() == '.') value.pop_back();
  note(key, value);
}

void Section::texts(std::string_view key, std::vector<std::string>& out) {
  read_texts(key, out);
  note(key, fmt::format("{}", fmt::join(out, ",")));
}

void Section::quantity(std::string_view key, std::uint64_t& out, Range range,
                       base::TextResult<std::uint64_t> (*parse)(std::string_view), std::string_view example) {
  const TomlValue* value = take(key);
  if (value == nullptr) return;
  const bool plain = value->kind == TomlValue::Kind::kInteger && parse == &parse_bytes;
  if (value->kind != TomlValue::Kind::kText && !plain) {
    return fail(key, fmt::format("must be a text with a unit, like \"{}\"", example));
  }
  const auto parsed = parse(value->text);
  if (!parsed) return fail(key, parsed.error());
  if (*parsed == 0 && range.min == 1) return fail(key, "must not be zero");
  if (*parsed < range.min || *parsed > range.max) {
    return fail(key,
                fmt::format("`{}` is out of range ({} to {} in the base unit)", value->text, range.min, range.max));
  }
  out = *parsed;
}

void Section::time(std::string_view key, std::uint64_t& out_ps, Range range) {
  quantity(key, out_ps, range, &parse_time_ps, "1.5us");
  note(key, fmt::format("{}ps", out_ps));
}

void Section::bytes(std::string_view key, std::uint64_t& out, Range range) {
  quantity(key, out, range, &parse_bytes, "32MB");
  note(key, fmt::format("{}B", out));
}

void Section::rate(std::string_view key, std::uint64_t& out_bits_per_s) {
  quantity(key, out_bits_per_s, {1, 100'000'000'000'000}, &parse_rate_bits_per_s, "100Gb/s");
  note(key, fmt::format("{}b/s", out_bits_per_s));
}

void Section::read_number(std::string_view key, std::uint64_t& out, Range range) {
  const TomlValue* value = take(key);
  if (value == nullptr) return;
  if (value->kind != TomlValue::Kind::kInteger) return fail(key, "must be a whole number");
  if (value->integer < 0 || static_cast<std::uint64_t>(value->integer) < range.min ||
      static_cast<std::uint64_t>(value->integer) > range.max) {
    return fail(key, fmt::format("{} is out of range ({} to {})", value->integer, range.min, range.max));
  }
  out = static_cast<std::uint64_t>(value->integer);
}

void Section::read_decimal(std::string_view key, std::uint64_t& out, unsigned decimals, Range range) {
  const TomlValue* value = take(key);
  if (value == nullptr) return;
  if (value->kind != TomlValue::Kind::kInteger && value->kind != TomlValue::Kind::kFloat) {
    return fail(key, "must be a number");
  }
  const auto parsed = parse_decimal(value->text, decimals);
  if (!parsed) return fail(key, parsed.error());
  if (*parsed < range.min || *parsed > range.max) {
    double unit = 1;
    for (unsigned i = 0; i < decimals; ++i) unit *= 10;
    return fail(key, fmt::format("{} is out of range ({} to {})", value->text, static_cast<double>(range.min) / unit,
                                 static_cast<double>(range.max) / unit));
  }
  out = *parsed;
}

void Section::read_texts(std::string_view key, std::vector<std::string>& out) {
  const TomlValue* value = take(key);
  if (value == nullptr) return;
  if (value->kind == TomlValue::Kind::kText) {
    out = {value->text};
    return;
  }
  if (value->kind != TomlValue::Kind::kArray) return fail(key, "must be a list of texts");
  out.clear();
  for (const TomlValue& element : value->elements) {
    if (element.kind != TomlValue::Kind::kText) return fail(key, "must be a list of texts");
    out.push_back(element.text);
  }
}

void Section::numbers(std::string_view key, std::vector<std::uint64_t>& out, Range range) {
  const TomlValue* value = take(key);
  if (value != nullptr && value->kind != TomlValue::Kind::kArray) return fail(key, "must be a list of whole numbers");
  if (value != nullptr) {
    out.clear();
    for (const TomlValue& element : value->elements) {
      if (element.kind != TomlValue::Kind::kInteger) return fail(key, "must be a list of whole numbers");
      if (element.integer < 0 || static_cast<std::uint64_t>(element.integer) < range.min ||
          static_cast<std::uint64_t>(element.integer) > range.max) {
        return fail(key, fmt::format("{} is out of range ({} to {})", element.integer, range.min, range.max));
      }
      out.push_back(static_cast<std::uint64_t>(element.integer));
    }
  }
  note(key, fmt::format("{}", fmt::join(out, ",")));
}

std::optional<std::size_t> Section::choice(std::string_view key, std::span<const std::string_view> names) {
  const TomlValue* value = take(key);
  if (value == nullptr) return std::nullopt;
  if (value->kind == TomlValue::Kind::kText) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == value->text) return i;
    }
  }
  fail(key, fmt::format("`{}` is not one of {}", value->text, fmt::join(names, ", ")));
  return std::nullopt;
}

Section Section::section(std::string_view key) {
  const TomlValue* value = take(key);
  if (value != nullptr && value->kind != TomlValue::Kind::kTable) {
    fail(key, "must be a table");
    value = nullptr;
  }
  return Section(value != nullptr ? *value : kEmptyTable, full(key), *reading_);
}

std::vector<Section> Section::sections(std::string_view key) {
  const TomlValue* value = take(key);
  std::vector<Section> out;
  if (value == nullptr) return out;
  if (value->kind == TomlValue::Kind::kTable) {
    fail(key, fmt::format("must be a list of tables: write [[{}]]", full(key)));
    return out;
  }
  if (value->kind != TomlValue::Kind::kArray) {
    fail(key, "must be a list of tables");
    return out;
  }
  for (std::size_t i = 0; i < value->elements.size(); ++i) {
    if (value->elements[i].kind != TomlValue::Kind::kTable) {
      fail(key, "must be a list of tables");
      return out;
    }
    out.emplace_back(value->elements[i], fmt::format("{}[{}]", full(key), i), *reading_);
  }
  return out;
}

void Section::finish() {
  if (reading_->any()) return;
  for (const auto& [name, value] : table_->entries) {
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    const std::string_view near = nearest(name, known_);
    return reading_->report(
        value.line, full(name),
        near.empty() ? std::string("is unknown here") : fmt::format("is unknown here; did you mean `{}`?", near));
  }
}

}  // namespace rocelab::sim
