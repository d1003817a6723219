// See steering.h. The shared file holds a cookie, a number of rounds and each process's place in the newest round. That
// a process is there is what the kernel says: it holds a lock on its byte of the file, which ends with it.
#include "net/udp/steering.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "wire/bytes.h"

namespace rocelab::net::udp {

namespace {

constexpr std::uint32_t kMagic = 0xff0f7370;  // opcode 0xff, version 15, "sp": where a BTH has them
constexpr std::uint32_t kPlaceAt = 4, kProcessAt = 5;
constexpr unsigned kAttachRoundsMax = 16;
constexpr std::uint32_t kPlacesToSpare = 2;

sock_filter statement(std::uint16_t code, std::uint32_t k) { return {code, 0, 0, k}; }

struct Known {
  std::uint8_t process;
  std::uint16_t place;
};

/// Binary search for the accumulator among `known`, which are sorted; ends in a verdict on every way.
void add_search(std::vector<sock_filter>& program, std::span<const Known> known) {
  if (known.empty()) {
    program.push_back(statement(BPF_RET | BPF_K, 0));
    return;
  }
  if (known.size() == 1) {
    program.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, known[0].process});
    program.push_back(statement(BPF_RET | BPF_K, known[0].place));
    program.push_back(statement(BPF_RET | BPF_K, 0));
    return;
  }
  const std::size_t middle = known.size() / 2;
  program.push_back({BPF_JMP | BPF_JGE | BPF_K, 0, 1, known[middle].process});
  const std::size_t jump = program.size();
  program.push_back(statement(BPF_JMP | BPF_JA, 0));
  add_search(program, known.first(middle));
  program[jump].k = static_cast<std::uint32_t>(program.size() - jump - 1);
  add_search(program, known.subspan(middle));
}

}  // namespace

std::vector<sock_filter> steering_program(const Places& places) {
  std::vector<Known> known;
  for (std::size_t process = 0; process < places.size(); ++process) {
    if (places[process]) known.push_back({static_cast<std::uint8_t>(process), *places[process]});
  }
  std::vector<sock_filter> program;
  program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, 0));
  program.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 2, kMagic});
  program.push_back(statement(BPF_LD | BPF_H | BPF_ABS, kPlaceAt));
  program.push_back(statement(BPF_RET | BPF_A, 0));
  program.push_back(statement(BPF_LD | BPF_B | BPF_ABS, kProcessAt));
  add_search(program, known);
  return program;
}

std::optional<Probe> Probe::parse(std::span<const std::byte> datagram) {
  if (datagram.size() != kSize || wire::load_be<std::uint32_t>(datagram.data()) != kMagic) return std::nullopt;
  const std::byte* const p = datagram.data();
  return Probe{wire::load_be<std::uint16_t>(p + kPlaceAt), wire::load_be<std::uint32_t>(p + 8),
               wire::load_be<std::uint64_t>(p + 16)};
}

void Probe::emit(std::span<std::byte, kSize> out) const {
  std::byte* const p = out.data();
  std::memset(p, 0, kSize);
  wire::store_be<std::uint32_t>(p, kMagic);
  wire::store_be<std::uint16_t>(p + kPlaceAt, place);
  wire::store_be<std::uint32_t>(p + 8, round);
  wire::store_be<std::uint64_t>(p + 16, cookie);
}

/// Zeros mean: nothing known yet. What is in it may have been scribbled over by a faulty process of the same user; the
/// worst that wrong places do is that packets go to the wrong process of the host.
struct Steering::Shared {
  std::atomic<std::uint64_t> cookie;
  std::atomic<std::uint32_t> round;
  std::atomic<std::uint32_t> version;                                ///< changes after every change of places
  std::array<std::atomic<std::uint64_t>, kProcessesMax> of_process;  ///< round << 32 | place + 1; 0: none
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

base::TextResult<void> Steering::open(const std::string& path, std::uint32_t process) {
  const auto failed = [&path](const char* what) {
    return base::fail_text(fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
  };
  leave();
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) return failed("cannot open it");
  struct stat status {};
  if (fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) return failed("not a file");
  if (status.st_size < static_cast<off_t>(sizeof(Shared)) && ftruncate(fd_, sizeof(Shared)) != 0) {
    return failed("cannot make it long enough");
  }
  // Mapped by a descriptor of its own: a mapping keeps its open file, and with it a lock, beyond close().
  const int map_fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  void* const mapped = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (map_fd >= 0) close(map_fd);
  if (mapped == MAP_FAILED) return failed("cannot map it");
  shared_ = static_cast<Shared*>(mapped);
  process_ = process % kProcessesMax;
  std::uint64_t fresh = 0, none = 0;
  if (getrandom(&fresh, sizeof fresh, 0) == sizeof fresh) shared_->cookie.compare_exchange_strong(none, fresh | 1);
  return {};
}

base::TextResult<bool> Steering::begin_to_bind() {
  if (flock(fd_, LOCK_EX) != 0) return base::fail_text(fmt::format("cannot lock: {}", std::strerror(errno)));
  struct flock own {};
  own.l_type = F_WRLCK;
  own.l_whence = SEEK_SET;
  own.l_start = static_cast<off_t>(process_);
  own.l_len = 1;
  if (fcntl(fd_, F_OFD_SETLK, &own) != 0) {
    const int error = errno;
    flock(fd_, LOCK_UN);
    return base::fail_text(fmt::format("another process of this host has our place: {}", std::strerror(error)));
  }
  shared_->of_process[process_].store(0);
  return !has_company();
}

void Steering::end_to_bind() { flock(fd_, LOCK_UN); }

bool Steering::is_there(std::uint32_t process) const {
  struct flock asked {};
  asked.l_type = F_WRLCK;
  asked.l_whence = SEEK_SET;
  asked.l_start = static_cast<off_t>(process);
  asked.l_len = 1;
  return fcntl(fd_, F_OFD_GETLK, &asked) == 0 && asked.l_type != F_UNLCK;
}

bool Steering::has_company() const {
  struct flock asked {};
  asked.l_type = F_WRLCK;
  asked.l_whence = SEEK_SET;
  asked.l_len = kProcessesMax;  // our own lock is not in our way
  return fd_ >= 0 && fcntl(fd_, F_OFD_GETLK, &asked) == 0 && asked.l_type != F_UNLCK;
}

void Steering::ask_for_places(const sockaddr* address, socklen_t length, int socket_to_prepare) {
  if (shared_ == nullptr) return;
  if (socket_to_prepare >= 0) attach(socket_to_prepare);  // without a filter nobody gets the probe for his place
  std::uint32_t places = kPlacesToSpare;
  for (std::uint32_t process = 0; process < kProcessesMax; ++process) {
    if (process == process_ || is_there(process)) ++places;
  }
  // A socket of its own: ours may have a full send buffer, or be closed already.
  const int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  Probe probe{0, shared_->round.fetch_add(1) + 1, shared_->cookie.load()};
  std::array<std::byte, Probe::kSize> bytes;
  for (; probe.place < places; ++probe.place) {
    probe.emit(bytes);
    static_cast<void>(sendto(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL, address, length));
  }
  close(fd);
}

bool Steering::take_probe(std::span<const std::byte> datagram, int socket) {
  const auto probe = Probe::parse(datagram);
  if (!probe) return false;
  if (shared_ == nullptr || probe->cookie != shared_->cookie.load()) return true;
  std::atomic<std::uint64_t>& own = shared_->of_process[process_];
  const std::uint64_t before = own.load();
  const auto round = static_cast<std::uint32_t>(before >> 32);
  const std::uint64_t after = static_cast<std::uint64_t>(probe->round) << 32 | (probe->place + 1u);
  // Probes for places that do not exist go to anybody: a process's own place is the lowest that it hears of in a round.
  const bool newer = before == 0 || static_cast<std::int32_t>(probe->round - round) > 0;
  if (!newer && (probe->round != round || after >= before)) return true;
  own.store(after);
  shared_->version.fetch_add(1);
  attach(socket);
  return true;
}

/// Every process attaches when its own place has changed, and again when another's has changed meanwhile: whoever is
/// the last has seen everything.
void Steering::attach(int socket) {
  for (unsigned round = 0; round < kAttachRoundsMax; ++round) {
    const std::uint32_t version = shared_->version.load();
    Places places;
    for (std::size_t process = 1; process < kProcessesMax; ++process) {
      const std::uint64_t entry = shared_->of_process[process].load();
      if (entry != 0) places[process] = static_cast<std::uint16_t>(entry - 1);
    }
    auto program = steering_program(places);
    const sock_fprog argument{static_cast<unsigned short>(program.size()), program.data()};
    static_cast<void>(setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &argument, sizeof argument));
    if (shared_->version.load() == version) return;
  }
}

void Steering::leave() {
  if (shared_ != nullptr) {
    if (process_ != 0) shared_->of_process[process_].store(0);
    shared_->version.fetch_add(1);
    munmap(shared_, sizeof(Shared));
    shared_ = nullptr;
  }
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void Steering::abandon() noexcept {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  shared_ = nullptr;  // the mapping stays: munmap is not for signal handlers
}

}  // namespace rocelab::net::udp
