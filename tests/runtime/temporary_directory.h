// A directory under /tmp that lives as long as the object, and a file name within it.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace rocelab::tests {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/rocelab-test-XXXXXX";
    if (mkdtemp(name) != nullptr) path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace rocelab::tests
