// See log.h. One write() a line, so that lines of several processes on one terminal stay whole.
#include "runtime/log.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <string_view>

namespace rocelab::runtime {

namespace {
std::atomic<LogLevel> current_level{LogLevel::kWarn};
}  // namespace

void set_log_level(LogLevel level) { current_level.store(level, std::memory_order_relaxed); }

bool log_enabled(LogLevel level) { return level <= current_level.load(std::memory_order_relaxed); }

void log_line(LogLevel level, const std::string& text) {
  static constexpr std::array<std::string_view, 5> kNames = {"off", "error", "warning", "info", "debug"};
  const std::string line =
      fmt::format("rocelab[{}]: {}: {}\n", getpid(), kNames[static_cast<std::size_t>(level)], text);
  // Nothing sensible can be done when standard error is closed.
  [[maybe_unused]] const auto written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace rocelab::runtime
