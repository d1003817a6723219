// Files of counters: their value is computed when they are opened, from the host page that all processes of the host
// share. `rocelab run` left a table in the tree that says where each counter lies (cli/sysfs_tree.cc).
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "verbs/shim/redirect.h"

#define HOST_PAGE "/../host-page"
#define TABLE "/counters"
#define SLOTS_MAX 4096

/// Byte offsets in the host page, as the table's first line gives them.
struct location {
  uint64_t retired, slots, slot_stride, slot_counters, slot_count;
};

static int open_in_tree(const char* name) {
  shim_path path;
  const int length = snprintf(path.bytes, sizeof path.bytes, "%s%s", shim_tree(), name);
  if (length < 0 || (size_t)length >= sizeof path.bytes) return -1;
  return REAL(open)(path.bytes, O_RDONLY | O_CLOEXEC);
}

/// Looks for the line whose name `target` ends with.
static bool find_counter(const char* target, struct location* where, uint64_t* index, uint64_t* divisor) {
  const int fd = open_in_tree(TABLE);
  FILE* table = fd < 0 ? NULL : fdopen(fd, "r");
  if (table == NULL) {
    if (fd >= 0) close(fd);
    return false;
  }
  bool found = false;
  char name[256];
  if (fscanf(table, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &where->retired, &where->slots,
             &where->slot_stride, &where->slot_counters, &where->slot_count) == 5 &&
      where->slot_count <= SLOTS_MAX) {
    const size_t whole = strlen(target);
    while (!found && fscanf(table, "%255s %" SCNu64 " %" SCNu64, name, index, divisor) == 3) {
      const size_t length = strlen(name);
      found = whole > length && target[whole - length - 1] == '/' && strcmp(target + whole - length, name) == 0 &&
              *divisor != 0;
    }
  }
  fclose(table);
  return found;
}

/// The counter's number in the totals of ended processes and in every slot, added up.
static bool add_up(const struct location* where, uint64_t index, uint64_t* sum) {
  const int fd = open_in_tree(HOST_PAGE);
  if (fd < 0) return false;
  *sum = 0;
  bool complete = true;
  for (uint64_t i = 0; complete && i <= where->slot_count; ++i) {
    const uint64_t base = i == 0 ? where->retired : where->slots + (i - 1) * where->slot_stride + where->slot_counters;
    uint64_t value = 0;
    complete = pread(fd, &value, sizeof value, (off_t)(base + index * sizeof value)) == (ssize_t)sizeof value;
    *sum += value;
  }
  close(fd);
  return complete;
}

/// A file in memory that holds the text of `value`.
static int as_file(uint64_t value, int flags) {
  char text[32];
  const int length = snprintf(text, sizeof text, "%" PRIu64 "\n", value);
  const int fd = memfd_create("counter", (flags & O_CLOEXEC) != 0 ? MFD_CLOEXEC : 0);
  if (fd < 0) return -1;
  if (write(fd, text, (size_t)length) != length || lseek(fd, 0, SEEK_SET) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

int shim_open_counter(const char* target, int flags) {
  if (strstr(target, "counters/") == NULL) return -1;
  const int saved = errno;
  struct location where;
  uint64_t index = 0, divisor = 1, sum = 0;
  const bool known = find_counter(target, &where, &index, &divisor) && add_up(&where, index, &sum);
  errno = saved;
  return known ? as_file(sum / divisor, flags) : -1;
}
