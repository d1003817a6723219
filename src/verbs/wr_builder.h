// Where requests are built between ibv_wr_start and ibv_wr_complete: arrays as long as the send queue, allocated with
// the QP, so that building allocates nothing. Not thread-safe: ibv_wr_start locks until ibv_wr_complete or
// ibv_wr_abort.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "rxe/types.h"

namespace rocelab::verbs {

struct Qp;

class WrBuilder {
 public:
  /// nullptr: no memory. `cap` as the engine has rounded it.
  static std::unique_ptr<WrBuilder> create(const rxe::QpCap& cap, std::uint32_t inline_max);

  void start();
  void abort();
  /// The next request with nothing set but wr_id and flags; a scratch one when the queue can't hold more, which
  /// complete() then reports.
  rxe::SendRequest& append(std::uint64_t wr_id, std::uint32_t flags);
  /// The request that setters fill.
  rxe::SendRequest& current() { return *current_; }
  /// Storage for its pieces; empty when more are asked for than the QP allows.
  std::span<rxe::Sge> sges(std::size_t count);
  /// Room for its inline data; empty when longer than the QP allows.
  std::span<std::byte> inline_bytes(std::size_t length);
  /// What went wrong while building; ibv_wr_complete reports it.
  void fail(int code) {
    if (error_ == 0) error_ = code;
  }
  int error() const { return error_; }
  std::span<const rxe::SendRequest> requests() const { return {requests_.get(), count_}; }
  /// Ends the section that start() began.
  void finish() { building_.unlock(); }

 private:
  WrBuilder() = default;

  std::mutex building_;
  std::unique_ptr<rxe::SendRequest[]> requests_;
  std::unique_ptr<rxe::Sge[]> sges_;
  std::unique_ptr<std::byte[]> inline_;
  rxe::SendRequest scratch_;
  rxe::SendRequest* current_ = &scratch_;
  std::size_t capacity_ = 0;
  std::size_t sges_each_ = 0;
  std::size_t inline_each_ = 0;
  std::size_t count_ = 0;
  int error_ = 0;
};

/// Sets the functions that the inline ibv_wr_* call (wr_api.cc).
void set_wr_operations(Qp& qp);

}  // namespace rocelab::verbs
