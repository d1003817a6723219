// perf/shm_ring: what a shared-memory port of our own could carry between two processes, to set beside bare memif
// (perf/memif). A ring of bytes in which frames of any length lie one after the other; the sender copies its frame in,
// the receiver looks at it where it lies. One word before each frame says its length, and that it is there: the first
// cache line brings both the news and the headers. Frames as long as RoCE v2 frames of 8 B, 64 B and 4096 B.
#include <atomic>
#include <cstdint>
#include <cstring>
#include <vector>

#include "perf/measure.h"
#include "perf/options.h"
#include "perf/pair.h"

namespace rocelab::perf {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kRingBytes = 1u << 20;
constexpr std::size_t kWord = sizeof(std::uint64_t);
constexpr std::size_t kCreditEvery = kRingBytes / 64;  // bytes between two publications of the receiver's progress
constexpr std::uint64_t kWrap = ~0ull;                 // in place of a length: the next frame is at the ring's start

/// What both sides map: the receiver's progress, then the bytes.
struct Shared {
  alignas(kLine) std::atomic<std::uint64_t> consumed;
  alignas(kLine) std::byte bytes[kRingBytes];
};

std::atomic_ref<std::uint64_t> word_at(Shared& shared, std::size_t offset) {
  return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(shared.bytes + offset));
}

/// Bytes that a frame takes in the ring: its word, itself, up to the next cache line.
constexpr std::size_t room_of(std::size_t length) { return (kWord + length + kLine - 1) / kLine * kLine; }

class Sender {
 public:
  explicit Sender(Shared& shared) : shared_(shared) {}

  /// Where to write a frame of `length` bytes, or nullptr while the ring is full. A word of zero always stands behind
  /// the newest frame, so that the receiver waits there whatever the ring held a round ago.
  std::byte* reserve(std::size_t length) {
    const std::size_t room = room_of(length);
    const std::size_t to_end = kRingBytes - offset_;
    const std::size_t skipped = to_end < room + kLine ? to_end : 0;
    if (sent_ + skipped + room + kLine - consumed_ > kRingBytes) {
      consumed_ = shared_.consumed.load(std::memory_order_acquire);
      if (sent_ + skipped + room + kLine - consumed_ > kRingBytes) return nullptr;
    }
    if (skipped != 0) {
      word_at(shared_, 0).store(0, std::memory_order_relaxed);
      word_at(shared_, offset_).store(kWrap, std::memory_order_release);
      sent_ += skipped;
      offset_ = 0;
    }
    return shared_.bytes + offset_ + kWord;
  }

  void commit(std::size_t length) {
    const std::size_t room = room_of(length);
    word_at(shared_, offset_ + room).store(0, std::memory_order_relaxed);
    word_at(shared_, offset_).store(length, std::memory_order_release);
    offset_ += room;
    sent_ += room;
  }

 private:
  Shared& shared_;
  std::size_t offset_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t consumed_ = 0;  ///< as last seen
};

class Receiver {
 public:
  explicit Receiver(Shared& shared) : shared_(shared) {}

  /// The oldest frame's length, 0 when there is none; its bytes are at frame().
  std::size_t look() {
    std::uint64_t length = word_at(shared_, offset_).load(std::memory_order_acquire);
    if (length == kWrap) {
      consumed_ += kRingBytes - offset_;
      offset_ = 0;
      length = word_at(shared_, offset_).load(std::memory_order_acquire);
    }
    return length;
  }
  const std::byte* frame() const { return shared_.bytes + offset_ + kWord; }

  void release(std::size_t length) {
    offset_ += room_of(length);
    consumed_ += room_of(length);
    if (consumed_ - published_ < kCreditEvery) return;
    published_ = consumed_;
    shared_.consumed.store(consumed_, std::memory_order_release);
  }

 private:
  Shared& shared_;
  std::size_t offset_ = 0;
  std::uint64_t consumed_ = 0;
  std::uint64_t published_ = 0;
};

void send(Sender& sender, const std::byte* frame, std::size_t length, bool shared) {
  std::byte* room = sender.reserve(length);
  while (room == nullptr) {
    relax(shared);
    room = sender.reserve(length);
  }
  std::memcpy(room, frame, length);
  sender.commit(length);
}

/// Waits for a frame, reads one word of each of its lines as a decoder would, and gives it back.
std::uint64_t receive(Receiver& receiver, bool shared) {
  std::size_t length = receiver.look();
  while (length == 0) {
    relax(shared);
    length = receiver.look();
  }
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at + kWord <= length; at += kLine) {
    std::uint64_t word;
    std::memcpy(&word, receiver.frame() + at, kWord);
    sum += word;
  }
  receiver.release(length);
  return sum;
}

/// Microseconds one way of a frame, both sides polling.
double latency_us(const Processors& processors, std::size_t length, std::uint64_t rounds) {
  SharedMemory memory(2 * sizeof(Shared));
  auto* rings = memory.as<Shared>();
  const std::vector<std::byte> frame(length, std::byte{0x5a});
  const auto side = [&](std::size_t mine, bool begins) {
    Sender sender(rings[1 - mine]);
    Receiver receiver(rings[mine]);
    std::uint64_t sum = 0;
    for (std::uint64_t n = 0; n < rounds; ++n) {
      if (begins) send(sender, frame.data(), length, processors.shared);
      sum += receive(receiver, processors.shared);
      if (!begins) send(sender, frame.data(), length, processors.shared);
    }
    keep(sum);
  };
  const double seconds = run_pair(
      processors, [&] { side(0, true); }, [&] { side(1, false); });
  return seconds * 1e6 / static_cast<double>(rounds) / 2;
}

/// Millions of frames a second in one direction.
double rate_mps(const Processors& processors, std::size_t length, std::uint64_t count) {
  SharedMemory memory(sizeof(Shared));
  auto* ring = memory.as<Shared>();
  const std::vector<std::byte> frame(length, std::byte{0x5a});
  const auto produce = [&] {
    Sender sender(*ring);
    for (std::uint64_t n = 0; n < count; ++n) send(sender, frame.data(), length, processors.shared);
  };
  const auto consume = [&] {
    Receiver receiver(*ring);
    std::uint64_t sum = 0;
    for (std::uint64_t n = 0; n < count; ++n) sum += receive(receiver, processors.shared);
    keep(sum);
  };
  const double seconds = run_pair(processors, consume, produce);
  return static_cast<double>(count) / seconds / 1e6;
}

std::vector<Measurement> measurements(const Processors& cpus, double scale) {
  const double slow = cpus.shared ? 0.02 : 1;
  const auto times = [=](double n) { return scaled(n * slow, scale); };
  return {
      {"shm_ring_80B_latency", "us", [=] { return latency_us(cpus, 80, times(500'000)); }},
      {"shm_ring_80B_rate", "M/s", [=] { return rate_mps(cpus, 80, times(10'000'000)); }},
      {"shm_ring_136B_rate", "M/s", [=] { return rate_mps(cpus, 136, times(10'000'000)); }},
      {"shm_ring_4200B_rate", "M/s", [=] { return rate_mps(cpus, 4200, times(1'000'000)); }},
  };
}

}  // namespace
}  // namespace rocelab::perf

int main(int argc, char** argv) {
  CLI::App app("What a shared-memory port of our own could carry between two processes, beside bare memif.");
  rocelab::perf::RunOptions options;
  rocelab::perf::Processors processors;
  rocelab::perf::add_run_options(app, options);
  CLI11_PARSE(app, argc, argv);
  if (!rocelab::perf::begin_run("shm_ring", options, processors)) return 2;
  return rocelab::perf::run_measurements("shm_ring", rocelab::perf::measurements(processors, options.scale), processors,
                                         options);
}
