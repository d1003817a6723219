// Copies what passes a port into a capture file.
#include "net/capture_port.h"

#include <time.h>

#include <utility>

#include "net/pcapng_writer.h"

namespace rocelab::net {

namespace {

/// Wireshark shows wall-clock time.
std::uint64_t epoch_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

CapturePort::CapturePort(std::unique_ptr<Port> inner, std::shared_ptr<PcapngWriter> writer)
    : inner_(std::move(inner)), writer_(std::move(writer)), interface_(writer_->add_interface(inner_->name())) {}

CapturePort::~CapturePort() { writer_->flush(); }

std::byte* CapturePort::tx_reserve(std::size_t bytes) { return reservation_ = inner_->tx_reserve(bytes); }

void CapturePort::tx_commit(std::size_t bytes) {
  if (std::byte* const frame = std::exchange(reservation_, nullptr); frame != nullptr) {
    writer_->append(interface_, epoch_ns(), CaptureDirection::kOutbound, {frame, bytes});
    unwritten_ = true;
  }
  inner_->tx_commit(bytes);
}

std::size_t CapturePort::rx_burst(std::span<Frame> out) {
  const std::size_t count = inner_->rx_burst(out);
  if (count == 0) {
    if (std::exchange(unwritten_, false)) writer_->flush();  // a pause: whoever reads the file sees all of it
    return 0;
  }
  const std::uint64_t now_ns = epoch_ns();
  for (const Frame frame : out.first(count)) writer_->append(interface_, now_ns, CaptureDirection::kInbound, frame);
  unwritten_ = true;
  return count;
}

}  // namespace rocelab::net
