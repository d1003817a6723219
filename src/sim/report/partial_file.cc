// Files that are renamed when they are whole (partial_file.h).
#include "sim/report/partial_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace rocelab::sim {

namespace {

constexpr int kNamesMax = 100;  ///< tried, where killed runs have left theirs behind

tl::unexpected<std::string> system_error() { return base::fail_text(std::strerror(errno)); }

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

/// What the file's or folder's name stands for is on the disk when this returns true.
bool sync_path(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool good = ::fsync(descriptor) == 0;
  const int code = errno;
  ::close(descriptor);
  errno = code;
  return good;
}

}  // namespace

base::TextResult<PartialFile> PartialFile::make(const std::string& final_path) {
  if (final_path.empty() || final_path.ends_with('/')) return base::fail_text("it names no file");
  struct stat status {};
  if (::stat(final_path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    return base::fail_text(S_ISDIR(status.st_mode) ? "is a folder" : "is there and is no ordinary file");
  }
  PartialFile file;
  file.final_path_ = final_path;
  for (int i = 0; i < kNamesMax; ++i) {
    const std::string path = fmt::format("{}.partial-{}-{}", final_path, ::getpid(), i);
    const int descriptor = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor >= 0) {
      ::close(descriptor);
      file.path_ = path;
      return file;
    }
    if (errno != EEXIST) return system_error();
  }
  return base::fail_text(fmt::format("{} unfinished files lie beside it", kNamesMax));
}

PartialFile::PartialFile(PartialFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), final_path_(std::move(other.final_path_)) {}

PartialFile& PartialFile::operator=(PartialFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(final_path_, other.final_path_);
  return *this;
}

PartialFile::~PartialFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

base::TextResult<void> PartialFile::commit() {
  if (!sync_path(path_)) return system_error();
  if (std::rename(path_.c_str(), final_path_.c_str()) != 0) return system_error();
  path_.clear();
  // The name's safety is the folder's. Some file systems refuse to sync folders: the file itself is safe by now.
  (void)sync_path(folder_of(final_path_));
  return {};
}

base::TextResult<void> write_whole_file(const std::string& path, std::string_view content) {
  auto file = PartialFile::make(path);
  if (!file) return base::fail_text(file.error());
  std::FILE* stream = std::fopen(file->path().c_str(), "we");
  if (stream == nullptr) return system_error();
  const bool written = std::fwrite(content.data(), 1, content.size(), stream) == content.size();
  const int write_code = errno;
  const bool closed = std::fclose(stream) == 0;
  if (!written) errno = write_code;
  if (!written || !closed) return system_error();
  return file->commit();
}

}  // namespace rocelab::sim
