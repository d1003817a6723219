// perf/verbs_pair: what two polling processes get out of a verbs library: latency one way, message rate, bandwidth.
// Written for rocelab (`build/rocelab run build/perf/verbs_pair`), but plain verbs. The receiver of a WRITE polls its
// memory and calls ibv_poll_cq while it waits, as the progress loops of UCX and libfabric do. Requests are inline where
// they fit; sends are signalled every 64th in latency tests and once a batch in rate tests. perf/compare runs this.
#include <infiniband/verbs.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "perf/measure.h"
#include "perf/options.h"
#include "perf/pair.h"
#include "perf/verbs_end.h"

namespace rocelab::perf {
namespace {

constexpr std::size_t kMessageMax = 1u << 20;
constexpr std::uint32_t kSignalEvery = 64;  // sends between two signalled ones in latency tests
constexpr std::uint32_t kBatchMax = 32;     // requests posted at once
constexpr std::uint32_t kWindow = 256;      // requests on the way on one queue pair
constexpr std::size_t kWindowBytes = 8u << 20;
constexpr std::uint32_t kManyQps = 64;
constexpr std::size_t kPlotSizes[] = {8, 64, 256, 1024, 4096, 16'384, 65'536, 262'144, 1'048'576};

/// What a measurement needs to know about its process.
struct Session {
  VerbsEnd& end;
  Channel& channel;
  bool first;
  bool shared;                // one processor only
  std::uint64_t& round;       // see VerbsEnd::finish
  std::uint64_t& sequence;    // of the latest latency message
  std::uint64_t& unsignaled;  // sends of latency tests since the last signalled one

  void idle() const {
    if (shared) relax(true);
  }
};

/// A pattern that differs by place and by round.
std::byte pattern(std::size_t place, std::uint64_t round) {
  return static_cast<std::byte>(place * 31 + (place >> 8) + round * 7);
}

bool send_one(const Session& s, ibv_wr_opcode opcode, std::size_t length) {
  ibv_sge sge;
  ibv_send_wr wr;
  const bool signaled = ++s.unsignaled == kSignalEvery;
  if (signaled) s.unsignaled = 0;
  s.end.fill(wr, sge, opcode, 0, length, signaled);
  return s.end.post(0, wr);
}

/// Fills the message: a pattern, with the sequence number in its last word.
void prepare(const Session& s, std::size_t length, std::uint64_t sequence) {
  std::memcpy(s.end.out() + length - sizeof sequence, &sequence, sizeof sequence);
}
void prepare_all(const Session& s, std::size_t length, std::uint64_t round) {
  for (std::size_t i = 0; i < length; ++i) s.end.out()[i] = pattern(i, round);
}
bool arrived_intact(const Session& s, std::size_t length, std::uint64_t round) {
  for (std::size_t i = 0; i < length; ++i) {
    if (s.end.in()[i] != pattern(i, round)) {
      std::fprintf(stderr, "byte %zu of %zu is wrong\n", i, length);
      return false;
    }
  }
  return true;
}

/// Microseconds one way of a WRITE of `length` bytes (at least 8) that the other side sees in its memory.
double write_latency_us(const Session& s, std::size_t length, std::uint64_t rounds) {
  const std::uint64_t base = s.sequence;
  s.sequence += rounds + 1;
  prepare_all(s, length, base);
  if (!s.end.finish(s.round, s.shared)) return -1;
  const auto send = [&](std::uint64_t n) {
    prepare(s, length, n);
    return send_one(s, IBV_WR_RDMA_WRITE, length);
  };
  const auto wait = [&](std::uint64_t n) {
    while (s.end.word(length - sizeof n) != n) {
      if (!s.end.poll()) return false;
      s.idle();
    }
    return true;
  };
  const auto ping_pong = [&](std::uint64_t n) { return s.first ? send(n) && wait(n) : wait(n) && send(n); };
  bool good = ping_pong(base + 1) && arrived_intact(s, length - sizeof base, base);
  if (!good || !s.end.finish(s.round, s.shared)) return -1;
  const double seconds = seconds_of([&] {
    for (std::uint64_t n = base + 2; good && n <= base + rounds + 1; ++n) good = ping_pong(n);
  });
  return good && s.end.finish(s.round, s.shared) ? seconds * 1e6 / static_cast<double>(rounds) / 2 : -1;
}

/// Microseconds one way of a SEND of `length` bytes. Receives are posted again after the answer has left.
double send_latency_us(const Session& s, std::size_t length, std::uint64_t rounds) {
  constexpr std::uint64_t kReceives = 8;
  prepare_all(s, length, s.round);
  const std::uint64_t contents = s.round;
  std::uint64_t seen = s.end.received;
  for (std::uint64_t i = 0; i < kReceives; ++i) {
    if (!s.end.post_receive(0)) return -1;
  }
  if (!s.end.finish(s.round, s.shared)) return -1;
  const auto wait = [&] {
    while (s.end.received == seen) {
      if (!s.end.poll()) return false;
      s.idle();
    }
    ++seen;
    return true;
  };
  const auto ping_pong = [&] {
    if (s.first) return send_one(s, IBV_WR_SEND, length) && s.end.post_receive(0) && wait();
    return wait() && send_one(s, IBV_WR_SEND, length) && s.end.post_receive(0);
  };
  bool good = ping_pong() && arrived_intact(s, length, contents);
  const double seconds = seconds_of([&] {
    for (std::uint64_t n = 0; good && n < rounds; ++n) good = ping_pong();
  });
  // The receives that are left over are used up, so that the next measurement starts with none.
  for (std::uint64_t n = 0; good && n < kReceives; ++n) good = send_one(s, IBV_WR_SEND, length) && wait();
  return good && s.end.finish(s.round, s.shared) ? seconds * 1e6 / static_cast<double>(rounds) / 2 : -1;
}

/// Microseconds of a READ of `length` bytes, there and back.
double read_latency_us(const Session& s, std::size_t length, std::uint64_t rounds) {
  if (!s.end.finish(s.round, s.shared)) return -1;
  bool good = true;
  const double seconds = seconds_of([&] {
    for (std::uint64_t n = 0; good && s.first && n < rounds; ++n) {
      ibv_sge sge;
      ibv_send_wr wr;
      s.end.fill(wr, sge, IBV_WR_RDMA_READ, 0, length, true);
      const std::uint64_t before = s.end.sent;
      good = s.end.post(0, wr);
      while (good && s.end.sent == before) {
        good = s.end.poll();
        s.idle();
      }
    }
  });
  return good && s.end.finish(s.round, s.shared) ? seconds * 1e6 / static_cast<double>(rounds) : -1;
}

/// Posts one batch of requests on a queue pair, the last of them signalled.
bool post_batch(const Session& s, std::uint32_t qp, ibv_wr_opcode opcode, std::size_t length, std::uint32_t count) {
  ibv_send_wr wr[kBatchMax];
  ibv_sge sge[kBatchMax];
  for (std::uint32_t i = 0; i < count; ++i) {
    s.end.fill(wr[i], sge[i], opcode, 0, length, i + 1 == count);
    wr[i].next = i + 1 < count ? &wr[i + 1] : nullptr;
  }
  return s.end.post(qp, wr[0]);
}

/// Seconds that `batches` batches of `batch` requests take, round robin over `qps` queue pairs, until the last one has
/// completed: for a WRITE, its bytes are in the other side's memory. Contents are checked at whichever side they
/// arrive.
double seconds_of_stream(const Session& s, std::uint32_t qps, ibv_wr_opcode opcode, std::size_t length,
                         std::uint32_t batch, std::uint64_t batches) {
  const bool read = opcode == IBV_WR_RDMA_READ;
  const std::uint64_t contents = s.round;
  const std::size_t window =
      std::max<std::size_t>(1, std::min<std::size_t>(kWindow, kWindowBytes / length) / batch) * (qps > 1 ? 4 : 1);
  prepare_all(s, length, contents);
  if (!s.end.finish(s.round, s.shared)) return -1;
  bool good = true;
  const std::uint64_t before = s.end.sent;
  const double seconds = seconds_of([&] {
    for (std::uint64_t n = 0; good && s.first && n < batches; ++n) {
      while (good && n - (s.end.sent - before) >= window) {
        good = s.end.poll();
        s.idle();
      }
      good = good && post_batch(s, static_cast<std::uint32_t>(n % qps), opcode, length, batch);
    }
    while (good && s.first && s.end.sent - before < batches) {
      good = s.end.poll();
      s.idle();
    }
  });
  if (!good || !s.end.finish(s.round, s.shared)) return -1;
  return read == s.first && !arrived_intact(s, length, contents) ? -1 : seconds;
}

double rate_mps(const Session& s, std::uint32_t qps, double scale) {
  const std::uint64_t batches = scaled(2'000'000.0 / kBatchMax, scale, 2 * kManyQps);
  const double seconds = seconds_of_stream(s, qps, IBV_WR_RDMA_WRITE, 64, kBatchMax, batches);
  return seconds < 0 ? -1 : static_cast<double>(batches * kBatchMax) / seconds / 1e6;
}

double bandwidth_gbps(const Session& s, ibv_wr_opcode opcode, std::size_t length, double scale) {
  const auto batch = static_cast<std::uint32_t>(std::min<std::size_t>(8, std::max<std::size_t>(1, 65'536 / length)));
  const std::uint64_t batches = scaled(1e9 / static_cast<double>((length + 1024) * batch), scale, 4);
  const double seconds = seconds_of_stream(s, 1, opcode, length, batch, batches);
  return seconds < 0 ? -1 : static_cast<double>(batches * batch * length) / seconds / 1e9;
}

std::vector<Measurement> measurements(const Session& s, double scale, bool all_sizes) {
  const double slow = s.shared ? 0.02 : 1;
  const auto rounds = [=](std::size_t length) {
    return scaled(100e6 / (1000 + static_cast<double>(length)) * slow, scale, 8);
  };
  std::vector<Measurement> all = {
      {"rocelab_write_8B_latency", "us", [=] { return write_latency_us(s, 8, rounds(8)); }},
      {"rocelab_send_8B_latency", "us", [=] { return send_latency_us(s, 8, rounds(8)); }},
      {"rocelab_read_8B_round_trip", "us", [=] { return read_latency_us(s, 8, rounds(8)); }},
      {"rocelab_write_64B_rate", "M/s", [=] { return rate_mps(s, 1, scale * slow); }},
      {"rocelab_write_64B_rate_64_qps", "M/s", [=] { return rate_mps(s, kManyQps, scale * slow); }},
      {"rocelab_write_65536B_bandwidth", "GB/s",
       [=] { return bandwidth_gbps(s, IBV_WR_RDMA_WRITE, 65'536, scale * slow); }},
      {"rocelab_read_65536B_bandwidth", "GB/s",
       [=] { return bandwidth_gbps(s, IBV_WR_RDMA_READ, 65'536, scale * slow); }},
  };
  if (!all_sizes) return all;
  for (const std::size_t length : kPlotSizes) {
    const std::string size = std::to_string(length) + "B";
    all.push_back(
        {"sizes_write_" + size + "_latency", "us", [=] { return write_latency_us(s, length, rounds(length)); }});
    all.push_back(
        {"sizes_send_" + size + "_latency", "us", [=] { return send_latency_us(s, length, rounds(length)); }});
    all.push_back({"sizes_write_" + size + "_bandwidth", "GB/s",
                   [=] { return bandwidth_gbps(s, IBV_WR_RDMA_WRITE, length, scale * slow / 4); }});
  }
  return all;
}

int run(RunOptions options, EndOptions end_options, bool all_sizes, const Processors& processors) {
  end_options.qps = kManyQps;
  end_options.depth = kWindow;
  end_options.buffer_bytes = kMessageMax;
  return run_session("verbs_pair", processors, [&](Channel& channel, bool first) {
    VerbsEnd end;
    const std::string problem = end.open(end_options, channel);
    if (!problem.empty()) {
      if (first) std::fprintf(stderr, "verbs_pair: %s\n", problem.c_str());
      return 1;
    }
    std::uint64_t round = 0, sequence = 0, unsignaled = 0;
    const Session session{end, channel, first, processors.shared, round, sequence, unsignaled};
    options.silent = !first;
    // The first packets make the link, with the help of the library's thread; only then may this one have priority.
    if (!end.finish(round, processors.shared)) return 1;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (processors.realtime) raise_priority();
    const int status =
        run_measurements("verbs_pair", measurements(session, options.scale, all_sizes), processors, options);
    return channel.barrier() ? status : 1;
  });
}

}  // namespace
}  // namespace rocelab::perf

int main(int argc, char** argv) {
  CLI::App app("RC SEND, WRITE and READ between two polling processes: latency, message rate, bandwidth.");
  rocelab::perf::RunOptions options;
  rocelab::perf::EndOptions end_options;
  rocelab::perf::Processors processors;
  bool all_sizes = false;
  rocelab::perf::add_run_options(app, options);
  app.add_option("--device", end_options.device, "name of the RDMA device (default: the first)");
  app.add_option("--gid-index", end_options.gid_index, "index in the GID table")->check(CLI::Range(0, 255));
  app.add_flag("--sizes", all_sizes, "also latency and bandwidth of 8 B to 1 MiB");
  CLI11_PARSE(app, argc, argv);
  if (!rocelab::perf::begin_run("verbs_pair", options, processors)) return 2;
  return rocelab::perf::run(options, end_options, all_sizes, processors);
}
