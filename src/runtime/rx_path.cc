// See rx_path.h.
#include "runtime/rx_path.h"

#include "net/frame_codec.h"
#include "runtime/connection_service.h"

namespace rocelab::runtime {

std::size_t RxPath::receive(net::Port& port, base::TimePoint now) {
  const std::size_t count = port.rx_burst(frames_);
  if (count == 0) return 0;
  const std::uint32_t checked = port.rx_checked();
  const bool shared = &port == shared_;
  for (std::size_t i = 0; i < count; ++i) {
    if (i + 1 < count) __builtin_prefetch(frames_[i + 1].data());
    ++counters_.rx_frames;
    counters_.rx_bytes += frames_[i].size();
    const auto decoded = (checked >> i & 1) != 0 ? net::decode_checked_frame(frames_[i], packet_)
                                                 : net::decode_frame(frames_[i], packet_);
    if (sniffed_ && decoded) [[unlikely]]
      steer(frames_[i], true, now);
    if (decoded) {
      dispatch(frames_[i], shared, now);
    } else if (const bool ours =
                   decoded.error() == wire::FrameError::kNotRoce && is_about_neighbour(frames_[i], shared, now);
               !steer(frames_[i], false, now) && !ours) {
      ++counters_.rx_errors[static_cast<std::size_t>(decoded.error())];
    }
  }
  if (shared) handover_->flush(now);
  port.rx_release();
  return count;
}

bool RxPath::is_about_neighbour(net::Frame frame, bool shared, base::TimePoint now) {
  if (!share_groups_ || !shared_->hear(frame)) return false;
  if (shared) handover_->pass_to_all(frame, now);
  return true;
}

void RxPath::follow_sniffers() {
  sniffed_ = false;
  for (const rxe::Device* engine : engines_) sniffed_ = sniffed_ || (engine != nullptr && engine->sniffs());
}

bool RxPath::steer(net::Frame frame, bool roce, base::TimePoint now) {
  bool taken = false;
  for (rxe::Device* engine : engines_) taken = (engine != nullptr && engine->handle_frame(now, frame, roce)) || taken;
  return taken;
}

void RxPath::dispatch(net::Frame frame, bool shared, base::TimePoint now) {
  const std::uint32_t where = routes_.find(packet_.path.destination_gid);
  if (where == Routes::kMulticast) {
    if (shared && share_groups_) handover_->pass_to_all(frame, now);
    for (rxe::Device* engine : engines_) {
      if (engine != nullptr) engine->handle_packet(now, packet_);
    }
    return;
  }
  const rxe::Qpn qpn = packet_.bth.destination_qpn;
  const bool ours = qpn >> 16 == slot_ || qpn == rxe::kGsiQpn;
  if (shared && where != Routes::kElsewhere) {
    if (qpn == rxe::kGsiQpn) handover_->pass_to_all(frame, now);  // each process has its QP1
    if (!ours) return handover_->pass_on(qpn >> 16, frame, now);
  }
  if (where == Routes::kElsewhere || !ours || engines_[where] == nullptr) {
    ++counters_.rx_not_for_us;
    return;
  }
  if (qpn == rxe::kGsiQpn && connections_[where] != nullptr && connections_[where]->handle_packet(now, packet_)) return;
  engines_[where]->handle_packet(now, packet_);
}

}  // namespace rocelab::runtime
