// A UD QP on a LocalDevice that listens to a multicast group and sends to it, for the tests of src/runtime.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/local_device.h"

namespace rocelab::tests {

class DatagramEndpoint {
 public:
  /// Attached to the group, and able to send. Aborts when any of it fails.
  DatagramEndpoint(runtime::LocalDevice& device, const wire::Gid& group);
  ~DatagramEndpoint();
  DatagramEndpoint(const DatagramEndpoint&) = delete;
  DatagramEndpoint& operator=(const DatagramEndpoint&) = delete;

  void post_recv();
  /// One datagram with the text to the group; waits for its completion.
  rxe::WcStatus send(const std::string& text);
  /// Waits for a datagram.
  std::string wait();

 private:
  rxe::Completion poll_until(bool receive);

  runtime::LocalDevice& device_;
  const wire::Gid group_;
  std::vector<std::byte> memory_;
  std::vector<rxe::Completion> received_;  ///< seen while waiting for something else
  rxe::PdId pd_{};
  rxe::CqId cq_{};
  rxe::MrInfo mr_;
  rxe::AhId ah_{};
  rxe::Qpn qpn_ = 0;
};

}  // namespace rocelab::tests
