// Limits on a device's objects that hold for all processes of the host together, and the numbers that they are compared
// with. What may be limited, and the errno of what is refused, are the kernel's: a device that has no more of something
// says ENOMEM, as does memory that may not be pinned (RLIMIT_MEMLOCK); the rdma cgroup's limit of objects says EAGAIN.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

#include "base/result.h"
#include "rxe/quota.h"

namespace rocelab::rxe {
struct DeviceAttr;
}

namespace rocelab::runtime {

class HostPage;

struct Limits {
  static constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
  Limits() { of.fill(kNone); }

  std::array<std::uint64_t, rxe::kResourceCount> of;  ///< by rxe::Resource
  std::uint64_t objects = kNone;                      ///< of any kind together, as hca_object of the rdma cgroup
};

/// "qp=100,memory=64M": any of qp, cq, mr, mw, pd, srq, ah, memory (bytes; K, M, G), objects, each once.
base::TextResult<Limits> parse_limits(std::string_view text);

/// What verbs report: the smaller of the engine's limit and the user's.
void lower(rxe::DeviceAttr& attr, const Limits& limits);

/// One device's account in the host page. Calls come under the engine lock.
class Account final : public rxe::Quota {
 public:
  /// `page` outlives the account; `index` is the device's.
  Account(HostPage& page, std::uint32_t device_index, const Limits& limits)
      : page_(page), first_(device_index * rxe::kResourceCount), limits_(limits) {}

  base::Result<void> charge(rxe::Resource resource, std::uint64_t amount) override;
  void give_back(rxe::Resource resource, std::uint64_t amount) noexcept override;

 private:
  bool exceeded(rxe::Resource resource, bool bury_dead) const;
  bool too_many_objects(bool bury_dead) const;

  HostPage& page_;
  std::size_t first_;
  Limits limits_;
};

}  // namespace rocelab::runtime
