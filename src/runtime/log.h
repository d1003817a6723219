// What the runtime has to say to people, on standard error: one line "rocelab[pid]: level: text". Quiet by default
// except for warnings. The level is process-wide because standard error is. Safe from any thread.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "runtime/config.h"

namespace rocelab::runtime {

void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);
void log_line(LogLevel level, const std::string& text);

/// Formats only when the level is on.
template <class... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(level)) log_line(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace rocelab::runtime
