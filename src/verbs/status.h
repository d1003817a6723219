// From the engine's errors to what libibverbs' callers expect: functions that return an int return the errno value and
// set errno too; functions that create return a null pointer and set errno.
#pragma once

#include <cerrno>

#include "base/result.h"

namespace rocelab::verbs {

/// For `return refuse(EINVAL);` in a function that returns an errno value.
inline int refuse(int code) {
  errno = code;
  return code;
}

/// For `return refuse_null(EINVAL);` in a function that creates an object.
inline decltype(nullptr) refuse_null(int code) {
  errno = code;
  return nullptr;
}

/// 0, or the errno value of the failure, set as errno too.
template <class T>
int status_of(const base::Result<T>& result) {
  return result ? 0 : refuse(result.error().code);
}

}  // namespace rocelab::verbs
