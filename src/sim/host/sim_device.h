// The device of a simulated host as the verbs library sees it: the host's engine, under no lock (the processes of a
// host take turns) and in virtual time. Posting and polling cost what the host's profile says; a poll that finds
// nothing lets time go on until something happens at the host. Made by Host::verbs_device().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "rxe/verbs_device.h"
#include "sim/host/host_options.h"

namespace rocelab::sim {

class HostStack;

class SimDevice final : public rxe::VerbsDevice {
 public:
  /// An empty poll returns after so long at the latest: programs look at their own deadlines in between.
  static constexpr Duration kPatience = Duration::us(10);

  explicit SimDevice(Host& host);

  bool usable() const override { return true; }
  void set_event_handler(rxe::EventHandler* handler) override;
  rxe::Result<void> req_notify_cq(rxe::CqId cq, bool solicited_only) override;
  rxe::Result<wire::MacAddress> resolve(const wire::Gid& dgid, std::uint8_t sgid_index) override;
  std::size_t poll_cq(rxe::CqId cq, std::span<rxe::Completion> out) override;
  bool simulated() const override { return true; }
  void wait_for_event() override;

 private:
  rxe::TimePoint enter_to_post() override;
  rxe::TimePoint enter_to_control() override;
  void leave(rxe::TimePoint now) override;
  void leave_after_post(rxe::TimePoint now, std::uint32_t posted) override;
  void hold(rxe::TimePoint now, rxe::Qpn qpn, bool is_inline) override;
  std::size_t take_visible(rxe::CqId cq, std::span<rxe::Completion> out);
  rxe::TimePoint now() const;

  Host& host_;
  HostStack& stack_;
  mutable rxe::TimePoint last_now_;  ///< for calls after the run
};

}  // namespace rocelab::sim
