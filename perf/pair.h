// Two pinned processes with memory in common, for measurements of what the machine can do between processes. Used by
// perf/limits; owns nothing of rocelab's engine, so that its figures stay an outside yardstick.
#pragma once

#include <immintrin.h>
#include <sched.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace rocelab::perf {

/// The two processors that a measurement runs on. When the machine offers one only, both are the same and `shared` is
/// set: the figures are then those of the scheduler, and whoever prints them has to say so.
struct Processors {
  int first = 0;
  int second = 0;
  bool shared = false;
  bool realtime = false;  ///< raise_priority() before measuring
};

/// Reads "A,B" (or picks the first two processors this process may run on, when text is empty). Sets `error` to a
/// sentence and returns anything when the text names a processor that is not available.
Processors pick_processors(const std::string& text, std::string& error);

/// Pins the calling thread; quietly does nothing when the system refuses.
void pin_to(int processor);
/// Gives the calling thread priority over everything ordinary on its processor, against neighbours that disturb and at
/// their expense. Threads that it has created or creates do not get it.
void raise_priority();

/// Zeroed memory that a forked child shares. Freed with the object; not copyable.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// The start as a T; T must be happy with all-zero bytes.
  template <class T>
  T* as() const {
    return static_cast<T*>(start_);
  }

 private:
  void* start_;
  std::size_t bytes_;
};

/// Forks: the child runs `other` on the second processor and exits, the caller runs `self` on the first. Returns the
/// seconds from the moment both are ready until `self` has returned, or a negative number when the child failed.
double run_pair(const Processors& processors, const std::function<void()>& self, const std::function<void()>& other);

/// A stream between the two processes of a session, for what they must tell each other outside the measurement. One
/// process that talks to itself hands in the two ends of a pipe.
class Channel {
 public:
  Channel(int in, int out) : in_(in), out_(out) {}

  /// Sends `bytes` bytes and receives as many. False when the other process has gone.
  bool exchange(const void* mine, void* theirs, std::size_t bytes);
  template <class T>
  bool exchange(const T& mine, T& theirs) {
    return exchange(&mine, &theirs, sizeof(T));
  }
  /// Waits until both are here. False when the other process has gone.
  bool barrier() {
    const char mine = 1;
    char theirs = 0;
    return exchange(mine, theirs);
  }
  /// One direction only. False when the other process has gone.
  bool send(const void* data, std::size_t bytes);
  bool receive(void* data, std::size_t bytes);

 private:
  int in_;
  int out_;
};

/// Forks and runs `side` in both processes, pinned; `first` tells which one it is. Returns the exit status of the
/// first; when the second fails, both end.
int run_session(const char* program, const Processors& processors,
                const std::function<int(Channel&, bool first)>& side);

/// What a polling loop does between two looks.
inline void relax(bool shared_processor) {
  if (shared_processor) {
    sched_yield();
  } else {
    _mm_pause();
  }
}

/// Seconds that `work` takes.
template <class Work>
double seconds_of(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace rocelab::perf
