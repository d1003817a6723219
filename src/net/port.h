// A port: where whole Ethernet frames leave and arrive. Loopback, DPDK ethdevs (dpdk/) and wrappers around another port
// (pcapng tap, fault injection) stand behind this one class. Frames are written and read where they lie: a sender
// reserves room, writes, commits; a receiver looks at a burst and releases it.
//
// Not thread-safe: the owner (runtime::Driver, under its lock) serialises calls. Nothing here allocates after
// construction or makes a thread wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "wire/gid.h"
#include "wire/mac.h"

namespace rocelab::net {

/// A received frame; valid until rx_release().
using Frame = std::span<const std::byte>;

inline constexpr std::size_t kBurstMax = 32;  ///< frames of one rx_burst at most

struct PortCounters {
  std::uint64_t tx_frames = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_dropped = 0;  ///< committed but not accepted by what is below (link down, interface refused)
  std::uint64_t rx_frames = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_dropped = 0;  ///< arrived but unusable before decoding (too long, in pieces)
};

class Port {
 public:
  virtual ~Port() = default;

  virtual std::string_view name() const = 0;
  /// The longest frame that tx_reserve grants, FCS not counted.
  virtual std::size_t frame_bytes_max() const = 0;

  /// Room for one outgoing frame of up to `bytes`; nullptr: none now (ring full), or longer than frame_bytes_max().
  /// A reservation that is not committed is taken back by the next tx_reserve.
  virtual std::byte* tx_reserve(std::size_t bytes) = 0;
  /// The frame in the last reservation is complete and `bytes` long. It may leave now or at tx_flush().
  virtual void tx_commit(std::size_t bytes) = 0;
  /// Everything committed leaves now. Returns how many frames the other side has been given since the last call.
  virtual std::size_t tx_flush() = 0;
  /// True: frames are committed that could not leave yet (full ring); every later call tries again. An owner that is
  /// about to sleep looks at this first.
  virtual bool tx_waiting() const { return false; }

  /// Up to min(out.size(), kBurstMax) received frames, oldest first. Between two bursts there is an rx_release().
  virtual std::size_t rx_burst(std::span<Frame> out) = 0;
  virtual void rx_release() = 0;
  /// Bit i: the ICRC of the i-th frame of the last burst is known to be right. Others are to be checked.
  virtual std::uint32_t rx_checked() const { return 0; }

  /// Readable when frames may wait; -1: none (the owner must poll, or be woken by other means). The owner polls it and
  /// never reads from it; rx_burst drains it.
  virtual int wait_fd() const { return -1; }
  /// False once the other end is gone or the interface is down.
  virtual bool link_up() const { return true; }

  /// The multicast groups whose frames the owner wants, instead of those it wanted before. For ports that have to tell
  /// somebody; the others hear all of them.
  virtual void listen_to(std::span<const wire::Gid> /*groups*/) {}
  /// The MAC address of whoever has `destination`, if this port has learned it. For ports that find neighbours
  /// themselves.
  virtual std::optional<wire::MacAddress> neighbour(const wire::Gid& /*destination*/) const { return std::nullopt; }
  /// A frame that another process of the host has received. True: it told about a neighbour.
  virtual bool hear(Frame /*frame*/) { return false; }
  /// Asks the network for it, as `source`; a later burst may bring the answer.
  virtual void ask_for_neighbour(const wire::Gid& /*destination*/, const wire::Gid& /*source*/) {}
  /// In a child of fork(): lets go of what only the parent may have. Nothing passes from then on. Async-signal-safe.
  virtual void abandon() noexcept {}

  virtual const PortCounters& counters() const = 0;
};

}  // namespace rocelab::net
