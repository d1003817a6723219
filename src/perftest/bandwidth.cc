// How many bytes a second: see measurement.h.
#include <algorithm>
#include <vector>

#include "perftest/measurement.h"
#include "perftest/report.h"

namespace rocelab::perftest {
namespace {

/// Keeps the queue full until all messages are done; writes down when each was.
bool send_all(const Options& options, std::uint32_t bytes, Endpoint& end, Surroundings& surroundings,
              std::vector<std::uint64_t>& done_ps) {
  const std::uint64_t before = end.sent;
  std::uint64_t posted = 0;
  while (done_ps.size() < options.iterations) {
    const std::uint64_t done = end.sent - before;
    while (posted < options.iterations && posted - done < end.depth()) {
      if (!end.post(options.verb, bytes, options.inline_bytes, true)) return false;
      ++posted;
    }
    if (!end.poll()) return false;
    const std::uint64_t now = surroundings.now_ps();
    while (done_ps.size() < end.sent - before) done_ps.push_back(now);
  }
  return true;
}

bool receive_all(const Options& options, Endpoint& end) {
  const std::uint64_t target = end.received + options.iterations;
  while (end.received < target) {
    if (!end.poll() || !end.post_receives()) return false;
  }
  return true;
}

/// The best stretch of as many messages as are outstanding at a time, in bytes/s.
double peak(std::uint32_t bytes, std::uint32_t depth, std::uint64_t start_ps,
            const std::vector<std::uint64_t>& done_ps) {
  double best = 0;
  for (std::size_t last = depth - 1; last < done_ps.size(); ++last) {
    const std::uint64_t from = last < depth ? start_ps : done_ps[last - depth];
    if (done_ps[last] <= from) continue;
    best = std::max(best, static_cast<double>(bytes) * depth * 1e12 / static_cast<double>(done_ps[last] - from));
  }
  return best;
}

}  // namespace

bool measure_bandwidth(const Options& options, Role role, std::uint32_t bytes, Endpoint& end,
                       Surroundings& surroundings) {
  if (role == Role::kServer) {
    if (options.verb == Verb::kSend && !end.post_receives()) return false;
    if (!end.meet(surroundings)) return false;
    if (options.verb == Verb::kSend && !receive_all(options, end)) return false;
    return end.meet(surroundings);
  }
  if (!end.meet(surroundings)) return false;
  std::vector<std::uint64_t> done_ps;
  done_ps.reserve(options.iterations);
  const std::uint64_t start = surroundings.now_ps();
  if (!send_all(options, bytes, end, surroundings, done_ps)) return false;
  BandwidthLine line;
  line.bytes = bytes;
  line.iterations = options.iterations;
  const double seconds = static_cast<double>(std::max<std::uint64_t>(done_ps.back() - start, 1)) / 1e12;
  line.average_bytes_per_s = static_cast<double>(bytes) * options.iterations / seconds;
  line.messages_per_s = options.iterations / seconds;
  line.peak_bytes_per_s = std::max(line.average_bytes_per_s, peak(bytes, end.depth(), start, done_ps));
  surroundings.print(to_line(line));
  return end.meet(surroundings);
}

}  // namespace rocelab::perftest
