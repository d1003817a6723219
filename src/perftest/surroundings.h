// What a benchmark needs besides the verbs: a way to tell the other end a few bytes, a clock, and somewhere to print.
// Real programs have a socket and the machine's clock, simulated ones an exchange object and virtual time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rocelab::perftest {

class Surroundings {
 public:
  virtual ~Surroundings() = default;
  /// Sends `bytes` of `mine` and receives as many into `theirs`. False: the other end is gone.
  virtual bool swap(const void* mine, void* theirs, std::size_t bytes) = 0;
  /// Picoseconds on a clock that only goes forward.
  virtual std::uint64_t now_ps() = 0;
  virtual void print(std::string_view text) = 0;
};

enum class Role : std::uint8_t { kServer, kClient };

}  // namespace rocelab::perftest
