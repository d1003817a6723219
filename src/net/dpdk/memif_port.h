// A link to one other process of this machine through shared memory (DPDK's net_memif): two rings of frame buffers, a
// unix socket for the handshake. The server binds the socket, the client connects and owns the memory. Either may start
// first, die and be followed by a successor: link_up() tells whether frames can pass just now.
//
// As net::Port says, the owner serialises calls, from whichever threads. The handshake runs on EAL's own thread and is
// kept apart from the owner's calls inside. Starts EAL when it is not running yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/frame_codec.h"
#include "net/port.h"

namespace rocelab::net::dpdk {

struct MemifOptions {
  std::string socket_path;          ///< unix socket; its directory decides who may connect; at most 107 bytes
  bool server = false;              ///< exactly one of the two; several servers of a process may share a socket path
  std::uint32_t id = 0;             ///< tells links with the same socket path apart; equal on both sides
  std::uint32_t ring_slots = 1024;  ///< frames each direction holds; power of two, 64..16384
  std::size_t frame_bytes_max = kFrameBytesMax;  ///< a frame is one buffer; the client's choice counts; 64..16384
};

class MemifPort {
 public:
  /// The port exists from here on; the link comes up when both sides do.
  static base::TextResult<std::unique_ptr<Port>> create(const MemifOptions& options);
};

}  // namespace rocelab::net::dpdk
