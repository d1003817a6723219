// The wrappers that ask about files of the generated tree: stat in all its forms, access, and extended attributes (ls
// asks for them). A file that stands for a device says that it is one.
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "verbs/shim/redirect.h"

/// Kind, rights and number as udev gives them to RDMA devices.
#define AS_DEVICE(target, status)                                            \
  do {                                                                       \
    dev_t number;                                                            \
    if (S_ISREG((status)->st_mode) && shim_device_number(target, &number)) { \
      (status)->st_mode = S_IFCHR | 0666;                                    \
      (status)->st_rdev = number;                                            \
      (status)->st_size = 0;                                                 \
      (status)->st_blocks = 0;                                               \
    }                                                                        \
  } while (0)

#define DEFINE_STAT(name, type)                                                   \
  SHIM_EXPORT int name(const char* restrict path, struct type* restrict status) { \
    shim_path room;                                                               \
    const char* target = shim_redirect(AT_FDCWD, path, &room);                    \
    const int result = REAL(name)(target, status);                                \
    if (result == 0 && target != path) AS_DEVICE(target, status);                 \
    return result;                                                                \
  }
DEFINE_STAT(stat, stat)
DEFINE_STAT(lstat, stat)
DEFINE_STAT(stat64, stat64)
DEFINE_STAT(lstat64, stat64)

#define DEFINE_FSTATAT(name, type)                                                                      \
  SHIM_EXPORT int name(int dirfd, const char* restrict path, struct type* restrict status, int flags) { \
    shim_path room;                                                                                     \
    const char* target = shim_redirect(dirfd, path, &room);                                             \
    const int result = REAL(name)(dirfd, target, status, flags);                                        \
    if (result == 0 && target != path) AS_DEVICE(target, status);                                       \
    return result;                                                                                      \
  }
DEFINE_FSTATAT(fstatat, stat)
DEFINE_FSTATAT(fstatat64, stat64)

// What programs linked before glibc 2.33 call.
int __xstat(int version, const char* path, struct stat* status);
int __lxstat(int version, const char* path, struct stat* status);
int __xstat64(int version, const char* path, struct stat64* status);
int __lxstat64(int version, const char* path, struct stat64* status);
int __fxstatat(int version, int dirfd, const char* path, struct stat* status, int flags);
int __fxstatat64(int version, int dirfd, const char* path, struct stat64* status, int flags);

#define DEFINE_XSTAT(name, type)                                             \
  SHIM_EXPORT int name(int version, const char* path, struct type* status) { \
    shim_path room;                                                          \
    const char* target = shim_redirect(AT_FDCWD, path, &room);               \
    const int result = REAL(name)(version, target, status);                  \
    if (result == 0 && target != path) AS_DEVICE(target, status);            \
    return result;                                                           \
  }
DEFINE_XSTAT(__xstat, stat)
DEFINE_XSTAT(__lxstat, stat)
DEFINE_XSTAT(__xstat64, stat64)
DEFINE_XSTAT(__lxstat64, stat64)

#define DEFINE_FXSTATAT(name, type)                                                                \
  SHIM_EXPORT int name(int version, int dirfd, const char* path, struct type* status, int flags) { \
    shim_path room;                                                                                \
    const char* target = shim_redirect(dirfd, path, &room);                                        \
    const int result = REAL(name)(version, dirfd, target, status, flags);                          \
    if (result == 0 && target != path) AS_DEVICE(target, status);                                  \
    return result;                                                                                 \
  }
DEFINE_FXSTATAT(__fxstatat, stat)
DEFINE_FXSTATAT(__fxstatat64, stat64)

SHIM_EXPORT int statx(int dirfd, const char* restrict path, int flags, unsigned int mask,
                      struct statx* restrict status) {
  shim_path room;
  const char* target = shim_redirect(dirfd, path, &room);
  const int result = REAL(statx)(dirfd, target, flags, mask, status);
  dev_t number;
  if (result == 0 && target != path && S_ISREG(status->stx_mode) && shim_device_number(target, &number)) {
    status->stx_mode = S_IFCHR | 0666;
    status->stx_rdev_major = major(number);
    status->stx_rdev_minor = minor(number);
    status->stx_size = status->stx_blocks = 0;
  }
  return result;
}

/// What may be done with a device of the tree: everything but to execute it.
static bool is_device_access(const char* path, const char* target, int mode) {
  dev_t number;
  return target != path && (mode & X_OK) == 0 && shim_device_number(target, &number);
}

#define DEFINE_ACCESS(name)                                    \
  SHIM_EXPORT int name(const char* path, int mode) {           \
    shim_path room;                                            \
    const char* target = shim_redirect(AT_FDCWD, path, &room); \
    if (is_device_access(path, target, mode)) return 0;        \
    return REAL(name)(target, mode);                           \
  }
DEFINE_ACCESS(access)
DEFINE_ACCESS(eaccess)
DEFINE_ACCESS(euidaccess)

SHIM_EXPORT int faccessat(int dirfd, const char* path, int mode, int flags) {
  shim_path room;
  const char* target = shim_redirect(dirfd, path, &room);
  if (is_device_access(path, target, mode)) return 0;
  return REAL(faccessat)(dirfd, target, mode, flags);
}

#define DEFINE_GETXATTR(name)                                                                    \
  SHIM_EXPORT ssize_t name(const char* path, const char* attribute, void* value, size_t bytes) { \
    shim_path room;                                                                              \
    return REAL(name)(shim_redirect(AT_FDCWD, path, &room), attribute, value, bytes);            \
  }
DEFINE_GETXATTR(getxattr)
DEFINE_GETXATTR(lgetxattr)

#define DEFINE_LISTXATTR(name)                                            \
  SHIM_EXPORT ssize_t name(const char* path, char* list, size_t bytes) {  \
    shim_path room;                                                       \
    return REAL(name)(shim_redirect(AT_FDCWD, path, &room), list, bytes); \
  }
DEFINE_LISTXATTR(listxattr)
DEFINE_LISTXATTR(llistxattr)
