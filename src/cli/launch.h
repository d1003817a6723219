// Starting a program on rocelab: what `rocelab run` does once its options are read. Finds the program and our
// libraries, says in advance why it could not work (set-user-id, static linking), sets the environment and becomes the
// program.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace rocelab::cli {

/// The folder with libibverbs.so.1 and librocelab-preload.so: next to this executable in the build tree, or where
/// `meson install` put it relative to the executable. The message names the places looked at.
base::TextResult<std::string> find_library_folder();

/// Where execvp() would find `program`: the name itself if it has a slash, else the first executable in `search_path`.
/// Empty: nowhere.
std::string find_program(const std::string& program, const std::string& search_path);

/// Why the dynamic linker would ignore our environment for this program; empty: it will not.
std::string linker_objection(const std::string& path);

/// `list` with `entry` in front (or, with `at_end`, behind), once only.
std::string with_entry(const std::string& list, const std::string& entry, bool at_end);

/// Does not return when the program was started; else the exit status, the reason printed.
int launch(const std::vector<std::string>& program);

}  // namespace rocelab::cli
