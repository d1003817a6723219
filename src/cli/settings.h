// The options that `rocelab run` and `rocelab dev` share: each stands for a ROCELAB_* variable, so that what is checked
// here and what the library in the program reads is the same thing.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/config.h"

namespace CLI {
class App;
}

namespace rocelab::cli {

class Settings {
 public:
  /// Declares the options on `command`. This object must outlive the parsing.
  void add_options(CLI::App& command);
  /// Puts what was given into this process's environment and loads the whole configuration from it. A message about a
  /// value that came from an option names the option.
  base::TextResult<runtime::Config> apply() const;

 private:
  struct Given {
    std::string option;    ///< "--mtu"
    std::string variable;  ///< "ROCELAB_MTU"
    std::string value;
  };
  std::vector<Given> given_;
};

}  // namespace rocelab::cli
