// From ibv work requests to the engine's: what post_send, post_recv and the ibv_wr_* calls share. No allocation, no
// copy of scatter/gather lists: the two structs are the same.
#pragma once

#include <endian.h>
#include <infiniband/verbs.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "rxe/types.h"

namespace rocelab::verbs {

static_assert(sizeof(ibv_sge) == sizeof(rxe::Sge) && offsetof(ibv_sge, addr) == offsetof(rxe::Sge, addr) &&
              offsetof(ibv_sge, length) == offsetof(rxe::Sge, length) &&
              offsetof(ibv_sge, lkey) == offsetof(rxe::Sge, lkey));

/// A negative count becomes one that no queue accepts.
inline std::span<const rxe::Sge> sges_of(const ibv_sge* list, int count) {
  return {reinterpret_cast<const rxe::Sge*>(list), static_cast<std::size_t>(static_cast<std::uint32_t>(count))};
}

/// Whether the queue's largest list could be meant; the engine compares with the queue's own limit.
inline constexpr int kSgesMax = 1024;

}  // namespace rocelab::verbs
