// The wrappers that open files and folders of the generated tree. Writing is refused: sysfs would refuse it too.
// Devices of /dev/infiniband can be opened for both.
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "verbs/shim/redirect.h"

static bool needs_mode(int flags) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

/// True when the call is answered here, with `result`: writing below /sys/class/infiniband is refused, and what is more
/// than a file of text is made when it is opened.
static bool answered(bool redirected, const char* target, int flags, int* result) {
  if (!redirected) return false;
  if (shim_is_rdma_cm(target)) {
    *result = shim_open_rdma_cm(target, flags);
    return true;
  }
  *result = shim_open_device(target, flags);
  if (*result >= 0) return true;
  if ((flags & O_ACCMODE) != O_RDONLY || needs_mode(flags)) {
    errno = REAL(access)(target, F_OK) == 0 ? EACCES : ENOENT;
    return true;
  }
  *result = shim_open_counter(target, flags);
  return *result >= 0;
}

// open() and open64() are one function on 64-bit machines, but two names; likewise below.
#define DEFINE_OPEN(name)                                                      \
  SHIM_EXPORT int name(const char* path, int flags, ...) {                     \
    mode_t mode = 0;                                                           \
    if (needs_mode(flags)) {                                                   \
      va_list arguments;                                                       \
      va_start(arguments, flags);                                              \
      mode = va_arg(arguments, mode_t);                                        \
      va_end(arguments);                                                       \
    }                                                                          \
    shim_path room;                                                            \
    const char* target = shim_redirect(AT_FDCWD, path, &room);                 \
    int result;                                                                \
    if (answered(shim_in_tree(target), target, flags, &result)) return result; \
    return REAL(name)(target, flags, mode);                                    \
  }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

#define DEFINE_OPENAT(name)                                                    \
  SHIM_EXPORT int name(int dirfd, const char* path, int flags, ...) {          \
    mode_t mode = 0;                                                           \
    if (needs_mode(flags)) {                                                   \
      va_list arguments;                                                       \
      va_start(arguments, flags);                                              \
      mode = va_arg(arguments, mode_t);                                        \
      va_end(arguments);                                                       \
    }                                                                          \
    shim_path room;                                                            \
    const char* target = shim_redirect(dirfd, path, &room);                    \
    int result;                                                                \
    if (answered(shim_in_tree(target), target, flags, &result)) return result; \
    return REAL(name)(dirfd, target, flags, mode);                             \
  }
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

// What programs compiled with _FORTIFY_SOURCE call when there is no mode.
int __open_2(const char* path, int flags);
int __open64_2(const char* path, int flags);
int __openat_2(int dirfd, const char* path, int flags);
int __openat64_2(int dirfd, const char* path, int flags);

#define DEFINE_OPEN_2(name)                                                    \
  SHIM_EXPORT int name(const char* path, int flags) {                          \
    shim_path room;                                                            \
    const char* target = shim_redirect(AT_FDCWD, path, &room);                 \
    int result;                                                                \
    if (answered(shim_in_tree(target), target, flags, &result)) return result; \
    return REAL(name)(target, flags);                                          \
  }
DEFINE_OPEN_2(__open_2)
DEFINE_OPEN_2(__open64_2)

#define DEFINE_OPENAT_2(name)                                                  \
  SHIM_EXPORT int name(int dirfd, const char* path, int flags) {               \
    shim_path room;                                                            \
    const char* target = shim_redirect(dirfd, path, &room);                    \
    int result;                                                                \
    if (answered(shim_in_tree(target), target, flags, &result)) return result; \
    return REAL(name)(dirfd, target, flags);                                   \
  }
DEFINE_OPENAT_2(__openat_2)
DEFINE_OPENAT_2(__openat64_2)

#define DEFINE_FOPEN(name)                                                                           \
  SHIM_EXPORT FILE* name(const char* path, const char* mode) {                                       \
    shim_path room;                                                                                  \
    const char* target = shim_redirect(AT_FDCWD, path, &room);                                       \
    const bool writes = mode != NULL && (mode[0] != 'r' || strchr(mode, '+'));                       \
    int result;                                                                                      \
    if (answered(shim_in_tree(target), target, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC, &result)) { \
      return result < 0 ? NULL : fdopen(result, "r");                                                \
    }                                                                                                \
    return REAL(name)(target, mode);                                                                 \
  }
DEFINE_FOPEN(fopen)
DEFINE_FOPEN(fopen64)

SHIM_EXPORT DIR* opendir(const char* path) {
  shim_path room;
  return REAL(opendir)(shim_redirect(AT_FDCWD, path, &room));
}

SHIM_EXPORT int chdir(const char* path) {
  shim_path room;
  return REAL(chdir)(shim_redirect(AT_FDCWD, path, &room));
}

SHIM_EXPORT int scandir(const char* path, struct dirent*** list, int (*filter)(const struct dirent*),
                        int (*compare)(const struct dirent**, const struct dirent**)) {
  shim_path room;
  return REAL(scandir)(shim_redirect(AT_FDCWD, path, &room), list, filter, compare);
}

SHIM_EXPORT int scandir64(const char* path, struct dirent64*** list, int (*filter)(const struct dirent64*),
                          int (*compare)(const struct dirent64**, const struct dirent64**)) {
  shim_path room;
  return REAL(scandir64)(shim_redirect(AT_FDCWD, path, &room), list, filter, compare);
}

SHIM_EXPORT int scandirat(int dirfd, const char* path, struct dirent*** list, int (*filter)(const struct dirent*),
                          int (*compare)(const struct dirent**, const struct dirent**)) {
  shim_path room;
  return REAL(scandirat)(dirfd, shim_redirect(dirfd, path, &room), list, filter, compare);
}

SHIM_EXPORT int scandirat64(int dirfd, const char* path, struct dirent64*** list, int (*filter)(const struct dirent64*),
                            int (*compare)(const struct dirent64**, const struct dirent64**)) {
  shim_path room;
  return REAL(scandirat64)(dirfd, shim_redirect(dirfd, path, &room), list, filter, compare);
}
