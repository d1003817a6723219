// The device /dev/infiniband/rdma_cm: opening it gives a descriptor that our libibverbs made (verbs/rdma_cm/exports.h),
// and what is written to such a descriptor goes to the library. The wrappers here know which descriptors these are and
// let all others pass: one byte is looked at. poll, epoll and fcntl(F_SETFL) need no help, the descriptor is a real
// one.
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include "verbs/rdma_cm/exports.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verbs/shim/redirect.h"

#define NODE "/dev/infiniband/rdma_cm"
#define DESCRIPTORS_MAX 65536

enum { kPlain = 0, kOurs = 1, kInherited = 2 };
static unsigned char kinds[DESCRIPTORS_MAX];
static pid_t owner;   ///< differs from the process's in a child of vfork(), which must leave everything alone
static dev_t number;  ///< of the device
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct rocelab_rdma_cm_calls* calls;

static int kind_of(int fd) {
  return fd >= 0 && fd < DESCRIPTORS_MAX ? __atomic_load_n(&kinds[fd], __ATOMIC_ACQUIRE) : kPlain;
}
static void set_kind(int fd, int kind) { __atomic_store_n(&kinds[fd], (unsigned char)kind, __ATOMIC_RELEASE); }

/// The child's descriptors are open but speak to nobody: the devices are the parent's.
static void after_fork_in_child(void) {
  owner = getpid();
  for (int fd = 0; fd < DESCRIPTORS_MAX; ++fd) {
    if (kind_of(fd) == kOurs) set_kind(fd, kInherited);
  }
}

static void find_library(void) {
  void* library = dlopen("libibverbs.so.1", RTLD_NOW);
  if (library == NULL) return;
  calls = dlsym(library, "rocelab_rdma_cm");
  if (calls != NULL && pthread_atfork(NULL, NULL, after_fork_in_child) != 0) calls = NULL;
}

bool shim_is_rdma_cm(const char* target) {
  const size_t folder = strlen(shim_tree());
  return strncmp(target, shim_tree(), folder) == 0 && strcmp(target + folder, NODE) == 0;
}

int shim_open_rdma_cm(const char* target, int flags) {
  if (!shim_device_number(target, &number)) {
    errno = ENOENT;
    return -1;
  }
  pthread_once(&once, find_library);
  if (calls == NULL) {
    errno = ENXIO;
    return -1;
  }
  owner = getpid();
  const int fd = calls->open(flags);
  if (fd < 0) {
    errno = -fd;
    return -1;
  }
  if (fd >= DESCRIPTORS_MAX) {
    calls->closing(fd);
    REAL(close)(fd);
    errno = EMFILE;
    return -1;
  }
  set_kind(fd, kOurs);
  return fd;
}

SHIM_EXPORT ssize_t write(int fd, const void* bytes, size_t size) {
  const int kind = kind_of(fd);
  if (kind == kPlain) return REAL(write)(fd, bytes, size);
  const ssize_t result = kind == kOurs ? calls->write(fd, bytes, size) : -ENODEV;
  if (result >= 0) return result;
  errno = (int)-result;
  return -1;
}

// --- descriptors come and go -----------------------------------------------------------------------------------------

/// Before a descriptor is closed or replaced.
static void forget(int fd) {
  const int kind = kind_of(fd);
  if (kind == kPlain || owner != getpid()) return;
  const int saved = errno;
  set_kind(fd, kPlain);
  if (kind == kOurs) calls->closing(fd);
  errno = saved;
}

/// After `fd` got a second name; returns it.
static int remember(int fd, int copy) {
  const int kind = kind_of(fd);
  if (kind == kPlain || copy < 0 || copy >= DESCRIPTORS_MAX || owner != getpid()) return copy;
  if (kind == kOurs) calls->duplicated(fd, copy);
  set_kind(copy, kind);
  return copy;
}

SHIM_EXPORT int close(int fd) {
  forget(fd);
  return REAL(close)(fd);
}

SHIM_EXPORT int close_range(unsigned first, unsigned last, int flags) {
  const bool closes = (flags & (int)CLOSE_RANGE_CLOEXEC) == 0;
  for (unsigned fd = first; closes && fd <= last && fd < DESCRIPTORS_MAX; ++fd) forget((int)fd);
  return REAL(close_range)(first, last, flags);
}

SHIM_EXPORT void closefrom(int first) {
  for (int fd = first < 0 ? 0 : first; fd < DESCRIPTORS_MAX; ++fd) forget(fd);
  REAL(closefrom)(first);
}

SHIM_EXPORT int dup(int fd) { return remember(fd, REAL(dup)(fd)); }

SHIM_EXPORT int dup2(int fd, int copy) {
  if (fd != copy) forget(copy);
  return remember(fd, REAL(dup2)(fd, copy));
}

SHIM_EXPORT int dup3(int fd, int copy, int flags) {
  if (fd != copy) forget(copy);
  return remember(fd, REAL(dup3)(fd, copy, flags));
}

#define DEFINE_FCNTL(name)                                                \
  SHIM_EXPORT int name(int fd, int command, ...) {                        \
    va_list arguments;                                                    \
    va_start(arguments, command);                                         \
    void* argument = va_arg(arguments, void*);                            \
    va_end(arguments);                                                    \
    const int result = REAL(name)(fd, command, argument);                 \
    const bool copies = command == F_DUPFD || command == F_DUPFD_CLOEXEC; \
    return copies ? remember(fd, result) : result;                        \
  }
DEFINE_FCNTL(fcntl)
DEFINE_FCNTL(fcntl64)

// --- what kind of file it is: librdmacm looks ------------------------------------------------------------------------

int __fxstat(int version, int fd, struct stat* status);
int __fxstat64(int version, int fd, struct stat64* status);

#define AS_CHARACTER_DEVICE(status)     \
  do {                                  \
    (status)->st_mode = S_IFCHR | 0666; \
    (status)->st_rdev = number;         \
  } while (0)

#define DEFINE_FSTAT(name, type)                                           \
  SHIM_EXPORT int name(int fd, struct type* status) {                      \
    const int result = REAL(name)(fd, status);                             \
    if (result == 0 && kind_of(fd) != kPlain) AS_CHARACTER_DEVICE(status); \
    return result;                                                         \
  }
DEFINE_FSTAT(fstat, stat)
DEFINE_FSTAT(fstat64, stat64)

#define DEFINE_FXSTAT(name, type)                                          \
  SHIM_EXPORT int name(int version, int fd, struct type* status) {         \
    const int result = REAL(name)(version, fd, status);                    \
    if (result == 0 && kind_of(fd) != kPlain) AS_CHARACTER_DEVICE(status); \
    return result;                                                         \
  }
DEFINE_FXSTAT(__fxstat, stat)
DEFINE_FXSTAT(__fxstat64, stat64)
