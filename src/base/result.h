// Errors as values (DESIGN.md 8). Result<T> carries the errno that libibverbs documents for the call plus a static
// sentence for logs; TextResult<T> carries a composed message for people (configuration, files, command lines).
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace rocelab::base {

/// An errno value (positive) and a static sentence naming what was wrong. Trivially copyable: it may be returned from
/// the data path.
struct Error {
  int code = 0;
  const char* what = "";
};

template <class T>
using Result = tl::expected<T, Error>;

/// Builds the failing side of a Result.
inline tl::unexpected<Error> fail(int code, const char* what) { return tl::make_unexpected(Error{code, what}); }

/// For messages composed at run time: "FILE:LINE: key `mtu`: 300 is not one of 256, 512, 1024, 2048, 4096".
template <class T>
using TextResult = tl::expected<T, std::string>;

inline tl::unexpected<std::string> fail_text(std::string message) { return tl::make_unexpected(std::move(message)); }

}  // namespace rocelab::base
