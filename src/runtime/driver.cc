// See driver.h: making and ending a Driver, entering and leaving it, moving packets. progress.cc has the thread.
#include "runtime/driver.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "runtime/log.h"

namespace rocelab::runtime {

namespace {

constexpr std::size_t kTxBurst = 32;       ///< packets between two flushes
constexpr std::size_t kTxBurstsMax = 4;    ///< of one device in one pass
constexpr unsigned kTimerWaitsMax = 64;    ///< passes that timers wait for what is still to be received
constexpr std::size_t kRxFramesMax = 256;  ///< of one pass: holders keep the lock for a bounded time
constexpr std::size_t kLoopbackRoundsMax = 4;
constexpr std::size_t kConnectionRoundsMax = 8;
constexpr std::uint32_t kQpnsOfSlot = 1u << 16;

/// One writer at a time; readers want a recent value only.
void bump(std::atomic<std::uint64_t>& counter) {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

std::uint64_t chance() {
  std::uint64_t seed = 0;
  if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) log(LogLevel::kWarn, "no random seed from the kernel");
  return seed;
}

}  // namespace

base::TextResult<std::unique_ptr<Driver>> Driver::create(const Config& config,
                                                         std::span<const DeviceDescription> descriptions) {
  auto directory = RunDirectory::open(config.run_dir);
  if (!directory) return base::fail_text(directory.error());
  auto maker = PortMaker::create(config, *directory);
  if (!maker) return base::fail_text(maker.error());
  auto page = HostPage::open(*directory, counters_layout());
  if (!page) return base::fail_text(page.error());
  auto slot = page->claim();
  if (!slot) return base::fail_text(slot.error());
  maker->remove_sockets(*slot, 0);
  auto control = ControlSocket::open(*directory, *slot, page->generation());
  if (!control) return base::fail_text(control.error());
  std::unique_ptr<Driver> driver(new Driver(config, descriptions, std::move(*directory), std::move(*page),
                                            std::move(*control), std::move(*maker)));
  if (auto started = driver->start(); !started) return base::fail_text(started.error());
  return driver;
}

Driver::Driver(const Config& config, std::span<const DeviceDescription> descriptions, RunDirectory directory,
               HostPage page, ControlSocket control, PortMaker maker)
    : config_(config),
      descriptions_(descriptions),
      directory_(std::move(directory)),
      page_(std::move(page)),
      control_(std::move(control)),
      maker_(std::move(maker)),
      routes_(descriptions),
      links_(page_, control_, counters_),
      tx_(routes_, links_, page_, counters_),
      rx_(routes_, counters_, page_.slot()),
      handover_(links_, page_, counters_),
      policy_(config.progress),
      published_(counters_size(descriptions.size())) {}

base::TextResult<void> Driver::start() {
  watch_forks(*this);
  loopback_ = maker_.wrap(maker_.make_loopback());
  tx_.set_loopback(loopback_.get());
  if (config_.port != PortKind::kHost) {
    auto uplink = maker_.make_uplink(descriptions_.front(), page_.slot());
    if (!uplink) return base::fail_text(uplink.error());
    uplink_ = maker_.wrap(std::move(*uplink));
    tx_.set_uplink(uplink_.get(), config_.port != PortKind::kUdp);
    const bool tap = config_.port == PortKind::kTap;
    if (tap || config_.port == PortKind::kUdp) rx_.set_shared_uplink(uplink_.get(), &handover_, tap);
  }
  if (auto opened = sleeper_.open(control_.fd(), uplink_ ? uplink_->wait_fd() : -1); !opened) {
    return base::fail_text(opened.error());
  }
  start_thread();
  return {};
}

Driver::~Driver() {
  retire();
  unwatch_forks(*this);
}

void Driver::retire() {
  if (std::exchange(retired_, true)) return;
  stop_.store(true);
  // A signal's handler may call exit() in the middle of a verbs call: then this very thread has the lock and will not
  // give it back, and the progress thread may be waiting for it. The end of the process frees the slot as it stands.
  if (!lock_.lock_unless_stuck()) {
    usable_.store(false, std::memory_order_relaxed);
    if (thread_.joinable()) thread_.detach();
    return;
  }
  lock_.unlock();
  if (thread_.joinable()) {
    sleeper_.kick();
    thread_.join();
  }
  lock_.lock_patiently();
  usable_.store(false, std::memory_order_relaxed);
  wake_page();
  if (loopback_ != nullptr) farewell();
  publish(clock_.now());
  page_.release();
  lock_.unlock();
}

void Driver::abandon() noexcept {
  usable_.store(false, std::memory_order_relaxed);
  abandoned_ = true;
  if (cm_page_ != nullptr) cm_page_->abandon();
  page_.abandon();
  control_.abandon();
  if (uplink_ != nullptr) uplink_->abandon();
  sleeper_.close_all();
}

base::TextResult<LocalDevice*> Driver::open(const DeviceDescription& description) {
  if (devices_[description.index] != nullptr) return devices_[description.index].get();
  // The slot's QPNs, split evenly. The very last of slot 255 is the multicast QPN: the last device goes without one.
  const std::uint32_t share = kQpnsOfSlot / config_.devices;
  rxe::DeviceOptions options{};
  options.seed = chance();
  options.mac = description.mac;
  options.node_guid = description.node_guid;
  options.qpn_first = page_.slot() * kQpnsOfSlot + description.index * share;
  options.qpn_count = share - 1;
  options.limits.max_qp = options.qpn_count;
  lower(options.limits, config_.limits);
  accounts_[description.index] = std::make_unique<Account>(page_, description.index, config_.limits);
  options.quota = accounts_[description.index].get();
  options.port_mtu = description.mtu;
  options.raw_packets = true;
  options.congestion_control = config_.congestion_control;
  std::unique_ptr<LocalDevice> device(new LocalDevice(*this, description, options));

  const TimePoint now = enter();
  const char* wrong = nullptr;
  for (std::size_t i = 0; i < description.gids.size() && wrong == nullptr; ++i) {
    if (auto set = device->engine_.set_gid(i, description.gids[i]); !set) wrong = set.error().what;
  }
  LocalDevice* const opened = device.get();
  if (wrong == nullptr) {
    devices_[description.index] = std::move(device);
    open_.push_back(opened);
    rx_.set_engine(description.index, &opened->engine_);
  }
  release(now);
  if (wrong != nullptr) return base::fail_text(fmt::format("{}: GID table: {}", description.name, wrong));
  return opened;
}

// --- entering and leaving ------------------------------------------------------------------------------------------

TimePoint Driver::enter() {
  lock_.lock();
  bump(calls_);
  return clock_.now();
}

void Driver::release(TimePoint now, bool after_post) {
  policy_.on_call(now);
  transmit_all(now, after_post && policy_.application_drives());
  if (loopback_waits_) loop_back(now);
  deliver_events();
  if (!connection_services_.empty()) serve_connections(now);
  if (!after_post) rx_.follow_sniffers();
  if (uplink_ != nullptr) follow_groups();
  hand_over(now);
  unlock();
}

bool Driver::try_enter_poll() {
  if (lock_.has_waiters() || !lock_.try_lock()) return false;
  bump(polls_);
  return true;
}

void Driver::enter_poll() {
  lock_.lock();
  bump(polls_);
}

void Driver::drive_for_poll() {
  if (!policy_.may_poll_drive()) return;
  const TimePoint now = clock_.now();
  if (policy_.on_empty_poll(now)) {
    application_drives_.store(true, std::memory_order_relaxed);
    wake_page();
    armed_until_.reset();
    sleeper_.arm(policy_.first_tick());
  }
  pass(now, policy_.application_drives());
  hand_over(now);
}

void Driver::send_owed(TimePoint now) {
  if (wants_to_transmit()) transmit_all(now);
}

void Driver::leave_poll() { unlock(); }

void Driver::on_armed_cq() {
  if (!policy_.on_arm()) return;
  application_drives_.store(false, std::memory_order_relaxed);
  sleeper_.kick();
  kicked_ = true;
}

void Driver::unlock() {
  for (;;) {
    lock_.unlock();
    if (!attention_.load(std::memory_order_seq_cst)) return;
    if (!lock_.try_lock()) return;  // whoever has it sees the note
    serve_attention();
  }
}

void Driver::hand_over(TimePoint now) {
  const bool chores = links_.needs_thread();
  if (chores || links_.next_check()) chores_.store(true, std::memory_order_relaxed);
  if (kicked_) return;
  const bool rest = loopback_waits_ || (!tx_.blocked() && wants_to_transmit());
  if (chores || (rest && asleep_)) {
    kicked_ = true;
    sleeper_.kick();
    return;
  }
  if (policy_.application_drives() || !asleep_) return;
  const auto until = deadline(now);
  if (!until || (armed_until_ && *armed_until_ <= *until)) return;
  armed_until_ = until;
  sleeper_.arm(*until - now);
}

std::optional<TimePoint> Driver::deadline(TimePoint now) const {
  std::optional<TimePoint> earliest = links_.next_check();
  const auto consider = [&earliest](TimePoint t) {
    if (!earliest || t < *earliest) earliest = t;
  };
  for (const LocalDevice* device : open_) {
    if (const auto t = device->engine_.next_timeout()) consider(*t);
  }
  for (const ConnectionService* service : connection_services_) {
    if (const auto t = service->next_timeout()) consider(*t);
  }
  if (tx_.has_backlog() || (tx_.blocked() && wants_to_transmit())) consider(now + retry_);
  return earliest;
}

// --- moving packets ------------------------------------------------------------------------------------------------

bool Driver::pass(TimePoint now, bool acks_may_wait) {
  // What the pass before has left waiting goes first. At the latest the progress thread's tick sends it, when the
  // application does not come back.
  bool worked = acks_may_wait && wants_to_transmit() && transmit_all(now);
  const bool received = receive_all(now) != 0;
  // A process that was off the processor finds deadlines past and, perhaps behind this burst, the packets that it
  // waited for: timers wait until those are in.
  if (!more_to_receive_ || ++timer_waits_ >= kTimerWaitsMax) {
    timer_waits_ = 0;
    worked = run_timers(now) || worked;
  }
  worked = received || worked;
  if (!acks_may_wait || !received || !only_acks_wait()) worked = transmit_all(now) || worked;
  if (loopback_waits_) {
    loop_back(now);
    worked = true;
  }
  if (handover_.waiting()) handover_.flush(now);
  links_.sweep(now);
  deliver_events();
  if (!connection_services_.empty()) serve_connections(now);
  unpublished_ = unpublished_ || worked;
  if (unpublished_ && now - last_publish_ >= kPublishEvery) publish(now);
  if (worked) retry_ = kRetryFirst;
  return worked;
}

std::size_t Driver::receive_all(TimePoint now) {
  more_to_receive_ = false;
  std::size_t frames = 0;
  if (uplink_ != nullptr) frames += receive(*uplink_, now);
  const auto live = links_.live();
  if (live.size() == 1) return frames + receive(*live[0]->port, now);
  if (live.empty()) return frames;
  if (++first_link_ >= live.size()) first_link_ = 0;
  for (std::size_t i = 0, at = first_link_; i < live.size(); ++i) {
    if (frames >= kRxFramesMax) {
      more_to_receive_ = true;
      break;
    }
    frames += receive(*live[at]->port, now);
    if (++at == live.size()) at = 0;
  }
  return frames;
}

std::size_t Driver::receive(net::Port& port, TimePoint now) {
  const std::size_t frames = rx_.receive(port, now);
  if (frames == net::kBurstMax) more_to_receive_ = true;
  return frames;
}

bool Driver::run_timers(TimePoint now) {
  bool fired = false;
  for (LocalDevice* device : open_) {
    const auto due = device->engine_.next_timeout_bound();
    if (!due || *due > now) continue;
    device->engine_.handle_timeout(now);
    fired = true;
  }
  for (ConnectionService* service : connection_services_) fired = service->run_timers(now) || fired;
  return fired;
}

bool Driver::wants_to_transmit() const {
  const auto has_mad = [](const ConnectionService* s) { return s->has_transmit(); };
  return std::any_of(open_.begin(), open_.end(), [](const LocalDevice* d) { return d->engine_.has_transmit(); }) ||
         std::any_of(connection_services_.begin(), connection_services_.end(), has_mad);
}

bool Driver::only_acks_wait() const {
  for (const ConnectionService* service : connection_services_) {
    if (service->has_transmit()) return false;
  }
  return std::all_of(open_.begin(), open_.end(),
                     [](const LocalDevice* d) { return !d->engine_.has_transmit() || d->engine_.only_acks_wait(); });
}

bool Driver::transmit_all(TimePoint now, bool hold_acks) {
  bool taken = false;
  tx_.begin(now);
  for (LocalDevice* device : open_) {
    for (std::size_t burst = 0; burst < kTxBurstsMax && device->engine_.has_transmit(); ++burst) {
      const std::size_t count = device->engine_.poll_transmit(now, tx_, kTxBurst, hold_acks);
      taken = taken || count != 0;
      if (count < kTxBurst) break;
      tx_.flush(now);
    }
  }
  for (ConnectionService* service : connection_services_) taken = service->transmit(tx_) || taken;
  tx_.flush(now);
  if (tx_.take_looped()) loopback_waits_ = true;
  return taken;
}

void Driver::loop_back(TimePoint now) {
  for (std::size_t round = 0; loopback_waits_ && round < kLoopbackRoundsMax; ++round) {
    loopback_waits_ = false;
    std::size_t frames = 0, burst = 0;
    do {
      burst = rx_.receive(*loopback_, now);
      frames += burst;
    } while (burst == net::kBurstMax && frames < kRxFramesMax);
    loopback_waits_ = burst == net::kBurstMax;
    transmit_all(now);
  }
}

void Driver::deliver_events() {
  for (LocalDevice* device : open_) device->deliver_events();
}

void Driver::serve_connections(TimePoint now) {
  // An answer to ourselves may cause the next event; what is left after some rounds waits for the next pass.
  for (std::size_t round = 0; round < kConnectionRoundsMax; ++round) {
    bool told = false;
    for (ConnectionService* service : connection_services_) told = service->deliver(now) || told;
    if (!told) return;
    transmit_all(now);
    if (loopback_waits_) loop_back(now);
    deliver_events();
  }
}

void Driver::process_died(std::uint32_t slot, TimePoint now) {
  for (ConnectionService* service : connection_services_) service->process_died(slot, now);
}

base::TextResult<ConnectionService*> Driver::connections(LocalDevice& device) {
  // Files are opened without the lock; connecting_ keeps two threads from doing it twice.
  const std::lock_guard guard(connecting_);
  if (device.connections_ != nullptr) return device.connections_.get();
  if (!usable()) return base::fail_text("the device does not survive fork()");
  if (cm_page_ == nullptr) {
    auto page = CmPage::open(directory_, page_);
    if (!page) return base::fail_text(page.error());
    cm_page_ = std::move(*page);
  }
  const std::uint32_t index = device.description().index;
  auto made = std::unique_ptr<ConnectionService>(
      new ConnectionService(*this, device, device.engine_, *cm_page_, page_, routes_, chance()));
  const TimePoint now = enter();
  device.connections_ = std::move(made);
  ConnectionService* const service = device.connections_.get();
  connection_services_.push_back(service);
  rx_.set_connections(index, service);
  tx_.set_cm_page(cm_page_.get());
  cm_page_->take_part(index);
  release(now);
  return service;
}

base::Result<wire::MacAddress> Driver::ask_uplink(const wire::Gid& destination, const wire::Gid& source) {
  for (unsigned ask = 0; ask < kNeighbourAsksMax; ++ask) {
    TimePoint now = enter();
    auto found = uplink_->neighbour(destination);
    if (!found) uplink_->ask_for_neighbour(destination, source);
    release(now);
    for (int waited = 0; !found && waited < kNeighbourWaitMs; waited += kNeighbourStepMs) {
      // The progress thread may take the answer in just as well.
      pollfd fd{uplink_->wait_fd(), POLLIN, 0};
      poll(&fd, 1, kNeighbourStepMs);
      now = enter();
      pass(now);
      found = uplink_->neighbour(destination);
      release(now);
    }
    if (found) return *found;
  }
  return base::fail(EHOSTUNREACH, "nobody has answered for the destination GID");
}

void Driver::follow_groups() {
  std::uint32_t changes = 0;
  for (const LocalDevice* device : open_) changes += device->engine_.multicast_changes();
  if (std::exchange(groups_seen_, changes) == changes) return;
  std::vector<wire::Gid> groups;
  for (const LocalDevice* device : open_) {
    for (const wire::Gid& group : device->engine_.multicast_groups()) groups.push_back(group);
  }
  uplink_->listen_to(groups);
}

void Driver::publish(TimePoint now) {
  unpublished_ = false;
  last_publish_ = now;
  static_assert(sizeof(ProcessCounters) == kProcessCounterCount * sizeof(std::uint64_t));
  std::memcpy(published_.data(), &counters_, sizeof(counters_));
  const auto table = rxe::counter_table();
  for (const LocalDevice* device : open_) {
    std::uint64_t* next = published_.data() + kProcessCounterCount + device->description().index * table.size();
    for (const rxe::CounterEntry& entry : table) *next++ = device->engine_.counters().*entry.member;
  }
  page_.publish(published_);
  maker_.flush_capture();
}

}  // namespace rocelab::runtime
