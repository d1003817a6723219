// See launch.h.
#include "cli/launch.h"

#include <elf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "cli/command.h"

namespace rocelab::cli {

namespace {

constexpr const char* kVerbsLibrary = "libibverbs.so.1";
constexpr const char* kPreloadLibrary = "librocelab-preload.so";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> split(const std::string& list, std::string_view separators) {
  std::vector<std::string> entries(1);
  for (const char character : list) {
    if (separators.find(character) != std::string_view::npos) {
      entries.emplace_back();
    } else {
      entries.back() += character;
    }
  }
  return entries;
}

bool is_executable_file(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && access(path.c_str(), X_OK) == 0;
}

/// A 64-bit ELF executable without an interpreter is linked statically.
bool is_static_executable(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Elf64_Ehdr header{};
  if (!file.read(reinterpret_cast<char*>(&header), sizeof header)) return false;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) return false;
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return false;
  file.seekg(static_cast<std::streamoff>(header.e_phoff));
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    if (!file.read(reinterpret_cast<char*>(&segment), sizeof segment)) return false;
    if (segment.p_type == PT_INTERP) return false;
  }
  return true;
}

}  // namespace

base::TextResult<std::string> find_library_folder() {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (error) return base::fail_text(fmt::format("cannot find out where this executable is: {}", error.message()));
  const fs::path installed = ROCELAB_LIBRARY_FOLDER;  // relative to the prefix, unless the user chose otherwise
  const fs::path prefix = self.parent_path().parent_path();
  const std::vector<fs::path> folders = {self.parent_path() / "lib", prefix / installed};
  std::vector<std::string> missing;
  for (const fs::path& folder : folders) {
    bool complete = true;
    for (const char* library : {kVerbsLibrary, kPreloadLibrary}) {
      if (fs::exists(folder / library, error)) continue;
      missing.push_back((folder / library).lexically_normal());
      complete = false;
    }
    if (complete) return folder.lexically_normal().string();
  }
  return base::fail_text(
      fmt::format("rocelab's libraries are not beside the command; missing: {}", fmt::join(missing, ", ")));
}

std::string find_program(const std::string& program, const std::string& search_path) {
  if (program.find('/') != std::string::npos) return access(program.c_str(), F_OK) == 0 ? program : "";
  for (const std::string& folder : split(search_path, ":")) {
    const std::string path = (folder.empty() ? "." : folder) + "/" + program;
    if (is_executable_file(path)) return path;
  }
  return "";
}

std::string linker_objection(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return "";
  if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid()) {
    return "it is set-user-id, so the dynamic linker ignores LD_LIBRARY_PATH and LD_PRELOAD";
  }
  if ((status.st_mode & S_ISGID) != 0 && status.st_gid != getgid()) {
    return "it is set-group-id, so the dynamic linker ignores LD_LIBRARY_PATH and LD_PRELOAD";
  }
  if (geteuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0) {
    return "it has file capabilities, so the dynamic linker ignores LD_LIBRARY_PATH and LD_PRELOAD";
  }
  if (is_static_executable(path)) return "it is statically linked, so it cannot load another libibverbs";
  return "";
}

std::string with_entry(const std::string& list, const std::string& entry, bool at_end) {
  if (list.empty()) return entry;
  std::string kept;
  for (const std::string& old : split(list, at_end ? ": " : ":")) {
    if (old == entry || (at_end && old.empty())) continue;
    kept += (kept.empty() ? "" : ":") + old;
  }
  if (kept.empty()) return entry;
  return at_end ? kept + ":" + entry : entry + ":" + kept;
}

int launch(const std::vector<std::string>& program) {
  const std::string path = find_program(program.front(), variable("PATH"));
  if (path.empty()) return fail("run", fmt::format("{}: program not found", program.front()), kExitNotFound);
  if (!is_executable_file(path)) {
    return fail("run", fmt::format("{}: it is not an executable file", path), kExitNotRunnable);
  }
  if (const std::string objection = linker_objection(path); !objection.empty()) {
    return fail("run", fmt::format("{}: {}", path, objection), kExitNotRunnable);
  }
  const auto folder = find_library_folder();
  if (!folder) return fail("run", folder.error(), kExitOwnFault);

  setenv("LD_LIBRARY_PATH", with_entry(variable("LD_LIBRARY_PATH"), *folder, false).c_str(), 1);
  setenv("LD_PRELOAD", with_entry(variable("LD_PRELOAD"), *folder + "/" + kPreloadLibrary, true).c_str(), 1);

  std::vector<char*> arguments;
  for (const std::string& argument : program) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execv(path.c_str(), arguments.data());
  if (errno == ENOEXEC) {  // a script without an interpreter line: as execvp() and shells do
    arguments.insert(arguments.begin(), const_cast<char*>("/bin/sh"));
    arguments[1] = const_cast<char*>(path.c_str());
    execv("/bin/sh", arguments.data());
  }
  return fail("run", fmt::format("{}: cannot start it: {}", path, std::strerror(errno)), kExitNotRunnable);
}

}  // namespace rocelab::cli
