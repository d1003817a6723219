// Two engines in one process, connected by one RC queue pair, whose packets travel as encoded frames in a small array:
// the stage on which bm_engine times each part of an exchange by itself. Owned by a benchmark; one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/frame_codec.h"
#include "rxe/device.h"

namespace rocelab::perf {

/// Takes packets as frames, as a port's ring would.
class FrameSink final : public rxe::TxSink {
 public:
  static constexpr std::size_t kFramesMax = 256;

  bool transmit(const wire::Packet& packet) override;
  std::span<const std::byte> frame(std::size_t i) const { return std::span(frames_[i]).first(lengths_[i]); }
  std::size_t size() const { return size_; }
  void clear() { size_ = 0; }

 private:
  std::vector<std::array<std::byte, net::kFrameBytesMax>> frames_{kFramesMax};
  std::array<std::size_t, kFramesMax> lengths_{};
  std::size_t size_ = 0;
};

/// Takes a fresh RC queue pair to RTS, towards queue pair `peer_qpn` of the device with GID `peer_gid`.
bool connect_rc(rxe::Device& device, rxe::Qpn qpn, const wire::Gid& peer_gid, const wire::MacAddress& peer_mac,
                rxe::Qpn peer_qpn, std::uint32_t access);

/// One engine with its memory and queue pair.
class EngineEnd {
 public:
  explicit EngineEnd(std::uint8_t number);
  bool connect(const EngineEnd& peer);

  /// A request for `length` bytes at the start of both memories.
  rxe::SendRequest request(rxe::SendOpcode opcode, std::uint32_t length, bool signaled, const EngineEnd& peer);
  bool post_receive();

  rxe::Device device;
  rxe::CqId cq{};
  rxe::Qpn qpn = 0;
  bool valid = false;
  FrameSink sink;

 private:
  bool create();

  std::uint8_t number_;
  rxe::PdId pd_{};
  rxe::MrInfo region_{};
  rxe::Sge sge_{};
  std::vector<std::byte> memory_ = std::vector<std::byte>(1u << 20);
};

/// The two, and the steps of an exchange. `now` moves a microsecond a round.
class EnginePair {
 public:
  EnginePair();
  bool valid() const { return a.valid && b.valid; }

  /// Hands every frame in `from`'s sink to `to`, decoded; false when one does not decode.
  bool deliver(EngineEnd& from, EngineEnd& to);
  /// Lets an engine speak into its sink; returns the number of frames.
  std::size_t transmit(EngineEnd& end) { return end.device.poll_transmit(now, end.sink, FrameSink::kFramesMax / 2); }
  void advance() { now = now + base::Duration::us(1); }

  EngineEnd a{1};
  EngineEnd b{2};
  base::TimePoint now;
};

}  // namespace rocelab::perf
