// The GID table and the partition keys, as the many functions that have been added over the years see them.
#include <endian.h>
#include <infiniband/verbs.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "verbs/context.h"
#include "verbs/status.h"

using namespace rocelab;
using verbs::Context;

namespace {

inline constexpr std::uint16_t kDefaultPkey = 0xffff;  ///< full membership of the default partition; RoCE has no other

/// EINVAL: no such port or index.
base::Result<rxe::GidEntry> read_entry(ibv_context* context, std::uint32_t port, std::uint32_t index) {
  if (context == nullptr || port != 1) return base::fail(EINVAL, "the device has one port, number 1");
  return Context::of(context).engine([&](rxe::Device& engine, base::TimePoint) -> base::Result<rxe::GidEntry> {
    if (index >= engine.options().limits.gid_table_length) return base::fail(EINVAL, "beyond the GID table");
    return engine.gid(index);
  });
}

ibv_gid_entry to_entry(const rxe::GidEntry& from, std::uint32_t index) {
  ibv_gid_entry entry{};
  std::memcpy(entry.gid.raw, from.gid.bytes.data(), sizeof(entry.gid.raw));
  entry.gid_index = index;
  entry.port_num = 1;
  entry.gid_type = static_cast<std::uint32_t>(from.type);
  entry.ndev_ifindex = from.ndev_ifindex;
  return entry;
}

/// Writes as much of an entry as the caller's struct has room for.
void put_entry(const ibv_gid_entry& entry, void* to, std::size_t entry_size) {
  std::memset(to, 0, entry_size);
  std::memcpy(to, &entry, std::min(entry_size, sizeof(entry)));
}

}  // namespace

int _ibv_query_gid_ex(ibv_context* context, uint32_t port_num, uint32_t gid_index, ibv_gid_entry* entry, uint32_t flags,
                      size_t entry_size) {
  if (flags != 0) return verbs::refuse(EOPNOTSUPP);
  const auto found = read_entry(context, port_num, gid_index);
  if (!found) return verbs::refuse(found.error().code);
  if (!found->valid) return verbs::refuse(ENODATA);
  put_entry(to_entry(*found, gid_index), entry, entry_size);
  return 0;
}

ssize_t _ibv_query_gid_table(ibv_context* context, ibv_gid_entry* entries, size_t max_entries, uint32_t flags,
                             size_t entry_size) {
  if (flags != 0) return -verbs::refuse(EOPNOTSUPP);
  auto* to = reinterpret_cast<std::byte*>(entries);
  const auto count =
      Context::of(context).engine([&](rxe::Device& engine, base::TimePoint) -> base::Result<std::size_t> {
        std::size_t valid = 0;
        for (std::uint32_t i = 0; i < engine.options().limits.gid_table_length; ++i) {
          const base::Result<rxe::GidEntry> entry = engine.gid(i);
          if (!entry || !entry->valid) continue;
          if (valid == max_entries)
            return base::fail(EINVAL, "the table has more entries than the caller has room for");
          put_entry(to_entry(*entry, i), to + valid++ * entry_size, entry_size);
        }
        return valid;
      });
  return count ? static_cast<ssize_t>(*count) : -verbs::refuse(count.error().code);
}

int ibv_query_gid(ibv_context* context, uint8_t port_num, int index, union ibv_gid* gid) {
  const auto found = read_entry(context, port_num, static_cast<std::uint32_t>(index));
  if (!found) {
    errno = found.error().code;
    return -1;
  }
  const wire::Gid value = found->valid ? found->gid : wire::Gid{};  // an empty entry is zero, not an error
  std::memcpy(gid->raw, value.bytes.data(), sizeof(gid->raw));
  return 0;
}

/// Private, but pyverbs and ibv_devinfo use it. 0: RoCE v1 (as sysfs calls type "IB/RoCE v1"), 1: RoCE v2.
extern "C" int ibv_query_gid_type(ibv_context* context, uint8_t port_num, unsigned int index, unsigned int* type) {
  const auto found = read_entry(context, port_num, index);
  if (!found) {
    errno = found.error().code;
    return -1;
  }
  *type = found->valid && found->type == rxe::GidType::kRoceV2 ? 1 : 0;
  return 0;
}

int ibv_query_pkey(ibv_context* context, uint8_t port_num, int index, __be16* pkey) {
  rxe::VerbsDevice* device = context != nullptr ? verbs::local_of(context) : nullptr;
  const int code = device == nullptr || !device->usable() ? (context == nullptr ? EINVAL : ENODEV)
                   : port_num != 1 || index < 0 || index >= device->limits().pkey_table_length ? EINVAL
                                                                                               : 0;
  if (code != 0) {
    errno = code;
    return -1;
  }
  *pkey = htobe16(kDefaultPkey);
  return 0;
}

int ibv_get_pkey_index(ibv_context* context, uint8_t port_num, __be16 pkey) {
  __be16 entry = 0;
  for (int i = 0;; ++i) {
    const int status = ibv_query_pkey(context, port_num, i, &entry);
    if (status < 0) return status;
    if (entry == pkey) return i;
  }
}
