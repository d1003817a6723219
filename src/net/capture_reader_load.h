// The one template that both halves of CaptureReader need: numbers in the file's byte order.
#pragma once

#include <cstddef>
#include <cstring>

#include "net/capture_reader.h"
#include "wire/bytes.h"

namespace rocelab::net {

template <class T>
T CaptureReader::load(const std::byte* p) const {
  T value;
  std::memcpy(&value, p, sizeof value);
  return swapped_ ? wire::swap_bytes(value) : value;
}

}  // namespace rocelab::net
