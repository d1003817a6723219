// The progress thread of a Driver, and how it shares the work with the application's threads. While the application has
// the lead the thread only ticks, to see whether polling goes on. With the lead it moves packets when the doorbell, the
// timer or a kick wakes it, and blocks again: at once when the application is active, because it has then taken the
// application's processor; after kLinger without a packet when the application is silent.
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>

#include <csignal>
#include <utility>

#include "runtime/driver.h"
#include "runtime/log.h"

namespace rocelab::runtime {

namespace {
constexpr unsigned kDrainEmptyMax = 3;      ///< empty bursts in a row after which a link is taken for drained
constexpr unsigned kDrainBurstsMax = 4096;  ///< of a leaving peer
constexpr unsigned kAttentionRoundsMax = 4;
constexpr unsigned kLastPassesMax = 200;  ///< for what is still to be sent at the end
}  // namespace

void Driver::start_thread() {
  // The application's signals are not for this thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Driver::run() {
  pthread_setname_np(pthread_self(), "rocelab");
  prctl(PR_SET_TIMERSLACK, 1);
  std::vector<ControlMessage> messages;
  Sleeper::Woken woken;  // the first turn is for nothing in particular
  for (;;) {
    messages.clear();
    while (auto message = control_.receive()) {
      if (message->kind != ControlKind::kWake) messages.push_back(*message);
    }
    bool needed = !messages.empty() || chores_.load(std::memory_order_relaxed);
    if (application_drives_.load(std::memory_order_relaxed) && !needed) {
      const std::uint64_t polls = polls_.load(std::memory_order_relaxed);
      const bool polled = std::exchange(seen_polls_, polls) != polls;
      if (polled && woken.timer) {
        tick_ = policy_.next_tick(tick_);
        sleeper_.arm(tick_);
      }
      needed = !polled && woken.timer;
      if (!needed) {
        woken = sleeper_.wait(false);
        if (stop_.load()) return;
        continue;
      }
    }
    if (take_lock(needed)) {
      turn(woken, messages);
      unlock();
      while (chores_.load(std::memory_order_relaxed) && do_chores()) {
        lock_.lock_patiently();
        turn({}, {});
        unlock();
      }
    }
    if (stop_.load()) return;
    woken = sleeper_.wait(!application_drives_.load(std::memory_order_relaxed));
    if (stop_.load()) return;
  }
}

bool Driver::take_lock(bool patiently) {
  if (lock_.try_lock()) return true;
  if (patiently) {
    lock_.lock_patiently();
    return true;
  }
  attention_.store(true, std::memory_order_seq_cst);
  if (!lock_.try_lock()) return false;  // the holder finds the note when it unlocks
  return true;
}

void Driver::wake_page() {
  if (!std::exchange(asleep_, false)) return;
  page_.wake_up();
}

void Driver::turn(Sleeper::Woken woken, std::span<const ControlMessage> messages) {
  attention_.store(false, std::memory_order_relaxed);
  kicked_ = false;
  const TimePoint now = clock_.now();
  if (woken.timer) armed_until_.reset();
  for (const ControlMessage& message : messages) handle(message, now);
  if (policy_.application_drives() && woken.timer) {
    const std::uint64_t polls = polls_.load(std::memory_order_relaxed);
    if (std::exchange(seen_polls_, polls) == polls) {
      policy_.on_silent_tick();
      application_drives_.store(false, std::memory_order_relaxed);
    } else {
      sleeper_.arm(policy_.first_tick());
    }
  }
  if (!policy_.application_drives()) {
    tick_ = policy_.first_tick();
    wake_page();
    lead(now);
  }
  if (links_.needs_thread() || links_.next_check()) chores_.store(true, std::memory_order_relaxed);
}

void Driver::lead(TimePoint now) {
  while (!stop_.load(std::memory_order_relaxed)) {
    if (pass(now)) last_work_ = now;
    const std::uint64_t calls = calls_.load(std::memory_order_relaxed) + polls_.load(std::memory_order_relaxed);
    if (std::exchange(seen_calls_, calls) != calls) last_active_ = now;
    if (links_.needs_thread()) return;  // and come back
    const bool alone = config_.progress == ProgressMode::kThread || now - last_active_ > kSilent;
    const bool linger = alone && now - last_work_ < kLinger;
    if (!linger && fall_asleep(now)) return;
    // Others may have the lock for a moment.
    unlock();
    cpu_relax();
    lock_.lock_patiently();
    if (policy_.application_drives()) return;
    now = clock_.now();
  }
}

bool Driver::fall_asleep(TimePoint now) {
  page_.fall_asleep();
  asleep_ = true;
  if (pass(now) || loopback_waits_) {
    last_work_ = now;
    wake_page();
    return false;
  }
  if (unpublished_) publish(now);
  if (const auto until = deadline(now); until && (!armed_until_ || *until < *armed_until_)) {
    armed_until_ = until;
    sleeper_.arm(*until - now);
  }
  if (tx_.blocked() || tx_.has_backlog()) retry_ = retry_ * 2 < kRetryMax ? retry_ * 2 : kRetryMax;
  return true;
}

void Driver::serve_attention() {
  attention_.store(false, std::memory_order_seq_cst);
  kicked_ = false;  // the thread has come, and gone again
  if (policy_.application_drives()) return;
  armed_until_.reset();  // its timer may have been what woke the thread
  TimePoint now = clock_.now();
  for (unsigned round = 0; round < kAttentionRoundsMax; ++round) {
    wake_page();  // a new sleep has a new number: peers ring again
    if (fall_asleep(now)) return;
    now = clock_.now();
  }
  kicked_ = true;
  sleeper_.kick();
}

void Driver::handle(const ControlMessage& message, TimePoint now) {
  if (message.kind == ControlKind::kConnect) {
    links_.on_invitation(message, now);
  } else if (message.kind == ControlKind::kFarewell) {
    log(LogLevel::kDebug, "the process in slot {} is leaving", message.from_slot);
    if (Link* const link = links_.leaving(message)) {
      unsigned empty = 0;
      for (unsigned bursts = 0; link->port != nullptr && empty < kDrainEmptyMax && bursts < kDrainBurstsMax; ++bursts) {
        empty = rx_.receive(*link->port, now) == 0 ? empty + 1 : 0;
      }
      deliver_events();
      if (!connection_services_.empty()) serve_connections(now);
      links_.refuse(*link, now);  // answers to its last packets must not ask for another link
    }
    process_died(message.from_slot, now);  // whatever it has not said itself
    control_.send(ControlKind::kFarewell, message.from_slot, message.from_generation);
  }
}

bool Driver::do_chores() {
  lock_.lock_patiently();
  const auto chores = links_.collect(clock_.now());
  auto dropped = links_.take_dropped();
  const auto dead = links_.take_dead();
  if (!connection_services_.empty()) {
    const TimePoint now = clock_.now();
    for (const Links::Chore& peer : dead) {
      if (!page_.is_alive(peer.slot, peer.generation)) process_died(peer.slot, now);
    }
    if (!dead.empty()) serve_connections(now);
  }
  if (!config_.pcap.empty()) dropped.clear();  // taps share a file: theirs is the lock
  chores_.store(links_.next_check().has_value(), std::memory_order_relaxed);
  const bool again = links_.needs_thread() || !chores.empty() || (!asleep_ && !policy_.application_drives());
  unlock();
  dropped.clear();
  for (const Links::Chore& peer : dead) {
    if (page_.bury(peer.slot, peer.generation)) {
      log(LogLevel::kInfo, "the process in slot {} has died; its slot is free again", peer.slot);
      maker_.remove_sockets(peer.slot, peer.generation);
    }
  }
  for (const Links::Chore& chore : chores) {
    log(LogLevel::kDebug, "making the link to the process in slot {}, as its {}", chore.slot,
        chore.server ? "server" : "client");
    auto port = maker_.make_link(chore, page_.slot(), page_.generation());
    if (!port) log(LogLevel::kWarn, "no link to the process in slot {}: {}", chore.slot, port.error());
    lock_.lock_patiently();
    const TimePoint now = clock_.now();
    if (port) {
      links_.install(chore, maker_.wrap(std::move(*port)), now);
    } else {
      links_.give_up(chore, now);
    }
    unlock();
  }
  return again;
}

void Driver::farewell() {
  TimePoint now = clock_.now();
  for (ConnectionService* service : connection_services_) service->retire(now);
  for (unsigned round = 0; round < kLastPassesMax && pass(now); ++round) now = clock_.now();
  std::vector<std::uint32_t> waiting;
  for (const Link* link : links_.live()) {
    if (link->state != Link::State::kUp) continue;
    if (control_.send(ControlKind::kFarewell, link->slot, link->generation)) waiting.push_back(link->slot);
  }
  const TimePoint until = now + Duration::ms(kFarewellMaxMs);
  while (!waiting.empty() && now < until) {
    pollfd fd{control_.fd(), POLLIN, 0};
    poll(&fd, 1, 10);
    while (const auto message = control_.receive()) {
      if (message->kind == ControlKind::kFarewell) std::erase(waiting, message->from_slot);
    }
    // Not a whole pass: peers take down their ends now, and none of these links is lost.
    now = clock_.now();
    receive_all(now);
    run_timers(now);
    transmit_all(now);
    deliver_events();
  }
  log(LogLevel::kDebug, "left; {} peers have not answered", waiting.size());
}

}  // namespace rocelab::runtime
