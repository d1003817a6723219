// Destroying a CQ, QP or SRQ waits until the application has acknowledged every event it has read about it, as
// ibv_get_async_event and ibv_get_cq_event document.
#pragma once

#include <pthread.h>

#include <cstdint>

namespace rocelab::verbs {

/// Waits until the counter (guarded by the mutex, announced by the condition) has reached `delivered`.
inline void wait_acknowledged(pthread_mutex_t& mutex, pthread_cond_t& changed, const std::uint32_t& completed,
                              std::uint32_t delivered) {
  pthread_mutex_lock(&mutex);
  while (static_cast<std::int32_t>(completed - delivered) < 0) pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
}

}  // namespace rocelab::verbs
