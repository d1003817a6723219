// Which paths the preload shim serves from the generated tree, and where they lie in it. Used by every wrapper of this
// folder. Safe from any thread, before main and after fork; errno is kept.
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SHIM_EXPORT __attribute__((visibility("default")))

/// Room for a redirected path; one a call, on the wrapper's stack.
typedef struct {
  char bytes[PATH_MAX];
} shim_path;

/// The path that the real call should get: `path` itself or, when it names something that the shim serves, its place in
/// the tree, or when it leads out of what the shim serves, that path without its way through it; written to `room`.
/// `dirfd` is what a relative path is relative to (AT_FDCWD: the working directory).
const char* shim_redirect(int dirfd, const char* path, shim_path* room);

/// Whether a path that shim_redirect() returned lies in the tree.
bool shim_in_tree(const char* target);

/// Turns a path inside the tree back into the path below /sys or /dev that it stands for, in place. Returns its new
/// length.
size_t shim_restore(char* path, size_t length);

/// The tree's folder; NULL when there is none.
const char* shim_tree(void);

/// When `target` (a path in the tree) is a counter's file: a descriptor with the counter's value at this moment, over
/// all processes of the host. -1: it is no counter, or the host has not counted anything yet.
int shim_open_counter(const char* target, int flags);

/// When `target` (a path in the tree) stands for a character device of /dev/infiniband: true, and its number.
bool shim_device_number(const char* target, dev_t* number);

/// A descriptor for such a device: it can be opened, and refuses every command (ENOTTY, EPERM), because verbs are
/// answered by our libibverbs and not by a kernel. -1: `target` is no device.
int shim_open_device(const char* target, int flags);

/// Whether `target` (a path in the tree) is the one device that does something, rdma_cm; and a new descriptor for it
/// (-1 and errno).
bool shim_is_rdma_cm(const char* target);
int shim_open_rdma_cm(const char* target, int flags);

/// The next definition of a libc function behind this library. Does not return when there is none: nothing sensible
/// could be done for the caller.
void* shim_next(const char* name);

/// `REAL(open)(...)`: looks the real function up once.
#define REAL(name)                                              \
  (__extension__({                                              \
    static void* found;                                         \
    void* function = __atomic_load_n(&found, __ATOMIC_RELAXED); \
    if (function == NULL) {                                     \
      function = shim_next(#name);                              \
      __atomic_store_n(&found, function, __ATOMIC_RELAXED);     \
    }                                                           \
    (__typeof__(&name))function;                                \
  }))
