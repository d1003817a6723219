// Strings and comments are followed just closely enough to know what is outside of them; see toml_text.h.
#include "base/toml_text.h"

namespace rocelab::base {

namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::optional<std::uint32_t> run() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (beyond(c)) return line_;
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == '"' || c == '\'') {
        if (!string(c)) return line_;
      } else {
        step();
      }
    }
    return std::nullopt;
  }

 private:
  static bool beyond(char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; }
  static bool space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

  void step() {
    if (text_[at_] == '\n') ++line_;
    ++at_;
  }

  /// False: something beyond ASCII behind a backslash.
  bool string(char quote) {
    const std::string_view three = quote == '"' ? "\"\"\"" : "'''";
    const bool lines = text_.substr(at_).starts_with(three);
    at_ += lines ? 3 : 1;
    while (at_ < text_.size()) {
      if (lines ? text_.substr(at_).starts_with(three) : text_[at_] == quote) {
        at_ += lines ? 3 : 1;
        return true;
      }
      if (!lines && text_[at_] == '\n') return true;  // the parser will say that the string does not end
      if (quote == '"' && text_[at_] == '\\') {
        if (!escape()) return false;
        continue;
      }
      step();
    }
    return true;
  }

  bool escape() {
    ++at_;
    if (at_ == text_.size()) return true;
    if (!space(text_[at_])) {
      if (beyond(text_[at_])) return false;
      ++at_;
      return true;
    }
    while (at_ < text_.size() && space(text_[at_])) step();
    return at_ == text_.size() || !beyond(text_[at_]);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
};

}  // namespace

std::optional<std::uint32_t> line_beyond_toml(std::string_view text) { return Scanner(text).run(); }

}  // namespace rocelab::base
