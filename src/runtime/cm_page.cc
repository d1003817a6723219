// See cm_page.h. Entries are read without a lock: each has a sequence number that is odd while it is being written, and
// every access is sequentially consistent, so a reader that saw the same even number before and after saw one entry.
#include "runtime/cm_page.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/byte_lock.h"

namespace rocelab::runtime {

namespace {

constexpr std::uint64_t kMagic = 0x726f'6365'636d'7031;  // "rocecmp1": the last character is the page's version
constexpr std::uint32_t kUsersByte = 1;                  ///< locked by all who have the page open
constexpr int kLockTriesMax = 500;                       ///< 10 ms apart
constexpr int kReadTriesMax = 8;
constexpr std::uint32_t kEphemeralCount = kEphemeralLast - kEphemeralFirst + 1u;

constexpr std::uint32_t kHasAddress = 1, kReuse = 2, kIsPort = 4;
constexpr unsigned kFamilyShift = 4;

/// Byte 0, for as long as the object lives; a process that was stopped while it held it must not hang the others.
class PageLock {
 public:
  explicit PageLock(int fd) : fd_(fd) {
    for (int tries = 0; tries < kLockTriesMax; ++tries) {
      if (lock_byte(fd_, F_OFD_SETLK, F_WRLCK, 0) == 0) {
        held_ = true;
        return;
      }
      if (errno != EAGAIN && errno != EACCES && errno != EINTR) return;
      poll(nullptr, 0, 10);
    }
  }
  ~PageLock() {
    if (held_) lock_byte(fd_, F_OFD_SETLK, F_UNLCK, 0);
  }
  PageLock(const PageLock&) = delete;
  PageLock& operator=(const PageLock&) = delete;
  bool held() const { return held_; }

 private:
  int fd_;
  bool held_ = false;
};

std::uint64_t owner_word(std::uint32_t slot, std::uint32_t generation) {
  return static_cast<std::uint64_t>(generation) << 32 | slot;
}
std::uint32_t slot_of(std::uint64_t owner) { return static_cast<std::uint32_t>(owner) & 0xffff; }
std::uint32_t generation_of(std::uint64_t owner) { return static_cast<std::uint32_t>(owner >> 32); }

}  // namespace

struct CmPage::Entry {
  std::atomic<std::uint32_t> sequence;
  std::atomic<std::uint32_t> flags;    ///< kHasAddress ..., the family above them
  std::atomic<std::uint64_t> owner;    ///< generation and slot; 0: free
  std::atomic<std::uint64_t> service;  ///< its id
  std::atomic<std::uint64_t> mask;
  std::array<std::atomic<std::uint64_t>, 2> address;
  std::atomic<std::uint32_t> devices;  ///< bits: on which it listens
};

struct CmPage::Layout {
  std::atomic<std::uint64_t> magic;
  std::atomic<std::uint32_t> used;  ///< entries that were ever used: no reader goes beyond them
  std::atomic<std::uint32_t> next_port;
  std::array<std::atomic<std::uint64_t>, kSlotsMax + 1> participants;  ///< by slot: generation and devices
  std::array<Entry, kPortsMax> entries;
};

/// An entry as it was at one moment.
struct CmPage::Content {
  std::uint64_t owner = 0;
  cm::Service service;
  bool reuse = false;
  bool is_port = false;
  std::uint32_t devices = 0;

  static Content read(const Entry& entry) {
    for (int tries = 0; tries < kReadTriesMax; ++tries) {
      const std::uint32_t before = entry.sequence.load();
      if (before % 2 != 0) continue;
      Content content;
      const std::uint32_t flags = entry.flags.load();
      content.owner = entry.owner.load();
      content.service.id = entry.service.load();
      content.service.mask = entry.mask.load();
      if ((flags & kHasAddress) != 0) {
        const std::array<std::uint64_t, 2> halves = {entry.address[0].load(), entry.address[1].load()};
        std::memcpy(content.service.address.emplace().bytes.data(), halves.data(), sizeof(halves));
      }
      content.service.family = static_cast<cm::Service::Family>(flags >> kFamilyShift & 3);
      content.reuse = (flags & kReuse) != 0;
      content.is_port = (flags & kIsPort) != 0;
      content.devices = entry.devices.load();
      if (entry.sequence.load() == before) return content;
    }
    return {};
  }
  /// Under the page's lock.
  void write(Entry& entry) const {
    const std::uint32_t odd = entry.sequence.load() | 1;  // it is odd already when a writer has died
    entry.sequence.store(odd);
    std::uint32_t flags = static_cast<std::uint32_t>(service.family) << kFamilyShift;
    std::array<std::uint64_t, 2> halves{};
    if (service.address) {
      flags |= kHasAddress;
      std::memcpy(halves.data(), service.address->bytes.data(), sizeof(halves));
    }
    entry.flags.store(flags | (reuse ? kReuse : 0) | (is_port ? kIsPort : 0));
    entry.owner.store(owner);
    entry.service.store(service.id);
    entry.mask.store(service.mask);
    for (std::size_t i = 0; i < halves.size(); ++i) entry.address[i].store(halves[i]);
    entry.devices.store(devices);
    entry.sequence.store(odd + 1);
  }
};

base::TextResult<std::unique_ptr<CmPage>> CmPage::open(const RunDirectory& directory, const HostPage& host) {
  const std::string path = directory.file(kFileName);
  const auto failed = [&path](const char* what) {
    return base::fail_text(fmt::format("page of connections `{}`: {}: {}", path, what, std::strerror(errno)));
  };
  const int fd = openat(directory.fd(), kFileName, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return failed("cannot open it");
  std::unique_ptr<CmPage> page(new CmPage(host, fd, path));
  const PageLock lock(fd);
  if (!lock.held()) return failed("cannot lock it (is another process stopped?)");
  struct stat status {};
  if (fstat(fd, &status) != 0) return failed("cannot examine it");
  if (!S_ISREG(status.st_mode) || status.st_uid != geteuid()) {
    return base::fail_text(fmt::format("page of connections `{}`: it is not a file of our own", path));
  }
  struct flock users {};
  const bool in_use = lock_byte(fd, F_OFD_GETLK, F_WRLCK, kUsersByte, &users) != 0 || users.l_type != F_UNLCK;
  const bool sized = status.st_size == static_cast<off_t>(sizeof(Layout));
  if (!sized && in_use) {
    return base::fail_text(fmt::format("page of connections `{}`: processes of another rocelab version use it", path));
  }
  // What nobody uses is begun anew: generations on the host page may have begun anew too.
  if (!in_use && (ftruncate(fd, 0) != 0 || ftruncate(fd, static_cast<off_t>(sizeof(Layout))) != 0)) {
    return failed("cannot size it");
  }
  // By an open of its own: a mapping keeps its open file alive, and with it the locks (see host_page.cc).
  const int mapped = openat(directory.fd(), kFileName, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (mapped < 0) return failed("cannot open it again");
  struct stat again {};
  void* memory = MAP_FAILED;
  if (fstat(mapped, &again) == 0 && again.st_ino == status.st_ino && again.st_dev == status.st_dev) {
    memory = mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
  }
  close(mapped);
  if (memory == MAP_FAILED) return failed("cannot map it");
  page->page_ = static_cast<Layout*>(memory);
  if (!in_use) page->page_->magic.store(kMagic);
  if (page->page_->magic.load() != kMagic) {
    return base::fail_text(fmt::format("page of connections `{}`: processes of another rocelab version use it", path));
  }
  if (lock_byte(fd, F_OFD_SETLK, F_RDLCK, kUsersByte) != 0) return failed("cannot lock it");
  return page;
}

CmPage::CmPage(const HostPage& host, int fd, std::string path) : host_(host), fd_(fd), path_(std::move(path)) {}

CmPage::~CmPage() {
  if (page_ != nullptr) munmap(page_, sizeof(Layout));
  if (fd_ >= 0) close(fd_);
}

void CmPage::abandon() noexcept {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

// --- taking part ---------------------------------------------------------------------------------------------------

void CmPage::take_part(std::uint32_t device) {
  auto& mine = page_->participants[host_.slot() & kSlotsMax];
  const std::uint64_t before = mine.load();
  const std::uint64_t devices = generation_of(before) == host_.generation() ? before & 0xffff'ffff : 0;
  mine.store(static_cast<std::uint64_t>(host_.generation()) << 32 | devices | 1ull << device);
}

bool CmPage::takes_part(std::uint32_t slot, std::uint32_t device) const {
  if (slot > kSlotsMax) return false;
  const std::uint64_t there = page_->participants[slot].load();
  return (there >> device & 1) != 0 && host_.occupant(slot) == generation_of(there);
}

bool CmPage::is_speaker(std::uint32_t device) const {
  for (std::uint32_t slot = 1; slot < host_.slot(); ++slot) {
    if (!takes_part(slot, device)) continue;
    const auto generation = host_.occupant(slot);
    if (generation && host_.is_alive(slot, *generation)) return false;
  }
  return true;
}

// --- ports ---------------------------------------------------------------------------------------------------------

namespace {

using Family = cm::Service::Family;

bool may_meet(Family a, Family b) { return a == Family::kAny || b == Family::kAny || a == b; }

Family family_of(const cm::Service& service) {
  if (!service.address) return service.family;
  return service.address->is_ipv4_mapped() ? Family::kIpv4 : Family::kIpv6;
}

}  // namespace

bool CmPage::is_alive(std::uint64_t owner) const {
  return owner != 0 && slot_of(owner) <= kSlotsMax && host_.is_alive(slot_of(owner), generation_of(owner));
}

int CmPage::conflict(const cm::Service& wanted, bool reuse, std::optional<std::uint32_t> except) const {
  const std::uint32_t used = std::min(page_->used.load(), kPortsMax);
  for (std::uint32_t i = 0; i < used; ++i) {
    const Entry& entry = page_->entries[i];
    if (entry.service.load() != wanted.id || entry.owner.load() == 0 || except == i) continue;
    const Content other = Content::read(entry);
    if (!other.is_port || other.service.id != wanted.id || (reuse && other.reuse)) continue;
    if (!may_meet(family_of(other.service), family_of(wanted)) || !is_alive(other.owner)) continue;
    if (other.service.address == wanted.address) return EADDRINUSE;
    if (!other.service.address || !wanted.address) return EADDRNOTAVAIL;
  }
  return 0;
}

base::Result<PortHandle> CmPage::place(const Content& content) {
  const std::uint32_t used = std::min(page_->used.load(), kPortsMax);
  std::uint32_t at = 0;
  while (at < used && page_->entries[at].owner.load() != 0) ++at;
  if (at == used && used == kPortsMax) {
    at = 0;
    while (at < used && is_alive(page_->entries[at].owner.load())) ++at;
    if (at == used) return base::fail(ENOMEM, "the host has as many ports as it may have");
  }
  content.write(page_->entries[at]);
  if (at >= used) page_->used.store(at + 1);
  return static_cast<PortHandle>(at);
}

base::Result<PortBinding> CmPage::bind(const PortClaim& claim) {
  const PageLock lock(fd_);
  if (!lock.held()) return base::fail(EAGAIN, "the page of connections is locked by another process");
  bury_dead();
  Content content;
  content.owner = owner_word(host_.slot(), host_.generation());
  content.service.address = claim.address;
  content.service.family = claim.family;
  content.reuse = claim.reuse;
  content.is_port = true;
  const bool any = claim.port == 0;
  const std::uint32_t first = any ? page_->next_port.load() : 0;
  for (std::uint32_t i = 0; i < (any ? kEphemeralCount : 1); ++i) {
    const auto port = any ? static_cast<std::uint16_t>(kEphemeralFirst + (first + i) % kEphemeralCount) : claim.port;
    content.service.id = cm::service_id(claim.space, port);
    // A port that nobody named is shared with nobody.
    if (const int error = conflict(content.service, claim.reuse && !any, std::nullopt); error != 0) {
      if (!any) return base::fail(error, "the port is taken by another id of this host");
      continue;
    }
    const auto placed = place(content);
    if (!placed) return tl::make_unexpected(placed.error());
    if (any) page_->next_port.store((first + i + 1) % kEphemeralCount);
    return PortBinding{*placed, port};
  }
  return base::fail(EADDRNOTAVAIL, "all ports are taken");
}

base::Result<PortHandle> CmPage::publish(const cm::Service& service, std::uint32_t device) {
  const PageLock lock(fd_);
  if (!lock.held()) return base::fail(EAGAIN, "the page of connections is locked by another process");
  bury_dead();
  Content content;
  content.owner = owner_word(host_.slot(), host_.generation());
  content.service = service;
  content.devices = 1u << device;
  return place(content);
}

CmPage::Entry* CmPage::mine(PortHandle handle) {
  const auto at = static_cast<std::uint32_t>(handle);
  if (at >= kPortsMax) return nullptr;
  Entry& entry = page_->entries[at];
  return entry.owner.load() == owner_word(host_.slot(), host_.generation()) ? &entry : nullptr;
}

base::Result<void> CmPage::listen(PortHandle handle, std::uint32_t device) {
  const PageLock lock(fd_);
  if (!lock.held()) return base::fail(EAGAIN, "the page of connections is locked by another process");
  Entry* const entry = mine(handle);
  if (entry == nullptr) return base::fail(EINVAL, "the port is not bound");
  Content content = Content::read(*entry);
  if (content.reuse && conflict(content.service, false, static_cast<std::uint32_t>(handle)) != 0) {
    return base::fail(EADDRINUSE, "the port is shared with another id");
  }
  content.devices |= 1u << device;
  content.write(*entry);
  return {};
}

void CmPage::release(PortHandle handle) {
  const PageLock lock(fd_);
  // Without the lock the entry stays until this process ends.
  if (!lock.held()) return;
  if (Entry* const entry = mine(handle)) Content().write(*entry);
}

void CmPage::bury_dead() {
  // Each owner is asked about once; whoever ends gives nothing back, so this is where its ports become free.
  std::array<std::uint64_t, kSlotsMax + 1> living{};
  const std::uint32_t used = std::min(page_->used.load(), kPortsMax);
  for (std::uint32_t i = 0; i < used; ++i) {
    const std::uint64_t owner = page_->entries[i].owner.load();
    if (owner == 0) continue;
    const std::uint32_t slot = slot_of(owner);
    if (slot <= kSlotsMax && living[slot] == owner) continue;
    if (is_alive(owner)) {
      living[slot] = owner;
    } else {
      Content().write(page_->entries[i]);
    }
  }
}

std::optional<std::uint32_t> CmPage::owner_of(std::uint32_t device, std::uint64_t service_id,
                                              std::span<const std::byte> private_data) const {
  unsigned best = 0;
  std::optional<std::uint32_t> slot;
  const std::uint32_t used = std::min(page_->used.load(), kPortsMax);
  for (std::uint32_t i = 0; i < used; ++i) {
    const Entry& entry = page_->entries[i];
    // Most are of another port: a look without the whole entry.
    const std::uint64_t mask = entry.mask.load();
    if ((entry.service.load() & mask) != (service_id & mask) || (entry.devices.load() >> device & 1) == 0) continue;
    const Content content = Content::read(entry);
    if ((content.devices >> device & 1) == 0) continue;
    const unsigned how_well = cm::fit(content.service, service_id, private_data);
    if (how_well <= best || !is_alive(content.owner)) continue;
    best = how_well;
    slot = slot_of(content.owner);
  }
  return slot;
}

}  // namespace rocelab::runtime
