// A port with faults: loses, duplicates, corrupts, delays and reorders frames on their way out of another port.
// Decisions come from a seed and the number of frames sent, never from time: the same frames with the same seed suffer
// the same faults. Tests use it, and whoever sets ROCELAB_FAULTS. Memory is taken once, at construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "net/port.h"

namespace rocelab::net {

/// Chances in parts per million of the frames sent; what a frame suffers is decided in the order of the fields.
struct FaultOptions {
  std::uint64_t seed = 0;
  std::uint32_t loss_ppm = 0;
  std::uint32_t corrupt_ppm = 0;    ///< one bit flips
  std::uint32_t duplicate_ppm = 0;  ///< the copy follows at once
  std::uint32_t reorder_ppm = 0;    ///< changes places with the next frame
  std::uint32_t delay_ppm = 0;      ///< held back while delay_frames others pass
  std::uint32_t delay_frames = 8;   ///< 1..64

  friend bool operator==(const FaultOptions&, const FaultOptions&) = default;
};

/// Reads "seed=7,loss=1000,corrupt=100,duplicate=100,reorder=1000,delay=500,delay_frames=8" (ppm; any subset, any
/// order). The message of a failure names the key, the value and the range.
base::TextResult<FaultOptions> parse_faults(std::string_view text);

/// What was done so far, in frames.
struct FaultCounters {
  std::uint64_t lost = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t delayed = 0;
  std::uint64_t squeezed_out = 0;  ///< lost because the port below had no room; not the seed's doing
};

class FaultPort final : public Port {
 public:
  /// `stream` names the random stream, so that several ports of one seed differ.
  FaultPort(std::unique_ptr<Port> inner, const FaultOptions& options, std::string_view stream);

  std::string_view name() const override { return inner_->name(); }
  std::size_t frame_bytes_max() const override { return inner_->frame_bytes_max(); }
  std::byte* tx_reserve(std::size_t bytes) override;
  void tx_commit(std::size_t bytes) override;
  std::size_t tx_flush() override { return inner_->tx_flush(); }
  /// Also true while frames are held back, so that the owner keeps polling and they leave in the end.
  bool tx_waiting() const override { return held_count_ != 0 || inner_->tx_waiting(); }
  /// Held frames leave when later frames have passed, or at the kIdleBurstsMax-th burst in a row without a new frame.
  std::size_t rx_burst(std::span<Frame> out) override;
  void rx_release() override { inner_->rx_release(); }
  std::uint32_t rx_checked() const override { return inner_->rx_checked(); }
  int wait_fd() const override { return inner_->wait_fd(); }
  void listen_to(std::span<const wire::Gid> groups) override { inner_->listen_to(groups); }
  std::optional<wire::MacAddress> neighbour(const wire::Gid& destination) const override {
    return inner_->neighbour(destination);
  }
  bool hear(Frame frame) override { return inner_->hear(frame); }
  void ask_for_neighbour(const wire::Gid& destination, const wire::Gid& source) override {
    inner_->ask_for_neighbour(destination, source);
  }
  void abandon() noexcept override { inner_->abandon(); }
  bool link_up() const override { return inner_->link_up(); }
  const PortCounters& counters() const override { return inner_->counters(); }
  const FaultCounters& faults() const { return faults_; }

  static constexpr std::size_t kHeldMax = 64;      ///< frames held back at a time; beyond that they pass
  static constexpr unsigned kIdleBurstsMax = 256;  ///< so that a held last frame is not held for ever

 private:
  struct Held {
    std::uint64_t due = 0;     ///< leaves after the frame with this number
    std::uint64_t number = 0;  ///< its own
    std::size_t bytes = 0;     ///< 0: a free place
    unsigned copies = 0;
  };

  void send(const std::byte* frame, std::size_t bytes, unsigned copies);
  bool hold(std::size_t bytes, unsigned copies, std::uint64_t due);
  /// Sends what is due after frame `number`, in the order of sending.
  void release(std::uint64_t number);

  std::unique_ptr<Port> inner_;
  const FaultOptions options_;
  base::Rng rng_;
  std::vector<std::byte> staging_;     ///< the reservation handed out
  std::vector<std::byte> held_bytes_;  ///< kHeldMax frames
  std::vector<Held> held_;
  std::size_t held_count_ = 0;
  std::uint64_t sent_ = 0;  ///< frames committed by the owner
  unsigned idle_bursts_ = 0;
  FaultCounters faults_;
};

}  // namespace rocelab::net
