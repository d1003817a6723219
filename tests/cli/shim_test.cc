// The preload shim from inside a program: this test runs with LD_PRELOAD and ROCELAB_SYSFS set (meson.build). Each call
// that takes a path sees the tree below /sys/class/infiniband and the real files elsewhere.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cli/sysfs_tree.h"
#include "runtime/host_counters.h"
#include "runtime/host_page.h"
#include "tests/cli/descriptions.h"
#include "tests/support/catch.h"

namespace rocelab::cli {

namespace fs = std::filesystem;

namespace {

const char* const kClass = "/sys/class/infiniband";
const char* const kState = "/sys/class/infiniband/rocelab0/ports/1/state";
const char* const kDevice = "/sys/class/infiniband/rocelab0";

/// Writes the tree where ROCELAB_SYSFS says; once.
void tree() {
  static const bool written = [] {
    const fs::path folder = std::getenv("ROCELAB_SYSFS");
    fs::remove_all(folder);
    const fs::path parent = folder.parent_path();
    fs::create_directories(parent);
    const auto devices = two_devices();
    const auto made = write_tree(make_sysfs_tree(devices, 4), parent);
    if (made) fs::rename(*made, folder);
    return made.has_value();
  }();
  REQUIRE(written);
}

std::string slurp(int fd) {
  char text[64];
  const ssize_t bytes = fd < 0 ? -1 : read(fd, text, sizeof text);
  if (fd >= 0) close(fd);
  return bytes < 0 ? "failed" : std::string(text, static_cast<std::size_t>(bytes));
}

std::vector<std::string> names(DIR* folder) {
  std::vector<std::string> found;
  if (folder == nullptr) return found;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') found.emplace_back(entry->d_name);
  }
  closedir(folder);
  std::sort(found.begin(), found.end());
  return found;
}

/// A function of libc that its headers do not declare any more, or under another name.
template <class Function>
Function* libc(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

const std::vector<std::string> kBoth = {"rocelab0", "rocelab1"};

}  // namespace

TEST_CASE("shim: every way to open a file reads the tree", "[cli][shim]") {
  tree();
  CHECK(slurp(open(kState, O_RDONLY)) == "4: ACTIVE\n");
  CHECK(slurp(open64(kState, O_RDONLY | O_CLOEXEC)) == "4: ACTIVE\n");
  CHECK(slurp(openat(AT_FDCWD, kState, O_RDONLY)) == "4: ACTIVE\n");
  CHECK(slurp(openat64(AT_FDCWD, kState, O_RDONLY)) == "4: ACTIVE\n");
  CHECK(slurp(libc<int(const char*, int)>("__open_2")(kState, O_RDONLY)) == "4: ACTIVE\n");
  CHECK(slurp(libc<int(const char*, int)>("__open64_2")(kState, O_RDONLY)) == "4: ACTIVE\n");
  CHECK(slurp(libc<int(int, const char*, int)>("__openat_2")(AT_FDCWD, kState, O_RDONLY)) == "4: ACTIVE\n");
  CHECK(slurp(libc<int(int, const char*, int)>("__openat64_2")(AT_FDCWD, kState, O_RDONLY)) == "4: ACTIVE\n");
  std::string text;
  std::getline(std::ifstream(kState) >> std::ws, text);
  CHECK(text == "4: ACTIVE");
  for (const char* name : {"fopen", "fopen64"}) {
    FILE* file = libc<FILE*(const char*, const char*)>(name)(kState, "r");
    REQUIRE(file != nullptr);
    char line[32] = {};
    CHECK(std::fgets(line, sizeof line, file) == line);
    CHECK(std::string(line) == "4: ACTIVE\n");
    std::fclose(file);
  }
}

TEST_CASE("shim: folders are listed from the tree", "[cli][shim]") {
  tree();
  CHECK(names(opendir(kClass)) == kBoth);
  CHECK(names(fdopendir(open(kClass, O_RDONLY | O_DIRECTORY))) == kBoth);
  CHECK(names(opendir("/sys/class/infiniband_verbs")) == std::vector<std::string>{"abi_version", "uverbs0", "uverbs1"});
  dirent** list = nullptr;
  const int count = scandir(kClass, &list, nullptr, alphasort);
  REQUIRE(count == 4);
  CHECK(std::string(list[2]->d_name) == "rocelab0");
  for (int i = 0; i < count; ++i) std::free(list[i]);
  std::free(list);
  CHECK(scandirat(AT_FDCWD, kClass, &list, nullptr, nullptr) == 4);
  for (int i = 0; i < count; ++i) std::free(list[i]);
  std::free(list);
  const fs::directory_iterator entries(kClass);
  CHECK(std::distance(begin(entries), end(entries)) == 2);
}

TEST_CASE("shim: stat, statx and access see the tree, with links and without", "[cli][shim]") {
  tree();
  struct stat status {};
  REQUIRE(stat(kDevice, &status) == 0);
  CHECK(S_ISDIR(status.st_mode));
  REQUIRE(lstat(kDevice, &status) == 0);
  CHECK(S_ISLNK(status.st_mode));
  REQUIRE(fstatat(AT_FDCWD, kDevice, &status, AT_SYMLINK_NOFOLLOW) == 0);
  CHECK(S_ISLNK(status.st_mode));
  struct stat64 wide {};
  CHECK(stat64(kState, &wide) == 0);
  CHECK(lstat64(kState, &wide) == 0);
  CHECK(fstatat64(AT_FDCWD, kState, &wide, 0) == 0);
  struct statx extended {};
  CHECK(statx(AT_FDCWD, kState, 0, STATX_MODE, &extended) == 0);
  CHECK(S_ISREG(extended.stx_mode));
  using Xstat = int(int, const char*, struct stat*);
  for (const char* name : {"__xstat", "__lxstat", "__xstat64", "__lxstat64"}) {
    CHECK(libc<Xstat>(name)(1, kState, &status) == 0);
  }
  using Fxstatat = int(int, int, const char*, struct stat*, int);
  for (const char* name : {"__fxstatat", "__fxstatat64"}) {
    CHECK(libc<Fxstatat>(name)(1, AT_FDCWD, kState, &status, 0) == 0);
  }
  CHECK(access(kState, R_OK) == 0);
  CHECK(eaccess(kState, R_OK) == 0);
  CHECK(euidaccess(kState, R_OK) == 0);
  CHECK(faccessat(AT_FDCWD, kState, F_OK, 0) == 0);
  CHECK(access("/sys/class/infiniband/rocelab7", F_OK) == -1);
  CHECK(errno == ENOENT);
}

TEST_CASE("shim: links read as the kernel's would, and real paths lead back into /sys", "[cli][shim]") {
  tree();
  const std::string link = "../../devices/virtual/infiniband/rocelab0";
  char text[PATH_MAX];
  CHECK(readlink(kDevice, text, sizeof text) == static_cast<ssize_t>(link.size()));
  CHECK(readlinkat(AT_FDCWD, kDevice, text, sizeof text) == static_cast<ssize_t>(link.size()));
  CHECK(std::string(text, link.size()) == link);
  CHECK(libc<ssize_t(const char*, char*, size_t, size_t)>("__readlink_chk")(kDevice, text, 9, sizeof text) == 9);
  CHECK(libc<ssize_t(int, const char*, char*, size_t, size_t)>("__readlinkat_chk")(AT_FDCWD, kDevice, text, 9,
                                                                                   sizeof text) == 9);
  const std::string real = "/sys/devices/virtual/infiniband/rocelab0/device";
  const std::string device = std::string(kDevice) + "/device";
  REQUIRE(realpath(device.c_str(), text) == text);
  CHECK(text == real);
  REQUIRE(libc<char*(const char*, char*, size_t)>("__realpath_chk")(device.c_str(), text, sizeof text) == text);
  CHECK(text == real);
  char* allocated = canonicalize_file_name(device.c_str());
  REQUIRE(allocated != nullptr);
  CHECK(allocated == real);
  std::free(allocated);
  CHECK(slurp(open((real + "/numa_node").c_str(), O_RDONLY)) == "-1\n");
}

TEST_CASE("shim: paths are understood however they are written", "[cli][shim]") {
  tree();
  for (const char* path :
       {"/sys//class/./infiniband/rocelab0/ports/1/state", "/sys/class/net/../infiniband/rocelab0/node_type",
        "/proc/../sys/class/infiniband/rocelab0/ports/1/lid", "/sys/class/infiniband/",
        "/sys/class/infiniband_verbs/uverbs0/device/../node_guid"}) {
    CAPTURE(path);
    CHECK(access(path, R_OK) == 0);
  }
  // Relative to an open folder, and to the working directory.
  const int folder = open("/sys/class", O_RDONLY | O_DIRECTORY);
  if (folder >= 0) {
    CHECK(faccessat(folder, "infiniband/rocelab0/ports/1/state", R_OK, 0) == 0);
    close(folder);
  }
  const int inside = open(kDevice, O_RDONLY | O_DIRECTORY);
  CHECK(slurp(openat(inside, "ports/1/state", O_RDONLY)) == "4: ACTIVE\n");
  close(inside);
  const fs::path before = fs::current_path();
  REQUIRE(chdir("/sys") == 0);
  CHECK(access("class/infiniband/rocelab0", F_OK) == 0);
  REQUIRE(chdir(kClass) == 0);
  CHECK(slurp(open("rocelab1/ports/1/state", O_RDONLY)) == "4: ACTIVE\n");
  fs::current_path(before);
}

TEST_CASE("shim: what is not served stays real, and what sounds alike does too", "[cli][shim]") {
  tree();
  CHECK(access("/sys/class/infiniband_cm", F_OK) == -1);  // hidden: not in the tree
  CHECK(access("/sys/class/misc/rdma_cm/abi_version", R_OK) == 0);
  CHECK(access("/sys/class/net", F_OK) == 0);
  CHECK(slurp(open("/proc/self/comm", O_RDONLY)).find("test_shim") == 0);
  const std::string mine = std::string(std::getenv("ROCELAB_SYSFS")) + ".infiniband";
  std::ofstream(mine) << "mine";
  CHECK(slurp(open(mine.c_str(), O_RDONLY)) == "mine");
  CHECK(unlink(mine.c_str()) == 0);
  errno = 77;
  CHECK(access("/proc/self", F_OK) == 0);
  CHECK(errno == 77);
}

TEST_CASE("shim: a counter's file has the sum over all processes, living and ended", "[cli][shim]") {
  tree();
  const char* path = "/sys/class/infiniband/rocelab1/ports/1/hw_counters/sent_pkts";
  const fs::path page = fs::path(std::getenv("ROCELAB_SYSFS")).parent_path() / "host-page";
  fs::remove(page);
  CHECK(slurp(open(path, O_RDONLY)) == "0\n");  // nobody has counted yet

  const auto where = runtime::HostPage::counters_location();
  const std::size_t index = runtime::counters_size(1);  // the second device's first counter
  std::vector<std::uint64_t> words((where.slots + where.slot_count * where.slot_stride) / sizeof(std::uint64_t));
  words[where.retired / sizeof(std::uint64_t) + index] = 1000;
  for (const std::size_t slot : {std::size_t{1}, where.slot_count - 1}) {
    words[(where.slots + slot * where.slot_stride + where.slot_counters) / sizeof(std::uint64_t) + index] = 11;
  }
  std::ofstream(page, std::ios::binary)
      .write(reinterpret_cast<const char*>(words.data()), static_cast<std::streamsize>(words.size() * 8));
  CHECK(slurp(open(path, O_RDONLY)) == "1022\n");
  std::string text;
  std::getline(std::ifstream(path), text);
  CHECK(text == "1022");
  CHECK(slurp(open("/sys/class/infiniband/rocelab1/ports/1/counters/port_xmit_packets", O_RDONLY)) == "1022\n");
  CHECK(slurp(open("/sys/class/infiniband/rocelab0/ports/1/hw_counters/sent_pkts", O_RDONLY)) == "0\n");
  fs::remove(page);
}

TEST_CASE("shim: /dev/infiniband has a character device for each of our devices, which can be opened and does nothing",
          "[cli][shim]") {
  tree();
  const char* path = "/dev/infiniband/uverbs1";
  CHECK(names(opendir("/dev/infiniband")) == std::vector<std::string>{"rdma_cm", "uverbs0", "uverbs1"});
  struct stat status {};
  REQUIRE(stat(path, &status) == 0);
  CHECK(S_ISCHR(status.st_mode));
  CHECK(major(status.st_rdev) == 231);
  CHECK(minor(status.st_rdev) == 193);
  struct statx extended {};
  REQUIRE(statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &extended) == 0);
  CHECK(S_ISCHR(extended.stx_mode));
  CHECK(extended.stx_rdev_minor == 193);
  REQUIRE(fstatat(AT_FDCWD, path, &status, 0) == 0);
  CHECK(S_ISCHR(status.st_mode));
  CHECK(access(path, R_OK | W_OK) == 0);
  CHECK(faccessat(AT_FDCWD, path, W_OK, 0) == 0);
  CHECK(access(path, X_OK) == -1);
  CHECK(access("/dev/infiniband/uverbs7", F_OK) == -1);
  CHECK(open("/dev/infiniband/uverbs7", O_RDWR) == -1);
  CHECK(slurp(open("/sys/class/infiniband_verbs/uverbs1/dev", O_RDONLY)) == "231:193\n");
  char text[PATH_MAX];
  REQUIRE(realpath(path, text) == text);
  CHECK(std::string(text) == path);

  const int fd = open(path, O_RDWR | O_CLOEXEC);
  REQUIRE(fd >= 0);
  CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(write(fd, "x", 1) == -1);
  CHECK(errno == EPERM);
  CHECK(ioctl(fd, TCGETS, text) == -1);
  CHECK(errno == ENOTTY);
  close(fd);
}

TEST_CASE("shim: a path that leads out of what is served does not need the way through it", "[cli][shim]") {
  tree();
  CHECK(access("/dev/infiniband/../null", W_OK) == 0);
  CHECK(access("/sys/class/infiniband/..", F_OK) == 0);
  struct stat above {
  }, root{};
  REQUIRE(stat("/dev/infiniband/../..", &above) == 0);
  REQUIRE(stat("/", &root) == 0);
  CHECK(above.st_ino == root.st_ino);
}

TEST_CASE("shim: nothing can be written", "[cli][shim]") {
  tree();
  for (const int flags : {O_WRONLY, O_RDWR, O_RDONLY | O_CREAT}) {
    CHECK(open(kState, flags, 0644) == -1);
    CHECK(errno == EACCES);
  }
  CHECK(std::fopen(kState, "w") == nullptr);
  CHECK(std::fopen(kState, "r+") == nullptr);
  CHECK(open("/sys/class/infiniband/new", O_WRONLY | O_CREAT, 0644) == -1);
}

TEST_CASE("shim: a mode is passed on when a real file is made", "[cli][shim]") {
  const std::string mine = std::string(std::getenv("ROCELAB_SYSFS")) + ".mode";
  const int fd = open(mine.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  REQUIRE(fd >= 0);
  struct stat status {};
  CHECK(fstat(fd, &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  close(fd);
  CHECK(unlink(mine.c_str()) == 0);
}

}  // namespace rocelab::cli
