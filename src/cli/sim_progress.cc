// See sim_progress.h.
#include "cli/sim_progress.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "cli/sim_summary.h"

namespace rocelab::cli {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTerminalInterval = std::chrono::milliseconds(250);
constexpr auto kFileInterval = std::chrono::seconds(10);

std::uint64_t cpu_ns() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto ns = [](const timeval& t) {
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(t.tv_usec) * 1'000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

CostMeter::CostMeter()
    : wall_(Clock::now()), started_unix_s_(static_cast<std::uint64_t>(std::time(nullptr))), cpu_ns_(cpu_ns()) {}

sim::RunCost CostMeter::cost(unsigned threads) const {
  sim::RunCost out;
  out.started_unix_s = started_unix_s_;
  out.wall_ns =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - wall_).count());
  out.cpu_ns = cpu_ns() - cpu_ns_;
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  out.peak_memory_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  out.threads = threads;
  return out;
}

ProgressLine::ProgressLine(const sim::Scenario& scenario, const StopSignal& stop, bool shown)
    : stop_(stop),
      until_ps_(scenario.limits.until_ps),
      shown_(shown),
      terminal_(isatty(STDERR_FILENO) != 0),
      start_(Clock::now()),
      last_(start_) {}

bool ProgressLine::on_progress(const sim::ProgressReport& report) {
  if (stop_.requested()) return false;
  const auto now = Clock::now();
  if (!shown_ || now - last_ < (terminal_ ? Clock::duration(kTerminalInterval) : Clock::duration(kFileInterval))) {
    return true;
  }
  const double rate = static_cast<double>(report.events - last_events_) / std::max(seconds(now - last_), 1e-9);
  last_ = now;
  last_events_ = report.events;
  // How far: by bytes, or by simulated time when that is further.
  double done = report.bytes == 0 ? 0 : static_cast<double>(report.bytes_done) / static_cast<double>(report.bytes);
  if (until_ps_ != 0) done = std::max(done, static_cast<double>(report.now_ps) / static_cast<double>(until_ps_));
  const double spent = seconds(now - start_);
  std::string left = "?";
  if (done > 0.001) left = time_text_s(spent / done - spent);
  const std::string line =
      fmt::format("{}  {:.1f} M events/s  {} of {} messages  {:.0f} %  about {} left", time_text_ps(report.now_ps),
                  rate / 1e6, report.messages_done, report.messages, 100 * done, left);
  std::fprintf(stderr, terminal_ ? "\r%s\033[K" : "%s\n", line.c_str());
  std::fflush(stderr);
  on_screen_ = terminal_;
  return true;
}

void ProgressLine::clear() {
  if (on_screen_) std::fprintf(stderr, "\r\033[K");
  on_screen_ = false;
}

}  // namespace rocelab::cli
