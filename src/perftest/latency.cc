// How long a message takes: see measurement.h.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "perftest/measurement.h"
#include "perftest/report.h"

namespace rocelab::perftest {
namespace {

/// The last byte of the n-th message tells it from the one before.
std::uint8_t mark(std::uint64_t n) { return static_cast<std::uint8_t>(n % 255 + 1); }

/// One leg of a ping-pong of WRITEs: waits until the n-th message is in memory. Polling lets things move.
bool await_write(std::uint64_t n, std::uint32_t bytes, Endpoint& end) {
  std::atomic_ref<std::uint8_t> last(end.sink()[bytes - 1]);
  while (last.load(std::memory_order_acquire) != mark(n)) {
    if (!end.poll()) return false;
  }
  return true;
}

bool await_send(std::uint64_t target, Endpoint& end) {
  while (end.received < target) {
    if (!end.poll()) return false;
  }
  return end.post_receives();
}

/// Waits until the send queue has room again.
bool drain(std::uint64_t posted, Endpoint& end) {
  while (posted - end.sent >= end.depth()) {
    if (!end.poll()) return false;
  }
  return true;
}

bool ping_pong(const Options& options, Role role, std::uint32_t bytes, Endpoint& end, Surroundings& surroundings,
               std::vector<std::uint64_t>& times_ps) {
  const bool client = role == Role::kClient;
  const std::uint64_t received_before = end.received;
  std::uint64_t posted = end.sent;
  std::uint64_t start = surroundings.now_ps();
  for (std::uint64_t n = 0; n < options.iterations; ++n) {
    const auto wait = [&] {
      return options.verb == Verb::kWrite ? await_write(n, bytes, end) : await_send(received_before + n + 1, end);
    };
    const auto send = [&] {
      end.source()[bytes - 1] = mark(n);
      ++posted;
      return end.post(options.verb, bytes, options.inline_bytes, true) && drain(posted, end);
    };
    if (!(client ? send() && wait() : wait() && send())) return false;
    const std::uint64_t now = surroundings.now_ps();
    times_ps.push_back((now - start) / 2);
    start = now;
  }
  while (end.sent != posted) {
    if (!end.poll()) return false;
  }
  return true;
}

bool fetch(const Options& options, std::uint32_t bytes, Endpoint& end, Surroundings& surroundings,
           std::vector<std::uint64_t>& times_ps) {
  for (std::uint64_t n = 0; n < options.iterations; ++n) {
    const std::uint64_t start = surroundings.now_ps();
    const std::uint64_t before = end.sent;
    if (!end.post(options.verb, bytes, 0, true)) return false;
    while (end.sent == before) {
      if (!end.poll()) return false;
    }
    times_ps.push_back(surroundings.now_ps() - start);
  }
  return true;
}

LatencyLine evaluate(std::uint32_t bytes, std::vector<std::uint64_t>& times_ps) {
  std::sort(times_ps.begin(), times_ps.end());
  const auto us = [](std::uint64_t ps) { return static_cast<double>(ps) / 1e6; };
  const auto at = [&](double share) {
    const auto index = static_cast<std::size_t>(share * static_cast<double>(times_ps.size()));
    return us(times_ps[std::min(index, times_ps.size() - 1)]);
  };
  LatencyLine line;
  line.bytes = bytes;
  line.iterations = times_ps.size();
  line.min_us = us(times_ps.front());
  line.max_us = us(times_ps.back());
  line.typical_us = at(0.5);
  line.p99_us = at(0.99);
  line.p999_us = at(0.999);
  double sum = 0, squares = 0;
  for (const std::uint64_t time : times_ps) sum += us(time);
  line.average_us = sum / static_cast<double>(times_ps.size());
  for (const std::uint64_t time : times_ps) squares += (us(time) - line.average_us) * (us(time) - line.average_us);
  line.deviation_us = std::sqrt(squares / static_cast<double>(times_ps.size()));
  return line;
}

}  // namespace

bool measure_latency(const Options& options, Role role, std::uint32_t bytes, Endpoint& end,
                     Surroundings& surroundings) {
  const bool answers = options.verb == Verb::kWrite || options.verb == Verb::kSend;
  std::fill_n(end.sink(), bytes, std::uint8_t{0});
  if (options.verb == Verb::kSend && !end.post_receives()) return false;
  if (!end.meet(surroundings)) return false;
  std::vector<std::uint64_t> times_ps;
  times_ps.reserve(options.iterations);
  if (answers && !ping_pong(options, role, bytes, end, surroundings, times_ps)) return false;
  if (!answers && role == Role::kClient && !fetch(options, bytes, end, surroundings, times_ps)) return false;
  if (role == Role::kClient) surroundings.print(to_line(evaluate(bytes, times_ps)));
  return end.meet(surroundings);
}

}  // namespace rocelab::perftest
