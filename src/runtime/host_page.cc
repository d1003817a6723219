// See host_page.h. The file never shrinks and is never replaced while somebody holds a lock in it.
#include "runtime/host_page.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "runtime/byte_lock.h"

namespace rocelab::runtime {

namespace {

constexpr std::uint64_t kMagic = 0x726f'6365'6c61'6232;  // "rocelab2": the last character is the page's version
constexpr std::uint32_t kUsersByte = kSlotsMax + 1;      ///< locked by all who have the page open
constexpr int kClaimLockTriesMax = 500;                  ///< 10 ms apart: longer than any claim, short of for ever

struct alignas(64) Slot {
  std::atomic<std::uint32_t> occupied{0};
  std::atomic<std::uint32_t> generation{0};
  std::atomic<std::uint32_t> pid{0};
  std::array<std::atomic<char>, 16> command{};
  alignas(64) std::atomic<std::uint32_t> sleeps{0};  ///< odd while asleep; a line of its own, peers read it a lot
  alignas(64) std::array<std::atomic<std::uint64_t>, kCountersMax> counters{};
  std::array<std::atomic<std::uint64_t>, kUsageMax> usage{};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

bool in_use_by_another(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = 1;
  lock.l_len = kUsersByte;
  return fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

/// Waits for byte 0 with a limit: a process that was stopped in the middle of a claim must not hang the others.
base::TextResult<void> lock_claims_of(int fd, const std::string& path) {
  for (int tries = 0; tries < kClaimLockTriesMax; ++tries) {
    if (lock_byte(fd, F_OFD_SETLK, F_WRLCK, 0) == 0) return {};
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
      return base::fail_text(fmt::format("host page `{}`: cannot lock it: {}", path, std::strerror(errno)));
    }
    poll(nullptr, 0, 10);
  }
  return base::fail_text(fmt::format("host page `{}`: another process holds its lock (is one stopped?)", path));
}

/// Maps the file by an open of its own: a mapping keeps its open file alive, and with it the locks, which would then
/// survive the close in a forked child. nullptr: errno says why.
void* map_of(int directory, const struct stat& expected, std::size_t bytes) {
  const int fd = openat(directory, HostPage::kFileName, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return nullptr;
  struct stat status {};
  void* memory = MAP_FAILED;
  if (fstat(fd, &status) == 0 && status.st_ino == expected.st_ino && status.st_dev == expected.st_dev) {
    memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  } else {
    errno = ESTALE;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

struct HostPage::Layout {
  std::atomic<std::uint64_t> magic;
  std::atomic<std::uint64_t> counters_layout;
  std::atomic<std::uint32_t> next_slot;
  std::array<std::atomic<std::uint64_t>, 4> occupied;  ///< one bit a slot: finds the occupied ones fast
  std::array<std::atomic<std::uint64_t>, kCountersMax> retired;
  std::array<Slot, kSlotsMax + 1> slots;  ///< slots[0] is nobody's
};

base::TextResult<HostPage> HostPage::open(const RunDirectory& directory, std::uint64_t layout) {
  const std::string path = directory.file(kFileName);
  const auto failed = [&path](const char* what) {
    return base::fail_text(fmt::format("host page `{}`: {}: {}", path, what, std::strerror(errno)));
  };
  const int fd = openat(directory.fd(), kFileName, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return failed("cannot open it");
  HostPage page(fd, nullptr, path);
  struct stat status {};
  if (fstat(fd, &status) != 0) return failed("cannot examine it");
  if (!S_ISREG(status.st_mode) || status.st_uid != geteuid()) {
    return base::fail_text(fmt::format("host page `{}`: it is not a file of our own", path));
  }
  if (auto locked = lock_claims_of(fd, path); !locked) return base::fail_text(locked.error());
  if (fstat(fd, &status) != 0) return failed("cannot examine it");
  const bool sized = status.st_size == static_cast<off_t>(sizeof(Layout));
  const bool in_use = in_use_by_another(fd);
  const auto foreign = [&path] {
    return base::fail_text(fmt::format(
        "host page `{}`: processes of another rocelab version use this run directory; end them or choose another one "
        "with ROCELAB_RUN_DIR",
        path));
  };
  if (!sized && in_use) return foreign();
  if (!sized && (ftruncate(fd, 0) != 0 || ftruncate(fd, static_cast<off_t>(sizeof(Layout))) != 0)) {
    return failed("cannot size it");
  }
  void* memory = map_of(directory.fd(), status, sizeof(Layout));
  if (memory == nullptr) return failed("cannot map it");
  page.page_ = static_cast<Layout*>(memory);
  if (page.page_->magic.load() != kMagic || page.page_->counters_layout.load() != layout) {
    if (in_use) return foreign();
    std::memset(memory, 0, sizeof(Layout));
    page.page_->counters_layout.store(layout);
    page.page_->magic.store(kMagic);
  }
  if (lock_byte(fd, F_OFD_SETLK, F_RDLCK, kUsersByte) != 0) return failed("cannot lock it");
  page.unlock_claims();
  return page;
}

HostPage::HostPage(int fd, Layout* page, std::string path) : fd_(fd), page_(page), path_(std::move(path)) {}

HostPage::HostPage(HostPage&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      page_(std::exchange(other.page_, nullptr)),
      path_(std::move(other.path_)),
      slot_(std::exchange(other.slot_, 0)),
      generation_(other.generation_) {}

HostPage::~HostPage() {
  if (page_ != nullptr) {
    release();
    munmap(page_, sizeof(Layout));
  }
  if (fd_ >= 0) close(fd_);
}

base::TextResult<void> HostPage::lock_claims() const { return lock_claims_of(fd_, path_); }
void HostPage::unlock_claims() const { lock_byte(fd_, F_OFD_SETLK, F_UNLCK, 0); }

base::TextResult<std::uint32_t> HostPage::claim() {
  if (slot_ != 0) return slot_;
  if (auto locked = lock_claims(); !locked) return base::fail_text(locked.error());
  const std::uint32_t first = page_->next_slot.load() % kSlotsMax;
  for (std::uint32_t i = 0; i < kSlotsMax; ++i) {
    const std::uint32_t candidate = 1 + (first + i) % kSlotsMax;
    if (lock_byte(fd_, F_OFD_SETLK, F_WRLCK, candidate) != 0) continue;
    Slot& slot = page_->slots[candidate];
    if (slot.occupied.load() != 0) clear(candidate);  // its owner died without a word
    slot_ = candidate;
    generation_ = slot.generation.load() + 1;
    slot.generation.store(generation_);
    slot.pid.store(static_cast<std::uint32_t>(getpid()));
    slot.sleeps.store(0);
    for (auto& counter : slot.counters) counter.store(0, std::memory_order_relaxed);
    for (auto& number : slot.usage) number.store(0, std::memory_order_relaxed);
    char command[17] = {};
    if (const int comm = ::open("/proc/self/comm", O_RDONLY | O_CLOEXEC); comm >= 0) {
      if (read(comm, command, sizeof(command) - 1) < 0) command[0] = '\0';
      close(comm);
    }
    for (std::size_t c = 0; c < slot.command.size(); ++c) slot.command[c].store(command[c] == '\n' ? '\0' : command[c]);
    slot.occupied.store(1);
    page_->occupied[candidate / 64].fetch_or(1ull << candidate % 64);
    page_->next_slot.store(candidate);  // candidate is 1-based: this is the one after it
    unlock_claims();
    return candidate;
  }
  unlock_claims();
  return base::fail_text(fmt::format("host page `{}`: all {} slots are taken by live processes", path_, kSlotsMax));
}

void HostPage::clear(std::uint32_t slot) {
  Slot& dead = page_->slots[slot];
  for (std::size_t i = 0; i < kCountersMax; ++i) {
    page_->retired[i].fetch_add(dead.counters[i].exchange(0, std::memory_order_relaxed), std::memory_order_relaxed);
  }
  for (auto& number : dead.usage) number.store(0, std::memory_order_relaxed);
  dead.occupied.store(0);
  page_->occupied[slot / 64].fetch_and(~(1ull << slot % 64));
}

void HostPage::release() {
  if (slot_ == 0 || page_ == nullptr || fd_ < 0) return;
  if (auto locked = lock_claims(); locked) {
    clear(slot_);
    lock_byte(fd_, F_OFD_SETLK, F_UNLCK, slot_);
    unlock_claims();
  }
  slot_ = 0;  // when the claim lock could not be had, closing the file frees the slot and the next claim buries it
}

void HostPage::abandon() noexcept {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  slot_ = 0;
}

std::uint64_t HostPage::occupied(std::uint32_t word) const {
  return page_->occupied[word].load(std::memory_order_acquire);
}

std::optional<std::uint32_t> HostPage::occupant(std::uint32_t slot) const {
  if (slot == 0 || slot > kSlotsMax) return std::nullopt;
  const Slot& there = page_->slots[slot];
  if (there.occupied.load(std::memory_order_acquire) == 0) return std::nullopt;
  return there.generation.load(std::memory_order_acquire);
}

bool HostPage::is_locked_by_another(std::uint32_t byte) const {
  struct flock lock {};
  return lock_byte(fd_, F_OFD_GETLK, F_WRLCK, byte, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool HostPage::is_alive(std::uint32_t slot, std::uint32_t generation) const {
  if (occupant(slot) != generation) return false;
  return slot == slot_ || is_locked_by_another(slot);
}

bool HostPage::bury(std::uint32_t slot, std::uint32_t generation) {
  if (slot == slot_ || slot == 0 || slot > kSlotsMax || !lock_claims()) return false;
  const bool dead = occupant(slot) == generation && !is_locked_by_another(slot);
  if (dead) clear(slot);
  unlock_claims();
  return dead;
}

void HostPage::fall_asleep() {
  auto& sleeps = page_->slots[slot_].sleeps;
  sleeps.store(sleeps.load(std::memory_order_relaxed) | 1u, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void HostPage::wake_up() {
  auto& sleeps = page_->slots[slot_].sleeps;
  const std::uint32_t number = sleeps.load(std::memory_order_relaxed);
  if ((number & 1u) != 0) sleeps.store(number + 1, std::memory_order_release);
}

std::optional<std::uint32_t> HostPage::sleep_of(std::uint32_t slot) const {
  const std::uint32_t number = page_->slots[slot & kSlotsMax].sleeps.load(std::memory_order_relaxed);
  if ((number & 1u) == 0) return std::nullopt;
  return number;
}

void HostPage::add_usage(std::size_t index, std::int64_t amount) noexcept {
  auto& number = page_->slots[slot_].usage[index];  // read-modify-write, so that of two who race one sees both
  number.fetch_add(static_cast<std::uint64_t>(amount), std::memory_order_seq_cst);
}

std::uint64_t HostPage::usage(std::size_t index, bool bury_dead) {
  if (bury_dead) {
    for_each_peer([this](std::uint32_t slot, std::uint32_t generation) {
      if (!is_alive(slot, generation)) bury(slot, generation);
    });
  }
  std::uint64_t sum = page_->slots[slot_].usage[index].load();
  for_each_peer([&](std::uint32_t slot, std::uint32_t) { sum += page_->slots[slot].usage[index].load(); });
  return sum;
}

void HostPage::publish(std::span<const std::uint64_t> counters) {
  auto& published = page_->slots[slot_].counters;
  const std::size_t count = std::min(counters.size(), kCountersMax);
  for (std::size_t i = 0; i < count; ++i) published[i].store(counters[i], std::memory_order_relaxed);
}

std::vector<SlotView> HostPage::live_slots() const {
  std::vector<SlotView> views;
  for (std::uint32_t slot = 1; slot <= kSlotsMax; ++slot) {
    const auto generation = occupant(slot);
    if (!generation || !is_alive(slot, *generation)) continue;
    const Slot& there = page_->slots[slot];
    SlotView view{slot, *generation, there.pid.load(), {}, sleep_of(slot).has_value(), {}};
    for (const auto& character : there.command) {
      const char c = character.load(std::memory_order_relaxed);
      if (c == '\0') break;
      view.command.push_back(c >= ' ' && c <= '~' ? c : '?');
    }
    for (const auto& counter : there.counters) view.counters.push_back(counter.load(std::memory_order_relaxed));
    views.push_back(std::move(view));
  }
  return views;
}

HostPage::CountersLocation HostPage::counters_location() {
  return {offsetof(Layout, retired), offsetof(Layout, slots), sizeof(Slot), offsetof(Slot, counters), kSlotsMax + 1};
}

std::vector<std::uint64_t> HostPage::retired_counters() const {
  std::vector<std::uint64_t> totals;
  for (const auto& counter : page_->retired) totals.push_back(counter.load(std::memory_order_relaxed));
  return totals;
}

}  // namespace rocelab::runtime
