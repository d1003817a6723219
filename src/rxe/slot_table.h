// Dense table of objects by small number: O(1) insert, find and erase, addresses stable for the object's life. Used for
// PDs, CQs, SRQs and AHs; owned by Device. Numbers start at 1, so that a zero-initialised id names nothing. The
// number freed last is reused first. Not thread-safe; insert may allocate (it is a verbs call).
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/result.h"

namespace rocelab::rxe {

template <class T>
class SlotTable {
 public:
  explicit SlotTable(std::size_t count_max) : count_max_(count_max), slots_(1) {}

  /// Builds a T from `args`; ENOMEM when the table is full.
  template <class... Args>
  base::Result<std::uint32_t> emplace(Args&&... args) {
    if (count_ == count_max_) return base::fail(ENOMEM, "no more objects of this kind: the device's limit is reached");
    auto object = std::make_unique<T>(std::forward<Args>(args)...);
    std::uint32_t id;
    if (free_.empty()) {
      id = static_cast<std::uint32_t>(slots_.size());
      slots_.push_back(std::move(object));
      free_.reserve(slots_.capacity());  // so that erase never allocates
    } else {
      id = free_.back();
      free_.pop_back();
      slots_[id] = std::move(object);
    }
    ++count_;
    return id;
  }
  /// nullptr when nothing has this number.
  T* find(std::uint32_t id) const { return id < slots_.size() ? slots_[id].get() : nullptr; }
  /// Destroys the object; false when there is none.
  bool erase(std::uint32_t id) {
    if (find(id) == nullptr) return false;
    slots_[id].reset();
    free_.push_back(id);
    --count_;
    return true;
  }
  std::size_t size() const { return count_; }
  /// Calls visit(id, object) in the order of numbers.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::uint32_t id = 1; id < slots_.size(); ++id) {
      if (slots_[id]) visit(id, *slots_[id]);
    }
  }

 private:
  std::size_t count_max_;
  std::size_t count_ = 0;
  std::vector<std::unique_ptr<T>> slots_;  ///< [0] stays empty
  std::vector<std::uint32_t> free_;
};

}  // namespace rocelab::rxe
