// The stream that DPDK logs to, and the two places its lines go.
#include "net/dpdk/log_capture.h"

#include <rte_log.h>
#include <stdio.h>

#include <atomic>
#include <string_view>

#include "net/dpdk/eal.h"

namespace rocelab::net::dpdk {

namespace {

constexpr std::size_t kTextBytesMax = 2048;  // of one capture

std::atomic<LogSink> log_sink{nullptr};
thread_local std::string* captured = nullptr;

ssize_t take_lines(void*, const char* bytes, std::size_t count) {
  std::string_view rest(bytes, count);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.empty()) continue;
    if (captured == nullptr) {
      if (const LogSink sink = log_sink.load(std::memory_order_acquire); sink != nullptr) sink(line);
    } else if (captured->size() + line.size() < kTextBytesMax) {
      captured->append(captured->empty() ? "" : "; ").append(line);
    }
  }
  return static_cast<ssize_t>(count);
}

}  // namespace

void set_log_sink(LogSink sink) { log_sink.store(sink, std::memory_order_release); }

LogCapture::LogCapture() { captured = &text_; }
LogCapture::~LogCapture() { captured = nullptr; }

std::string LogCapture::explain(std::string what) const {
  if (!text_.empty()) what.append(" (").append(text_).append(")");
  return what;
}

bool route_log() {
  static std::FILE* const stream = fopencookie(nullptr, "w", {nullptr, take_lines, nullptr, nullptr});
  if (stream == nullptr) return false;
  rte_openlog_stream(stream);
  return true;
}

}  // namespace rocelab::net::dpdk
