// How many objects a device may have, and how much memory may be registered, when others count with it: all processes
// of a host share one device. The owner of an engine hands in a Quota (DeviceOptions::quota); every verb that makes an
// object charges it first and every verb that ends one gives it back. Without a Quota only the engine's own limits
// hold.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace rocelab::rxe {

enum class Resource : std::uint8_t {
  kQp,
  kCq,
  kMr,
  kMw,
  kPd,
  kSrq,
  kAh,
  kRegisteredBytes
};  ///< in the order of runtime/limits.cc
inline constexpr std::size_t kResourceCount = 8;

class Quota {
 public:
  virtual ~Quota() = default;
  /// Takes `amount` or fails with the errno that the verb shall return.
  virtual base::Result<void> charge(Resource resource, std::uint64_t amount) = 0;
  virtual void give_back(Resource resource, std::uint64_t amount) noexcept = 0;
};

/// What a verb has charged and gives back on its way out, unless it keeps it because the object exists now.
class Charge {
 public:
  explicit Charge(Quota* quota) : quota_(quota) {}
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  ~Charge() {
    for (std::size_t i = 0; i < count_; ++i) quota_->give_back(taken_[i].resource, taken_[i].amount);
  }

  /// At most two times.
  base::Result<void> take(Resource resource, std::uint64_t amount = 1) {
    if (quota_ == nullptr || amount == 0) return {};
    const auto charged = quota_->charge(resource, amount);
    if (charged) taken_[count_++] = {resource, amount};
    return charged;
  }
  void keep() { count_ = 0; }

 private:
  struct Taken {
    Resource resource;
    std::uint64_t amount;
  };
  Quota* quota_;
  std::size_t count_ = 0;
  Taken taken_[2]{};
};

/// An object is gone.
inline void give_back(Quota* quota, Resource resource, std::uint64_t amount = 1) {
  if (quota != nullptr && amount != 0) quota->give_back(resource, amount);
}

}  // namespace rocelab::rxe
