// The files that the preload shim serves as /sys/class/infiniband and its relatives: what the kernel would show of our
// devices, generated from the same descriptions that libibverbs.so.1 answers from. Written by `rocelab run` into the
// run directory, under a name made from the contents: a tree never changes, so nobody can see half of one.
#pragma once

#include <map>
#include <span>
#include <string>

#include "base/result.h"
#include "runtime/local_device.h"

namespace rocelab::cli {

struct SysfsTree {
  std::map<std::string, std::string> files;  ///< path below /sys -> contents
  std::map<std::string, std::string> links;  ///< path below /sys -> target
};

/// `gid_table_length`: how many entries ports/1/gids shows; those beyond the description's are all zero.
SysfsTree make_sysfs_tree(std::span<const runtime::DeviceDescription> devices, std::size_t gid_table_length);

/// "sysfs-" and a hash of names and contents.
std::string folder_name(const SysfsTree& tree);

/// Makes `parent`/folder_name(tree) unless it is there as a whole; returns its canonical path. Two processes may do so
/// at once.
base::TextResult<std::string> write_tree(const SysfsTree& tree, const std::string& parent);

/// "0200:00ff:fe00:0001", as node_guid and sys_image_guid are written.
std::string guid_text(std::span<const std::uint8_t> guid);

}  // namespace rocelab::cli
