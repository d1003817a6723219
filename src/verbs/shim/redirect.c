// See redirect.h.
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include "verbs/shim/redirect.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SYS_PREFIX "/sys"
#define NODES "/dev/infiniband"  // keeps its name below the tree's folder, which stands for /sys otherwise

/// Folders that lead into the tree. `family`: also what goes on after an underscore (infiniband_verbs,
/// infiniband_mad: when the tree has no such folder, it is hidden).
static const struct {
  const char* path;
  bool family;
} kServed[] = {
    {NODES, false},
    {SYS_PREFIX "/class/infiniband", true},
    {SYS_PREFIX "/class/misc/rdma_cm", false},
    {SYS_PREFIX "/devices/virtual/infiniband", true},
    {SYS_PREFIX "/devices/virtual/misc/rdma_cm", false},
};

void* shim_next(const char* name) {
  void* function = dlsym(RTLD_NEXT, name);
  if (function == NULL) {
    static const char kText[] = "librocelab-preload: this libc lacks a function that it once had: ";
    // Not write(): it is one of our own wrappers.
    syscall(SYS_write, STDERR_FILENO, kText, sizeof kText - 1);
    syscall(SYS_write, STDERR_FILENO, name, strlen(name));
    _exit(125);
  }
  return function;
}

/// The tree's folder, an absolute path without a trailing slash; NULL when the shim has nothing to serve. The
/// environment is read once, early: programs may change it later, and getenv is not safe against that.
static const char* tree;
__attribute__((constructor)) static void find_tree(void) {
  const char* value = secure_getenv("ROCELAB_SYSFS");
  if (value == NULL || value[0] != '/') return;
  tree = strdup(value);  // kept for the life of the process
}

const char* shim_tree(void) { return tree; }

/// Copies `path` to `out` without empty parts and ".", and with `fold` also without ".."; keeps a trailing slash, which
/// makes the kernel follow a link. Returns false when it does not fit.
static bool normalise(const char* path, bool fold, char* out, size_t room) {
  size_t length = 0;
  while (*path != '\0') {
    while (*path == '/') ++path;
    const size_t part = strcspn(path, "/");
    if (part == 0) break;
    if (fold && part == 2 && path[0] == '.' && path[1] == '.') {
      while (length > 0 && out[--length] != '/') continue;
    } else if (part != 1 || path[0] != '.') {
      if (length + part + 3 > room) return false;
      out[length++] = '/';
      memcpy(out + length, path, part);
      length += part;
    }
    path += part;
    if (path[0] == '/' && path[1] == '\0') out[length++] = '/';
  }
  out[length] = '\0';
  return true;
}

static bool is_served(const char* path) {
  for (size_t i = 0; i < sizeof kServed / sizeof *kServed; ++i) {
    const size_t length = strlen(kServed[i].path);
    if (strncmp(path, kServed[i].path, length) != 0) continue;
    const char next = path[length];
    if (next == '\0' || next == '/' || (next == '_' && kServed[i].family)) return true;
  }
  return false;
}

/// Makes a relative path absolute. System calls without libc's wrappers: those may be ours.
static bool make_absolute(int dirfd, const char* path, char* out, size_t room) {
  long length = 0;
  if (dirfd == AT_FDCWD) {
    length = syscall(SYS_getcwd, out, room) - 1;
  } else {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
    length = syscall(SYS_readlinkat, AT_FDCWD, link, out, room);
  }
  if (length <= 0 || out[0] != '/') return false;
  const size_t tail = strlen(path);
  if ((size_t)length + 1 + tail + 1 > room) return false;
  out[length] = '/';
  memcpy(out + length + 1, path, tail + 1);
  return true;
}

const char* shim_redirect(int dirfd, const char* path, shim_path* room) {
  if (tree == NULL || path == NULL) return path;
  if (strstr(path, "infiniband") == NULL && strstr(path, "rdma_cm") == NULL) return path;
  const int saved = errno;
  const char* result = path;
  shim_path absolute;
  if (path[0] != '/') {
    path = make_absolute(dirfd, path, absolute.bytes, sizeof absolute.bytes) ? absolute.bytes : "/";
  }
  // Whether a path is ours is decided on its text: "/sys/class/net/../infiniband" is, "/sys/class/infiniband/.." is
  // not. Inside the tree ".." stays, because there it may follow a link.
  shim_path clean;
  const bool short_enough =
      normalise(path, true, clean.bytes, sizeof clean.bytes) && normalise(path, false, room->bytes, sizeof room->bytes);
  const bool usable = short_enough && is_served(clean.bytes);
  if (usable && is_served(room->bytes)) clean = *room;
  // "/dev/infiniband/..": there may be no such folder for the kernel to go through.
  if (short_enough && !usable && is_served(room->bytes)) {
    *room = clean;
    if (room->bytes[0] == '\0') memcpy(room->bytes, "/", 2);
    result = room->bytes;
  }
  if (usable) {
    const char* inside = clean.bytes + (strncmp(clean.bytes, NODES, sizeof NODES - 1) == 0 ? 0 : sizeof SYS_PREFIX - 1);
    const size_t folder = strlen(tree);
    const size_t tail = strlen(inside);
    if (folder + tail + 1 <= sizeof room->bytes) {
      memcpy(room->bytes, tree, folder);
      memcpy(room->bytes + folder, inside, tail + 1);
      result = room->bytes;
    }
  }
  errno = saved;
  return result;
}

bool shim_in_tree(const char* target) {
  if (tree == NULL || target == NULL) return false;
  const size_t folder = strlen(tree);
  return strncmp(target, tree, folder) == 0 && target[folder] == '/';
}

size_t shim_restore(char* path, size_t length) {
  if (tree == NULL) return length;
  const size_t folder = strlen(tree);
  const size_t prefix = sizeof SYS_PREFIX - 1;
  if (length < folder || folder < prefix || memcmp(path, tree, folder) != 0) return length;
  if (length > folder && path[folder] != '/') return length;
  if (length >= folder + sizeof NODES - 1 && memcmp(path + folder, NODES, sizeof NODES - 1) == 0) {
    memmove(path, path + folder, length - folder);
    return length - folder;
  }
  memcpy(path, SYS_PREFIX, prefix);
  memmove(path + prefix, path + folder, length - folder);
  return length - folder + prefix;
}
