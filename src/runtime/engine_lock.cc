// See engine_lock.h: the waiting that is not on anybody's fast path.
#include "runtime/engine_lock.h"

#include <poll.h>

namespace rocelab::runtime {

bool EngineLock::lock_unless_stuck() noexcept {
  constexpr int kTriesMax = 2000;  // a millisecond apart
  for (int tries = 0; tries < kTriesMax; ++tries) {
    if (try_lock()) return true;
    poll(nullptr, 0, 1);
  }
  return false;
}

}  // namespace rocelab::runtime
