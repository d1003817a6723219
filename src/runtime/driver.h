// What one process has of a host: the lock around its engines, the clock, the slot in the host page, the ports, and the
// progress thread. Created by Host with the first device that is opened; LocalDevice does nothing without it.
//
// Who drives (progress_policy.h decides): poll_cq moves packets inline when its CQ is empty; the thread takes over when
// the application stops polling. Nobody waits for the lock to *drive*: a thread that finds it taken leaves a note
// (attention_), and the holder does its work before it lets go. Everything marked "lock" is touched with the lock held.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "runtime/clock.h"
#include "runtime/cm_page.h"
#include "runtime/config.h"
#include "runtime/connection_service.h"
#include "runtime/control_socket.h"
#include "runtime/engine_lock.h"
#include "runtime/fork_watch.h"
#include "runtime/handover.h"
#include "runtime/host_counters.h"
#include "runtime/host_page.h"
#include "runtime/links.h"
#include "runtime/local_device.h"
#include "runtime/port_maker.h"
#include "runtime/progress_policy.h"
#include "runtime/routes.h"
#include "runtime/run_directory.h"
#include "runtime/rx_path.h"
#include "runtime/sleeper.h"
#include "runtime/tx_path.h"

namespace rocelab::runtime {

using base::Duration;

class Driver final : public ForkListener {
 public:
  static base::TextResult<std::unique_ptr<Driver>> create(const Config& config,
                                                          std::span<const DeviceDescription> descriptions);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  /// Not the data path: Host serialises it.
  base::TextResult<LocalDevice*> open(const DeviceDescription& description);
  std::uint32_t slot() const { return page_.slot(); }
  /// False in a child of fork() and after retire().
  bool usable() const { return usable_.load(std::memory_order_relaxed); }
  /// Ends the process's part in the host while other threads may still hold on to devices: stops the thread, lets peers
  /// take the last frames, gives the slot back. Devices are unusable from then on.
  void retire();
  void abandon() noexcept override;
  bool abandoned() const { return abandoned_; }

  // --- for LocalDevice ---------------------------------------------------------------------------------------------
  /// Takes the lock for a verbs call. release() sends what is due, delivers events and unlocks. After a post the
  /// requests go first and acknowledgements that wait (drive_for_poll) go on waiting.
  TimePoint enter();
  void release(TimePoint now, bool after_post = false);
  /// Takes the lock for poll_cq if nobody has it or waits for it.
  bool try_enter_poll();
  /// The same, but waits: for programs that sleep on events, to which "nothing" must mean nothing.
  void enter_poll();
  /// The CQ was empty: moves packets once. Acknowledgements of what has just come in may wait for the next call of any
  /// kind: the application is about to look at its memory or its completions, and to answer.
  void drive_for_poll();
  /// Lock: sends what earlier calls have left, for a call that may end a QP.
  void send_owed(TimePoint now);
  void leave_poll();
  /// Lock: a CQ has been armed.
  void on_armed_cq();
  /// Connection management of an open device, made at first use.
  base::TextResult<ConnectionService*> connections(LocalDevice& device);
  const Routes& routes() const { return routes_; }
  /// What is at the other end of the uplink decides who knows a neighbour's MAC address.
  PortKind uplink_kind() const { return config_.port; }
  /// Asks the uplink itself, and moves packets until it knows. ETIMEDOUT or EHOSTUNREACH: nobody has answered.
  base::Result<wire::MacAddress> ask_uplink(const wire::Gid& destination, const wire::Gid& source);
  std::span<const DeviceDescription> descriptions() const { return descriptions_; }
  /// See TxPath; under the lock.
  bool meet_everybody(TimePoint now) { return tx_.meet_everybody(now); }

 private:
  Driver(const Config& config, std::span<const DeviceDescription> descriptions, RunDirectory directory, HostPage page,
         ControlSocket control, PortMaker maker);
  base::TextResult<void> start();

  // Moving packets (driver.cc); lock.
  bool pass(TimePoint now, bool acks_may_wait = false);
  std::size_t receive_all(TimePoint now);
  /// One burst; notes in more_to_receive_ when it was a full one.
  std::size_t receive(net::Port& port, TimePoint now);
  bool transmit_all(TimePoint now, bool hold_acks = false);  ///< true: something was taken
  bool run_timers(TimePoint now);
  void loop_back(TimePoint now);
  void deliver_events();
  /// Events of connections, and what their consumers do about them at once.
  void serve_connections(TimePoint now);
  void process_died(std::uint32_t slot, TimePoint now);
  /// Tells the uplink which multicast groups our queue pairs listen to.
  void follow_groups();
  void publish(TimePoint now);
  bool wants_to_transmit() const;
  bool only_acks_wait() const;
  /// When somebody must drive again, whatever happens until then.
  std::optional<TimePoint> deadline(TimePoint now) const;
  /// Before unlocking: sees to it that what is left to do will be done.
  void hand_over(TimePoint now);
  void unlock();

  // The progress thread (progress.cc).
  void start_thread();
  void run();
  bool take_lock(bool patiently);
  void turn(Sleeper::Woken woken, std::span<const ControlMessage> messages);  ///< lock
  void lead(TimePoint now);                                                   ///< lock, given up in between
  bool fall_asleep(TimePoint now);                                            ///< lock; false: something came in
  void serve_attention();                                                     ///< lock
  void wake_page();                                                           ///< lock
  void handle(const ControlMessage& message, TimePoint now);                  ///< lock
  bool do_chores();                                                           ///< takes the lock where it needs it
  void farewell();                                                            ///< lock; the thread has ended

  const Config config_;
  const std::span<const DeviceDescription> descriptions_;
  RunDirectory directory_;
  HostPage page_;
  ControlSocket control_;
  PortMaker maker_;

  EngineLock lock_;
  std::atomic<bool> attention_{false};  ///< the thread was here and found the lock taken
  std::atomic<bool> usable_{true};
  std::atomic<bool> stop_{false};
  bool abandoned_ = false;
  bool retired_ = false;
  // Written under the lock, read by the thread without it.
  std::atomic<std::uint64_t> polls_{0};
  std::atomic<std::uint64_t> calls_{0};          ///< verbs calls besides poll_cq
  std::atomic<bool> application_drives_{false};  ///< the policy's answer
  std::atomic<bool> chores_{false};              ///< links are being made or dropped

  std::mutex connecting_;  ///< connections() is making one

  // lock
  Clock clock_;
  ProcessCounters counters_;
  Routes routes_;
  Links links_;
  TxPath tx_;
  RxPath rx_;
  Handover handover_;
  ProgressPolicy policy_;
  std::unique_ptr<net::Port> loopback_;
  std::unique_ptr<net::Port> uplink_;
  std::unique_ptr<CmPage> cm_page_;                             ///< once a device's connection management is used
  std::array<std::unique_ptr<Account>, kDevicesMax> accounts_;  ///< of the devices; outlive them
  std::array<std::unique_ptr<LocalDevice>, kDevicesMax> devices_;
  std::vector<LocalDevice*> open_;
  std::vector<ConnectionService*> connection_services_;  ///< owned by their devices
  std::vector<std::uint64_t> published_;
  std::size_t first_link_ = 0;     ///< receive_all begins with another link each time
  bool more_to_receive_ = false;   ///< the last receive_all() left frames behind, as it seems
  unsigned timer_waits_ = 0;       ///< passes in a row in which timers have waited for that
  std::uint32_t groups_seen_ = 0;  ///< changes of the engines' multicast groups that the uplink knows of
  bool loopback_waits_ = false;    ///< frames of our own have not been received yet
  bool unpublished_ = false;       ///< counters have changed
  bool asleep_ = false;            ///< the thread is blocked, or about to be, and the page says so
  bool kicked_ = false;            ///< the thread has been called and not come yet
  TimePoint last_publish_;
  Duration retry_ = kRetryFirst;  ///< pause before a blocked transmission is tried again
  std::optional<TimePoint> armed_until_;
  Sleeper sleeper_;

  // the thread's own
  std::thread thread_;
  std::uint64_t seen_polls_ = 0;
  std::uint64_t seen_calls_ = 0;
  Duration tick_;
  TimePoint last_active_;  ///< when the application was last seen to call anything
  TimePoint last_work_;

  static constexpr Duration kRetryFirst = Duration::us(50), kRetryMax = Duration::ms(1);
  static constexpr Duration kPublishEvery = Duration::ms(1);
  static constexpr Duration kLinger = Duration::us(50);  ///< spinning after the last packet, when nobody else wants
  static constexpr Duration kSilent = Duration::ms(1);   ///< without a verbs call the processor is ours
  static constexpr int kFarewellMaxMs = 200;
  static constexpr unsigned kNeighbourAsksMax = 30;                   ///< in a row
  static constexpr int kNeighbourWaitMs = 100, kNeighbourStepMs = 2;  ///< for an answer to each
};

}  // namespace rocelab::runtime
