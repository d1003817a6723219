// Ctrl-C and SIGTERM as a flag, while the object lives: a run looks at it and ends cleanly. A second Ctrl-C has its
// usual effect. Process-wide, so at most one object at a time.
#pragma once

namespace rocelab::cli {

class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  bool requested() const;
};

}  // namespace rocelab::cli
