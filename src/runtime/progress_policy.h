// Who drives: the application from its poll_cq, or the progress thread. Pure decisions without clocks or threads; the
// Driver asks under its lock.
//
// The application drives while it polls for most of its time. Each short step from one empty poll to the next earns
// credit, each long gap costs four times its length; enough credit and the thread steps back to a slow tick that sees
// whether the polling goes on. A program that posts, polls for the completion and then spins on *memory* (as
// ib_write_lat does) keeps losing its credit, so the thread stays in charge: it sleeps until the doorbell rings and
// preempts the spinning program for the few microseconds of a burst. An armed CQ, or a tick without polls, gives the
// lead back to the thread.
#pragma once

#include "base/time.h"
#include "runtime/config.h"

namespace rocelab::runtime {

class ProgressPolicy {
 public:
  explicit ProgressPolicy(ProgressMode mode) : mode_(mode) {}

  /// poll_cq may move packets when its CQ is empty.
  bool may_poll_drive() const { return mode_ != ProgressMode::kThread; }
  /// The application has the lead: the thread only ticks, and others need not ring.
  bool application_drives() const { return application_drives_; }

  /// A poll_cq found nothing. True: the application takes the lead with this call.
  bool on_empty_poll(base::TimePoint now) {
    const base::Duration gap = pay_for_gap(now);
    if (mode_ == ProgressMode::kThread || application_drives_) return false;
    if (gap <= kShortGap) credit_ = credit_ + gap;
    if (credit_ < (mode_ == ProgressMode::kPoll && !armed_ ? base::Duration() : wanted_)) return false;
    application_drives_ = true;
    lead_since_ = now;
    armed_ = false;
    credit_ = base::Duration();
    return true;
  }

  /// Any other verbs call.
  void on_call(base::TimePoint now) { pay_for_gap(now); }

  /// A CQ was armed: the caller is about to sleep. True: the thread takes the lead with this call.
  bool on_arm() {
    const bool takes = application_drives_;
    if (takes) end_lead();
    armed_ = true;
    credit_ = base::Duration();
    return takes;
  }

  /// Nobody has polled since the last tick: the thread takes the lead, and the application must poll for longer each
  /// time before it gets it back, until it has kept it for kLeadProven.
  void on_silent_tick() {
    end_lead();
    wanted_ = wanted_ * 8 < kCreditWantedMax ? wanted_ * 8 : kCreditWantedMax;
  }

  /// The first tick after the application took the lead, and those that follow while it polls.
  base::Duration first_tick() const { return mode_ == ProgressMode::kPoll ? kTickOfPollMode : kTickFirst; }
  base::Duration next_tick(base::Duration tick) const {
    if (mode_ == ProgressMode::kPoll) return kTickOfPollMode;
    return tick * 2 < kTickMax ? tick * 2 : kTickMax;
  }

  static constexpr base::Duration kShortGap = base::Duration::us(2);
  static constexpr base::Duration kCreditWanted = base::Duration::us(50);
  static constexpr base::Duration kCreditWantedMax = base::Duration::ms(100);
  static constexpr base::Duration kLeadProven = base::Duration::ms(10);
  static constexpr base::Duration kTickFirst = base::Duration::us(50);
  static constexpr base::Duration kTickMax = base::Duration::ms(1);
  static constexpr base::Duration kTickOfPollMode = base::Duration::ms(10);

 private:
  /// A lead that lasted is forgiven what was lost before. Looked at here, not at every poll.
  void end_lead() {
    if (last_call_ - lead_since_ > kLeadProven) wanted_ = kCreditWanted;
    application_drives_ = false;
  }
  base::Duration pay_for_gap(base::TimePoint now) {
    const base::Duration gap = now - last_call_;
    last_call_ = now;
    if (gap > kShortGap) {
      const base::Duration price = gap > kCreditWanted ? kCreditWanted : gap * 4;
      credit_ = credit_ > price ? credit_ - price : base::Duration();
    }
    return gap;
  }

  const ProgressMode mode_;
  bool application_drives_ = false;
  bool armed_ = false;
  base::TimePoint last_call_;
  base::TimePoint lead_since_;
  base::Duration credit_;
  base::Duration wanted_ = kCreditWanted;
};

}  // namespace rocelab::runtime
