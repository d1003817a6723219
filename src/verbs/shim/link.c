// The wrappers that read links. The tree's own links are relative, so readlink needs no way back; realpath does: a
// program must not learn where the tree really lies, it compares and cuts such paths.
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "verbs/shim/redirect.h"

SHIM_EXPORT ssize_t readlink(const char* restrict path, char* restrict out, size_t room_bytes) {
  shim_path room;
  return REAL(readlink)(shim_redirect(AT_FDCWD, path, &room), out, room_bytes);
}

SHIM_EXPORT ssize_t readlinkat(int dirfd, const char* restrict path, char* restrict out, size_t room_bytes) {
  shim_path room;
  return REAL(readlinkat)(dirfd, shim_redirect(dirfd, path, &room), out, room_bytes);
}

// What programs compiled with _FORTIFY_SOURCE call.
ssize_t __readlink_chk(const char* path, char* out, size_t room_bytes, size_t object_bytes);
ssize_t __readlinkat_chk(int dirfd, const char* path, char* out, size_t room_bytes, size_t object_bytes);
char* __realpath_chk(const char* path, char* out, size_t object_bytes);

SHIM_EXPORT ssize_t __readlink_chk(const char* path, char* out, size_t room_bytes, size_t object_bytes) {
  shim_path room;
  return REAL(__readlink_chk)(shim_redirect(AT_FDCWD, path, &room), out, room_bytes, object_bytes);
}

SHIM_EXPORT ssize_t __readlinkat_chk(int dirfd, const char* path, char* out, size_t room_bytes, size_t object_bytes) {
  shim_path room;
  return REAL(__readlinkat_chk)(dirfd, shim_redirect(dirfd, path, &room), out, room_bytes, object_bytes);
}

static char* restored(char* path) {
  if (path != NULL) path[shim_restore(path, strlen(path))] = '\0';
  return path;
}

// A path that the shim does not serve may still lead into the tree: ".", after chdir().
SHIM_EXPORT char* realpath(const char* restrict path, char* restrict out) {
  shim_path room;
  return restored(REAL(realpath)(shim_redirect(AT_FDCWD, path, &room), out));
}

SHIM_EXPORT char* __realpath_chk(const char* path, char* out, size_t object_bytes) {
  shim_path room;
  return restored(REAL(__realpath_chk)(shim_redirect(AT_FDCWD, path, &room), out, object_bytes));
}

SHIM_EXPORT char* canonicalize_file_name(const char* path) {
  shim_path room;
  return restored(REAL(canonicalize_file_name)(shim_redirect(AT_FDCWD, path, &room)));
}
