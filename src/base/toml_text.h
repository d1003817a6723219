// A look at a text before toml++ parses it. toml++ 3.3 runs into undefined behaviour when a character beyond ASCII
// stands where white space may be; TOML allows such characters in strings and comments only, so they are refused
// elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rocelab::base {

/// The line of the first byte beyond ASCII outside strings and comments (or behind a backslash in a string, where the
/// parser looks for white space too); nothing when the text may be parsed. A byte order mark at the beginning may be.
std::optional<std::uint32_t> line_beyond_toml(std::string_view text);

inline constexpr const char* kBeyondToml = "a character beyond ASCII outside strings and comments";

}  // namespace rocelab::base
