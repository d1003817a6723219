// perf/limits: what this machine can do at all between two processes, in one run: the yardstick for rocelab's figures.
// A mailbox (latency), a ring of 64-byte slots (message rate), a pipeline that copies and checks 4 KiB packets on both
// sides (bandwidth), and alone on one processor memcpy and the CRC. Prints a table, and CSV for perf/compare.
#include <isa-l/crc.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <vector>

#include "perf/measure.h"
#include "perf/options.h"
#include "perf/pair.h"

namespace rocelab::perf {
namespace {

constexpr std::size_t kLine = 64;         // bytes of a cache line, and of a slot
constexpr std::size_t kPacket = 4096;     // bytes of payload of a packet: RoCE's largest path MTU
constexpr std::size_t kMessage = 65'536;  // bytes of a message: what the goals for bandwidth are set for
constexpr std::size_t kRingSlots = 1024;
constexpr std::size_t kPipelineSlots = 256;
constexpr std::uint64_t kCreditEvery = 32;  // slots between two publications of the consumer's progress

/// A cache line with a sequence number: full when the number is the one that its reader waits for.
struct alignas(kLine) Slot {
  std::atomic<std::uint64_t> sequence;
  std::uint64_t words[7];
};
static_assert(sizeof(Slot) == kLine);

/// The consumer's progress, in a line of its own: the producer reads it only when it believes the ring full.
struct alignas(kLine) Credit {
  std::atomic<std::uint64_t> consumed;
};

void fill(Slot& slot, std::uint64_t sequence) {
  for (std::uint64_t& word : slot.words) word = sequence;
  slot.sequence.store(sequence, std::memory_order_release);
}

/// Waits until the slot carries `sequence`, then reads all of it. Returns the sum, so that the reading stays.
std::uint64_t take(const Slot& slot, std::uint64_t sequence, bool shared) {
  while (slot.sequence.load(std::memory_order_acquire) != sequence) relax(shared);
  std::uint64_t sum = 0;
  for (const std::uint64_t word : slot.words) sum += word;
  return sum;
}

/// Microseconds one way of a 64-byte message between two mailboxes, both sides polling.
double mailbox_us(const Processors& processors, std::uint64_t rounds) {
  SharedMemory memory(2 * sizeof(Slot));
  auto* box = memory.as<Slot>();
  const bool shared = processors.shared;
  const auto side = [&](std::size_t mine, std::size_t theirs, bool begins) {
    std::uint64_t sum = 0;
    for (std::uint64_t n = 1; n <= rounds; ++n) {
      if (begins) fill(box[theirs], n);
      sum += take(box[mine], n, shared);
      if (!begins) fill(box[theirs], n);
    }
    keep(sum);
  };
  const double seconds = run_pair(
      processors, [&] { side(0, 1, true); }, [&] { side(1, 0, false); });
  return seconds * 1e6 / static_cast<double>(rounds) / 2;
}

/// Producer side of any ring here: blocks until slot `n` (counted from 1) is free again.
void wait_for_room(const Credit& credit, std::uint64_t n, std::uint64_t slots, std::uint64_t& known, bool shared) {
  while (n - known > slots) {
    known = credit.consumed.load(std::memory_order_acquire);
    if (n - known > slots) relax(shared);
  }
}

/// Millions of 64-byte messages a second through a single-producer single-consumer ring.
double ring_mps(const Processors& processors, std::uint64_t count) {
  SharedMemory memory(sizeof(Credit) + kRingSlots * sizeof(Slot));
  auto* credit = memory.as<Credit>();
  auto* ring = reinterpret_cast<Slot*>(credit + 1);
  const bool shared = processors.shared;
  const auto produce = [&] {
    std::uint64_t known = 0;
    for (std::uint64_t n = 1; n <= count; ++n) {
      wait_for_room(*credit, n, kRingSlots, known, shared);
      fill(ring[n % kRingSlots], n);
    }
  };
  const auto consume = [&] {
    std::uint64_t sum = 0;
    for (std::uint64_t n = 1; n <= count; ++n) {
      sum += take(ring[n % kRingSlots], n, shared);
      if (n % kCreditEvery == 0) credit->consumed.store(n, std::memory_order_release);
    }
    keep(sum);
  };
  const double seconds = run_pair(processors, consume, produce);
  return static_cast<double>(count) / seconds / 1e6;
}

std::uint32_t crc(const std::byte* data, std::size_t length) {
  return crc32_gzip_refl(0xffffffffU, reinterpret_cast<const unsigned char*>(data), length);
}

/// Gigabytes a second of a bare pipeline: copy 4 KiB into shared memory and CRC it; CRC it and copy it out.
double pipeline_gbps(const Processors& processors, std::uint64_t packets) {
  const std::size_t head = sizeof(Credit) + kPipelineSlots * sizeof(Slot);
  SharedMemory memory(head + kPipelineSlots * kPacket);
  auto* credit = memory.as<Credit>();
  auto* slots = reinterpret_cast<Slot*>(credit + 1);
  auto* bytes = memory.as<std::byte>() + head;
  const bool shared = processors.shared;
  const std::vector<std::byte> source(kMessage, std::byte{0x5a});
  std::vector<std::byte> target(kMessage);

  const auto produce = [&] {
    std::uint64_t known = 0;
    for (std::uint64_t n = 1; n <= packets; ++n) {
      wait_for_room(*credit, n, kPipelineSlots, known, shared);
      std::byte* packet = bytes + n % kPipelineSlots * kPacket;
      std::memcpy(packet, source.data() + n * kPacket % kMessage, kPacket);
      Slot& slot = slots[n % kPipelineSlots];
      slot.words[0] = crc(packet, kPacket);
      slot.sequence.store(n, std::memory_order_release);
    }
  };
  std::uint64_t wrong = 0;
  const auto consume = [&] {
    for (std::uint64_t n = 1; n <= packets; ++n) {
      const Slot& slot = slots[n % kPipelineSlots];
      while (slot.sequence.load(std::memory_order_acquire) != n) relax(shared);
      const std::byte* packet = bytes + n % kPipelineSlots * kPacket;
      if (crc(packet, kPacket) != slot.words[0]) ++wrong;
      std::memcpy(target.data() + n * kPacket % kMessage, packet, kPacket);
      if (n % 4 == 0) credit->consumed.store(n, std::memory_order_release);
    }
  };
  const double seconds = run_pair(processors, consume, produce);
  if (wrong != 0 || std::memcmp(target.data(), source.data(), kMessage) != 0) return -1;
  return static_cast<double>(packets * kPacket) / seconds / 1e9;
}

/// Gigabytes a second of copying messages of 64 KiB packet by packet, in the cache.
double memcpy_gbps(std::uint64_t packets) {
  const std::vector<std::byte> source(kMessage, std::byte{1});
  std::vector<std::byte> target(kMessage);
  const double seconds = seconds_of([&] {
    for (std::uint64_t n = 0; n < packets; ++n) {
      std::memcpy(target.data() + n * kPacket % kMessage, source.data() + n * kPacket % kMessage, kPacket);
      asm volatile("" : : "r"(target.data()) : "memory");
    }
  });
  return static_cast<double>(packets * kPacket) / seconds / 1e9;
}

/// Gigabytes a second of ISA-L's CRC-32 (the ICRC's polynomial) over 4 KiB.
double icrc_gbps(std::uint64_t packets) {
  const std::vector<std::byte> source(kMessage, std::byte{1});
  std::uint64_t sum = 0;
  const double seconds = seconds_of([&] {
    for (std::uint64_t n = 0; n < packets; ++n) sum += crc(source.data() + n * kPacket % kMessage, kPacket);
  });
  keep(sum);
  return static_cast<double>(packets * kPacket) / seconds / 1e9;
}

std::vector<Measurement> measurements(const Processors& cpus, double scale) {
  const auto times = [=](double n) { return scaled(n, scale); };
  const double slow = cpus.shared ? 0.02 : 1;  // one processor: every message costs a switch of processes
  return {
      {"mailbox_64B_latency", "us", [=] { return mailbox_us(cpus, times(500'000 * slow)); }},
      {"ring_64B_rate", "M/s", [=] { return ring_mps(cpus, times(10'000'000 * slow)); }},
      {"pipeline_4KiB_copy_crc_bandwidth", "GB/s", [=] { return pipeline_gbps(cpus, times(400'000 * slow)); }},
      {"memcpy_4KiB_bandwidth", "GB/s", [=] { return memcpy_gbps(times(2'000'000)); }},
      {"icrc_4KiB_bandwidth", "GB/s", [=] { return icrc_gbps(times(500'000)); }},
  };
}

}  // namespace
}  // namespace rocelab::perf

int main(int argc, char** argv) {
  CLI::App app("What this machine can do between two processes, without rocelab: the yardstick for perf/compare.");
  rocelab::perf::RunOptions options;
  rocelab::perf::Processors processors;
  rocelab::perf::add_run_options(app, options);
  CLI11_PARSE(app, argc, argv);
  if (!rocelab::perf::begin_run("limits", options, processors)) return 2;
  return rocelab::perf::run_measurements("limits", rocelab::perf::measurements(processors, options.scale), processors,
                                         options);
}
