// The wrappers that ask about files of the generated tree: stat in all its forms, access, and extended attributes (ls
// asks for them).
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "verbs/shim/redirect.h"

#define DEFINE_STAT(name, type)                                                   \
  SHIM_EXPORT int name(const char* restrict path, struct type* restrict status) { \
    shim_path room;                                                               \
    return REAL(name)(shim_redirect(AT_FDCWD, path, &room), status);              \
  }
DEFINE_STAT(stat, stat)
DEFINE_STAT(lstat, stat)
DEFINE_STAT(stat64, stat64)
DEFINE_STAT(lstat64, stat64)

#define DEFINE_FSTATAT(name, type)                                                                      \
  SHIM_EXPORT int name(int dirfd, const char* restrict path, struct type* restrict status, int flags) { \
    shim_path room;                                                                                     \
    return REAL(name)(dirfd, shim_redirect(dirfd, path, &room), status, flags);                         \
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

#define DEFINE_XSTAT(name, type)                                              \
  SHIM_EXPORT int name(int version, const char* path, struct type* status) {  \
    shim_path room;                                                           \
    return REAL(name)(version, shim_redirect(AT_FDCWD, path, &room), status); \
  }
DEFINE_XSTAT(__xstat, stat)
DEFINE_XSTAT(__lxstat, stat)
DEFINE_XSTAT(__xstat64, stat64)
DEFINE_XSTAT(__lxstat64, stat64)

#define DEFINE_FXSTATAT(name, type)                                                                \
  SHIM_EXPORT int name(int version, int dirfd, const char* path, struct type* status, int flags) { \
    shim_path room;                                                                                \
    return REAL(name)(version, dirfd, shim_redirect(dirfd, path, &room), status, flags);           \
  }
DEFINE_FXSTATAT(__fxstatat, stat)
DEFINE_FXSTATAT(__fxstatat64, stat64)

SHIM_EXPORT int statx(int dirfd, const char* restrict path, int flags, unsigned int mask,
                      struct statx* restrict status) {
  shim_path room;
  return REAL(statx)(dirfd, shim_redirect(dirfd, path, &room), flags, mask, status);
}

#define DEFINE_ACCESS(name)                                        \
  SHIM_EXPORT int name(const char* path, int mode) {               \
    shim_path room;                                                \
    return REAL(name)(shim_redirect(AT_FDCWD, path, &room), mode); \
  }
DEFINE_ACCESS(access)
DEFINE_ACCESS(eaccess)
DEFINE_ACCESS(euidaccess)

SHIM_EXPORT int faccessat(int dirfd, const char* path, int mode, int flags) {
  shim_path room;
  return REAL(faccessat)(dirfd, shim_redirect(dirfd, path, &room), mode, flags);
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
