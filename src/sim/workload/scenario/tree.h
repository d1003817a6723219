// A TOML document as a plain tree of values that know their line, so that messages can name it; toml++ stays in the
// .cc. Owned by whoever reads a scenario; sections (section.h) are views of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rocelab::sim {

struct TomlEntry;

struct TomlValue {
  enum class Kind : std::uint8_t { kText, kInteger, kFloat, kBoolean, kArray, kTable, kOther };
  Kind kind = Kind::kTable;
  std::uint32_t line = 0;  ///< 0: from the command line
  std::string text;        ///< of kText; of numbers as the shortest decimal that gives them back
  std::int64_t integer = 0;
  double number = 0;  ///< of kFloat
  bool boolean = false;
  std::vector<TomlValue> elements;  ///< of kArray
  std::vector<TomlEntry> entries;   ///< of kTable, in the order of their lines

  const TomlValue* find(std::string_view key) const;
  TomlValue* find(std::string_view key);
};

struct TomlEntry {
  std::string key;
  TomlValue value;
};

/// "FILE:LINE: what" on a mistake.
base::TextResult<TomlValue> parse_toml(std::string_view text, const std::string& file);

/// Sets one value by path: "switch.alpha=0.5", "workload.0.load=0.8"; the right side is TOML, or else a text without
/// quotes. Tables on the way are made.
base::TextResult<void> set_value(TomlValue& root, std::string_view assignment);

}  // namespace rocelab::sim
