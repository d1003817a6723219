// See fork_watch.h. The list's mutex is held across fork(), so the child finds the list whole.
#include "runtime/fork_watch.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

namespace rocelab::runtime {

namespace {

struct Watch {
  std::mutex mutex;
  std::vector<ForkListener*> listeners;
  std::atomic<std::uint32_t> generation{0};
};

Watch& watch() {
  static Watch* const the_watch = [] {
    auto* const instance = new Watch;  // never freed: forks may happen while statics are being destroyed
    pthread_atfork([] { watch().mutex.lock(); }, [] { watch().mutex.unlock(); },
                   [] {
                     Watch& w = watch();
                     w.generation.fetch_add(1, std::memory_order_relaxed);
                     for (ForkListener* listener : w.listeners) listener->abandon();
                     w.listeners.clear();
                     w.mutex.unlock();
                   });
    return instance;
  }();
  return *the_watch;
}

}  // namespace

void watch_forks(ForkListener& listener) {
  const std::lock_guard guard(watch().mutex);
  watch().listeners.push_back(&listener);
}

void unwatch_forks(ForkListener& listener) {
  const std::lock_guard guard(watch().mutex);
  std::erase(watch().listeners, &listener);
}

std::uint32_t fork_generation() { return watch().generation.load(std::memory_order_relaxed); }

}  // namespace rocelab::runtime
