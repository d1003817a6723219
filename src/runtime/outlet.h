// A port as the sending side sees it: remembers whether everything committed has been passed on. A port may keep frames
// back (the ring is full, or it injects delays), so it is flushed again until it has given them all.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "net/port.h"

namespace rocelab::runtime {

struct Outlet {
  /// A frame that has not left by then was lost (fault injection, a link that died).
  static constexpr base::Duration kBacklogFor = base::Duration::s(1);

  net::Port* port = nullptr;
  std::uint32_t backlog = 0;  ///< committed, not yet given; a guess on ports that lose or duplicate
  base::TimePoint committed;

  void commit(std::size_t bytes, base::TimePoint now) {
    port->tx_commit(bytes);
    ++backlog;
    committed = now;
  }
  /// Returns how many frames the other side was given.
  std::size_t flush(base::TimePoint now) {
    const std::size_t given = port->tx_flush();
    backlog = given >= backlog || now - committed > kBacklogFor ? 0 : backlog - static_cast<std::uint32_t>(given);
    return given;
  }
};

}  // namespace rocelab::runtime
