// A tap: passes every call on to another port and writes the frames of both directions to a pcapng file. Several ports
// of a process may share one writer, each as an interface of the file. A frame is recorded when it is committed or
// received, whatever happens to it afterwards. The file is brought up to date in every pause (an empty rx_burst).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/port.h"

namespace rocelab::net {

class PcapngWriter;  // net/pcapng_writer.h

class CapturePort final : public Port {
 public:
  /// Wraps `inner`; adds an interface with its name to the writer's file. The owner serialises the calls of all ports
  /// that share a writer.
  CapturePort(std::unique_ptr<Port> inner, std::shared_ptr<PcapngWriter> writer);
  ~CapturePort() override;

  std::string_view name() const override { return inner_->name(); }
  std::size_t frame_bytes_max() const override { return inner_->frame_bytes_max(); }
  std::byte* tx_reserve(std::size_t bytes) override;
  void tx_commit(std::size_t bytes) override;
  std::size_t tx_flush() override { return inner_->tx_flush(); }
  bool tx_waiting() const override { return inner_->tx_waiting(); }
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

 private:
  std::unique_ptr<Port> inner_;
  std::shared_ptr<PcapngWriter> writer_;
  std::uint32_t interface_;           ///< number within the file
  std::byte* reservation_ = nullptr;  ///< what tx_commit will record
  bool unwritten_ = false;            ///< recorded since the file was last brought up to date
};

}  // namespace rocelab::net
