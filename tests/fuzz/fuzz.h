// What the fuzz targets share. A target is a function of bytes; what it finds wrong ends the process, which libFuzzer
// reports with the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace rocelab::fuzz {

/// Ends the process with `what` unless `holds`.
inline void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: does not hold: %s\n", what);
  std::abort();
}

}  // namespace rocelab::fuzz
