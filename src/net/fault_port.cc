// Deciding over each frame's fate, and keeping back what comes later.
#include "net/fault_port.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>
#include <utility>

namespace rocelab::net {

namespace {

constexpr std::uint32_t kMillion = 1'000'000;
constexpr std::uint32_t kDelayFramesMax = 64;

struct Key {
  std::string_view name;
  std::uint64_t low;
  std::uint64_t high;
  void (*set)(FaultOptions& options, std::uint64_t value);
};

std::uint32_t narrow(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

constexpr std::array<Key, 7> kKeys{{
    {"seed", 0, std::numeric_limits<std::uint64_t>::max(), [](FaultOptions& o, std::uint64_t v) { o.seed = v; }},
    {"loss", 0, kMillion, [](FaultOptions& o, std::uint64_t v) { o.loss_ppm = narrow(v); }},
    {"corrupt", 0, kMillion, [](FaultOptions& o, std::uint64_t v) { o.corrupt_ppm = narrow(v); }},
    {"duplicate", 0, kMillion, [](FaultOptions& o, std::uint64_t v) { o.duplicate_ppm = narrow(v); }},
    {"reorder", 0, kMillion, [](FaultOptions& o, std::uint64_t v) { o.reorder_ppm = narrow(v); }},
    {"delay", 0, kMillion, [](FaultOptions& o, std::uint64_t v) { o.delay_ppm = narrow(v); }},
    {"delay_frames", 1, kDelayFramesMax, [](FaultOptions& o, std::uint64_t v) { o.delay_frames = narrow(v); }},
}};

}  // namespace

base::TextResult<FaultOptions> parse_faults(std::string_view text) {
  FaultOptions options;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const std::string_view name = item.substr(0, item.find('='));
    const std::string_view value = item.substr(std::min(item.size(), name.size() + 1));
    const auto key = std::find_if(kKeys.begin(), kKeys.end(), [name](const Key& k) { return k.name == name; });
    if (key == kKeys.end()) {
      return base::fail_text(fmt::format(
          "faults: \"{}\": expected seed, loss, corrupt, duplicate, reorder, delay or delay_frames, each =NUMBER",
          item));
    }
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || number < key->low || number > key->high) {
      return base::fail_text(
          fmt::format("faults: {}=\"{}\": expected a number from {} to {}", name, value, key->low, key->high));
    }
    key->set(options, number);
  }
  return options;
}

FaultPort::FaultPort(std::unique_ptr<Port> inner, const FaultOptions& options, std::string_view stream)
    : inner_(std::move(inner)),
      options_(options),
      rng_(options.seed, stream),
      staging_(inner_->frame_bytes_max()),
      held_bytes_(kHeldMax * inner_->frame_bytes_max()),
      held_(kHeldMax) {}

std::byte* FaultPort::tx_reserve(std::size_t bytes) {
  return inner_->tx_reserve(bytes) == nullptr ? nullptr : staging_.data();
}

void FaultPort::tx_commit(std::size_t bytes) {
  const std::uint64_t number = sent_++;
  idle_bursts_ = 0;
  // All drawn for every frame: what one frame suffers does not move the others' chances.
  const bool lost = rng_.chance(options_.loss_ppm, kMillion);
  const bool corrupted = rng_.chance(options_.corrupt_ppm, kMillion);
  const std::uint64_t bit = rng_.next() % (std::max<std::size_t>(bytes, 1) * 8);
  const unsigned copies = rng_.chance(options_.duplicate_ppm, kMillion) ? 2 : 1;
  const bool reordered = rng_.chance(options_.reorder_ppm, kMillion);
  const bool delayed = rng_.chance(options_.delay_ppm, kMillion);

  if (lost) {
    ++faults_.lost;
  } else {
    if (corrupted) {
      staging_[bit / 8] ^= std::byte{1} << (bit % 8);
      ++faults_.corrupted;
    }
    if (copies > 1) ++faults_.duplicated;
    if (reordered && hold(bytes, copies, number + 1)) {
      ++faults_.reordered;
    } else if (!reordered && delayed && hold(bytes, copies, number + options_.delay_frames)) {
      ++faults_.delayed;
    } else {
      send(staging_.data(), bytes, copies);
    }
  }
  release(number);
}

void FaultPort::send(const std::byte* frame, std::size_t bytes, unsigned copies) {
  for (; copies != 0; --copies) {
    std::byte* const room = inner_->tx_reserve(bytes);
    if (room == nullptr) {
      ++faults_.squeezed_out;
      continue;
    }
    std::memcpy(room, frame, bytes);
    inner_->tx_commit(bytes);
  }
}

bool FaultPort::hold(std::size_t bytes, unsigned copies, std::uint64_t due) {
  if (bytes == 0) return false;
  const auto place = std::find_if(held_.begin(), held_.end(), [](const Held& held) { return held.bytes == 0; });
  if (place == held_.end()) return false;
  *place = {due, sent_ - 1, bytes, copies};
  std::memcpy(held_bytes_.data() + (place - held_.begin()) * static_cast<std::ptrdiff_t>(staging_.size()),
              staging_.data(), bytes);
  ++held_count_;
  return true;
}

void FaultPort::release(std::uint64_t number) {
  while (held_count_ != 0) {
    Held* next = nullptr;
    for (Held& held : held_) {
      if (held.bytes == 0 || held.due > number) continue;
      if (next == nullptr || held.number < next->number) next = &held;
    }
    if (next == nullptr) return;
    send(held_bytes_.data() + (next - held_.data()) * static_cast<std::ptrdiff_t>(staging_.size()), next->bytes,
         next->copies);
    next->bytes = 0;
    --held_count_;
  }
}

std::size_t FaultPort::rx_burst(std::span<Frame> out) {
  if (held_count_ != 0 && ++idle_bursts_ >= kIdleBurstsMax) {
    release(std::numeric_limits<std::uint64_t>::max());
    inner_->tx_flush();
  }
  return inner_->rx_burst(out);
}

}  // namespace rocelab::net
