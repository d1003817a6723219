// Address handles, and address vectors between the two worlds. Owned by the application.
#pragma once

#include <infiniband/verbs.h>

#include <cstring>

#include "base/result.h"
#include "rxe/types.h"
#include "verbs/linked_list.h"
#include "wire/gid.h"

namespace rocelab::verbs {

struct Context;

struct Ah : ibv_ah, Linked<Ah> {
  static Ah& of(ibv_ah* ah) { return *static_cast<Ah*>(ah); }
  rxe::AhId id{};
};

inline wire::Gid to_gid(const union ibv_gid& gid) {
  wire::Gid out;
  static_assert(sizeof(gid.raw) == sizeof(out.bytes));
  std::memcpy(out.bytes.data(), gid.raw, sizeof(gid.raw));
  return out;
}

/// The address vector for the engine, next hop resolved (which may block for an answer of the network). EINVAL: no GRH,
/// another port, no such source GID; EHOSTUNREACH, ETIMEDOUT: no way there.
base::Result<rxe::AddressVector> resolve(Context& context, const ibv_ah_attr& attr);
ibv_ah_attr to_ah_attr(const rxe::AddressVector& av);

}  // namespace rocelab::verbs
