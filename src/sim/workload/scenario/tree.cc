// See tree.h. The only file of the simulator that knows toml++ besides the topology reader.
#include "sim/workload/scenario/tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/toml.h"

namespace rocelab::sim {

namespace {

/// The shortest decimal that gives the number back, without an exponent: 1e-12 is "0.000000000001".
std::string decimal_text(double number) {
  std::string text = fmt::format("{}", number);
  const std::size_t e = text.find('e');
  if (e == std::string::npos) return text;  // "inf" and "nan" too: no number to those who read it
  int exponent = 0;
  const char* first = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(first, text.data() + text.size(), exponent);
  const bool negative = text[0] == '-';
  std::string digits = text.substr(negative ? 1 : 0, e - (negative ? 1 : 0));
  std::size_t point = digits.find('.');
  if (point == std::string::npos) {
    point = digits.size();
  } else {
    digits.erase(point, 1);
  }
  const int place = static_cast<int>(point) + exponent;  // of the point among the digits
  if (place <= 0) {
    digits.insert(0, static_cast<std::size_t>(-place), '0');
    digits.insert(0, "0.");
  } else if (static_cast<std::size_t>(place) >= digits.size()) {
    digits.append(static_cast<std::size_t>(place) - digits.size(), '0');
  } else {
    digits.insert(static_cast<std::size_t>(place), 1, '.');
  }
  return negative ? "-" + digits : digits;
}

TomlValue convert(const toml::node& node) {
  TomlValue out;
  out.line = node.source().begin.line;
  if (const toml::table* table = node.as_table()) {
    out.kind = TomlValue::Kind::kTable;
    for (const auto& [key, value] : *table) out.entries.push_back({std::string(key.str()), convert(value)});
    std::stable_sort(out.entries.begin(), out.entries.end(),
                     [](const auto& a, const auto& b) { return a.value.line < b.value.line; });
  } else if (const toml::array* array = node.as_array()) {
    out.kind = TomlValue::Kind::kArray;
    for (const toml::node& value : *array) out.elements.push_back(convert(value));
    // An array of tables has no position of its own.
    if (out.line == 0 && !out.elements.empty()) out.line = out.elements.front().line;
  } else if (const auto* text = node.as_string()) {
    out.kind = TomlValue::Kind::kText;
    out.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    out.kind = TomlValue::Kind::kInteger;
    out.integer = integer->get();
    out.text = fmt::format("{}", out.integer);
  } else if (const auto* number = node.as_floating_point()) {
    out.kind = TomlValue::Kind::kFloat;
    out.number = number->get();
    out.text = decimal_text(out.number);
  } else if (const auto* boolean = node.as_boolean()) {
    out.kind = TomlValue::Kind::kBoolean;
    out.boolean = boolean->get();
    out.text = out.boolean ? "true" : "false";
  } else {
    out.kind = TomlValue::Kind::kOther;
    out.text = "a date or time";
  }
  return out;
}

void forget_lines(TomlValue& value) {
  value.line = 0;
  for (TomlValue& element : value.elements) forget_lines(element);
  for (TomlEntry& entry : value.entries) forget_lines(entry.value);
}

TomlValue value_of(std::string_view text) {
  const std::string line = fmt::format("value = {}\n", text);
  const toml::parse_result parsed = toml::parse(base::line_beyond_toml(line) ? std::string_view() : line);
  if (parsed && parsed.table().size() == 1) {
    TomlValue value = convert(*parsed.table().get("value"));
    forget_lines(value);
    return value;
  }
  TomlValue value;
  value.kind = TomlValue::Kind::kText;
  value.text = text;
  return value;
}

}  // namespace

const TomlValue* TomlValue::find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

TomlValue* TomlValue::find(std::string_view key) {
  return const_cast<TomlValue*>(static_cast<const TomlValue*>(this)->find(key));
}

base::TextResult<TomlValue> parse_toml(std::string_view text, const std::string& file) {
  if (const auto line = base::line_beyond_toml(text)) {
    return base::fail_text(fmt::format("{}:{}: {}", file, *line, base::kBeyondToml));
  }
  const toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return base::fail_text(fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
  }
  return convert(parsed.table());
}

base::TextResult<void> set_value(TomlValue& root, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return base::fail_text(fmt::format("--set {}: not of the form key=value", assignment));
  }
  std::string_view path = assignment.substr(0, equals);
  TomlValue* at = &root;
  while (true) {
    const std::size_t dot = path.find('.');
    const std::string_view key = path.substr(0, dot);
    if (key.empty()) return base::fail_text(fmt::format("--set {}: an empty key", assignment));
    if (at->kind == TomlValue::Kind::kArray) {
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
      if (error != std::errc() || end != key.data() + key.size() || index >= at->elements.size()) {
        return base::fail_text(
            fmt::format("--set {}: `{}` is not the number of one of {}", assignment, key, at->elements.size()));
      }
      at = &at->elements[index];
    } else if (at->kind == TomlValue::Kind::kTable) {
      TomlValue* next = at->find(key);
      if (next == nullptr) {
        at->entries.push_back({std::string(key), TomlValue()});
        next = &at->entries.back().value;
      }
      at = next;
    } else {
      return base::fail_text(fmt::format("--set {}: what is before `{}` is no table", assignment, key));
    }
    if (dot == std::string_view::npos) break;
    path.remove_prefix(dot + 1);
  }
  *at = value_of(assignment.substr(equals + 1));
  return {};
}

}  // namespace rocelab::sim
