// A forked child that runs a function, and two pipes to talk with it line by line. Killed when the object goes.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

namespace rocelab::tests {

/// What the child's function gets: say() reaches the parent's hear(), and the other way round.
class Pipe {
 public:
  Pipe(int in, int out) : in_(in), out_(out) {}
  void say(const std::string& line) const {
    const std::string whole = line + "\n";
    [[maybe_unused]] const auto written = write(out_, whole.data(), whole.size());
  }
  /// Blocks; empty at the end of the other side.
  std::string hear() const {
    std::string line;
    char c = 0;
    while (read(in_, &c, 1) == 1 && c != '\n') line.push_back(c);
    return line;
  }
  void close_both() const {
    close(in_);
    close(out_);
  }

 private:
  int in_, out_;
};

class Child {
 public:
  explicit Child(const std::function<void(const Pipe&)>& body) : pipe_(-1, -1) {
    int down[2] = {-1, -1}, up[2] = {-1, -1};
    if (::pipe(down) != 0 || ::pipe(up) != 0) _exit(99);
    pid_ = fork();
    if (pid_ == 0) {
      close(down[1]);
      close(up[0]);
      body(Pipe(down[0], up[1]));
      _exit(0);
    }
    close(down[0]);
    close(up[1]);
    pipe_ = Pipe(up[0], down[1]);
  }
  ~Child() {
    if (pid_ > 0) finish(SIGKILL);
    pipe_.close_both();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  const Pipe& pipe() const { return pipe_; }
  pid_t pid() const { return pid_; }
  /// Sends the signal (0: none), waits, and returns the exit status (-1: ended by a signal).
  int finish(int signal = 0) {
    if (pid_ <= 0) return -1;
    if (signal != 0) ::kill(pid_, signal);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  Pipe pipe_;
};

}  // namespace rocelab::tests
