// The buffer behind ibv_wr_*: see wr_builder.h.
#include "verbs/wr_builder.h"

#include <algorithm>
#include <cerrno>
#include <new>

namespace rocelab::verbs {

std::unique_ptr<WrBuilder> WrBuilder::create(const rxe::QpCap& cap, std::uint32_t inline_max) {
  std::unique_ptr<WrBuilder> builder(new (std::nothrow) WrBuilder());
  if (!builder) return nullptr;
  builder->capacity_ = cap.max_send_wr;
  builder->sges_each_ = std::max<std::size_t>(cap.max_send_sge, 1);
  builder->inline_each_ = std::min(cap.max_inline_data, inline_max);
  builder->requests_.reset(new (std::nothrow) rxe::SendRequest[builder->capacity_]);
  builder->sges_.reset(new (std::nothrow) rxe::Sge[builder->capacity_ * builder->sges_each_]);
  builder->inline_.reset(new (std::nothrow)
                             std::byte[std::max<std::size_t>(builder->capacity_ * builder->inline_each_, 1)]);
  if (!builder->requests_ || !builder->sges_ || !builder->inline_) return nullptr;
  return builder;
}

void WrBuilder::start() {
  building_.lock();
  count_ = 0;
  error_ = 0;
  current_ = &scratch_;
}

void WrBuilder::abort() { building_.unlock(); }

rxe::SendRequest& WrBuilder::append(std::uint64_t wr_id, std::uint32_t flags) {
  if (count_ == capacity_) {
    fail(ENOMEM);
    current_ = &scratch_;
  } else {
    current_ = &requests_[count_++];
  }
  *current_ = rxe::SendRequest();
  current_->wr_id = wr_id;
  current_->flags = flags;
  return *current_;
}

std::span<rxe::Sge> WrBuilder::sges(std::size_t count) {
  if (current_ == &scratch_) return {};
  if (count > sges_each_) {
    fail(EINVAL);
    return {};
  }
  return {sges_.get() + (count_ - 1) * sges_each_, count};
}

std::span<std::byte> WrBuilder::inline_bytes(std::size_t length) {
  if (current_ == &scratch_) return {};
  if (length > inline_each_) {
    fail(EINVAL);
    return {};
  }
  return {inline_.get() + (count_ - 1) * inline_each_, length};
}

}  // namespace rocelab::verbs
