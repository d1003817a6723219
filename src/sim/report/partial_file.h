// A file that gets its name when it is whole: made beside its final place, renamed by commit(), removed when its owner
// goes before that. Used for results, CSV files and pages, so that whatever has the final name is complete.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace rocelab::sim {

class PartialFile {
 public:
  PartialFile() = default;
  /// Makes an empty file of a name of its own. Fails with a sentence without the path.
  static base::TextResult<PartialFile> make(const std::string& final_path);
  PartialFile(PartialFile&& other) noexcept;
  PartialFile& operator=(PartialFile&& other) noexcept;
  ~PartialFile();

  /// Where to write meanwhile.
  const std::string& path() const { return path_; }
  /// Makes what was written safe on the disk, then gives it the final name; an older file of that name is replaced.
  base::TextResult<void> commit();

 private:
  std::string path_;  ///< empty: nothing to remove
  std::string final_path_;
};

/// Writes a whole file, safely on the disk before it has its name. Fails with a sentence without the path.
base::TextResult<void> write_whole_file(const std::string& path, std::string_view content);

}  // namespace rocelab::sim
