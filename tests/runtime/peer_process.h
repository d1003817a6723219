// A running peer.cc: started with fork and exec, talked to line by line, killed when the object goes.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

namespace rocelab::tests {

/// Path of the built peer.cc (peer_program.cc).
const char* peer_program();

class PeerProcess {
 public:
  using Variables = std::vector<std::pair<std::string, std::string>>;

  /// `prefix`: a command that runs the program, such as {"ip", "netns", "exec", "NAME"}.
  PeerProcess(const std::string& run_dir, Variables variables = {}, std::vector<std::string> prefix = {}) {
    int down[2] = {-1, -1}, up[2] = {-1, -1};
    if (pipe(down) != 0 || pipe(up) != 0) return;
    variables.emplace_back("ROCELAB_RUN_DIR", run_dir);
    prefix.emplace_back(peer_program());
    pid_ = fork();
    if (pid_ == 0) {
      dup2(down[0], STDIN_FILENO);
      dup2(up[1], STDOUT_FILENO);
      for (const int fd : {down[0], down[1], up[0], up[1]}) close(fd);
      for (int fd = 3; fd < 64; ++fd) close(fd);  // pipes of other peers
      for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
      std::vector<char*> words;
      for (std::string& word : prefix) words.push_back(word.data());
      words.push_back(nullptr);
      execvp(words[0], words.data());
      _exit(127);
    }
    close(down[0]);
    close(up[1]);
    in_ = up[0];
    out_ = down[1];
  }
  ~PeerProcess() {
    if (pid_ > 0) finish(SIGKILL);
    hang_up();
    close(in_);
  }
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  void tell(const std::string& line) const {
    const std::string whole = line + "\n";
    [[maybe_unused]] const auto written = write(out_, whole.data(), whole.size());
  }
  /// The next line; empty when the process has ended.
  std::string hear() const {
    std::string line;
    char c = 0;
    while (read(in_, &c, 1) == 1 && c != '\n') line.push_back(c);
    return line;
  }
  std::string ask(const std::string& line) const {
    tell(line);
    return hear();
  }
  void signal(int number) const { ::kill(pid_, number); }
  /// Stops the process, and returns when all its threads stand still.
  void stop() const {
    signal(SIGSTOP);
    int status = 0;
    waitpid(pid_, &status, WUNTRACED);
  }
  /// With no signal: ends its input. Exit status; -1: ended by a signal.
  int finish(int number = 0) {
    if (pid_ <= 0) return -1;
    if (number != 0) {
      signal(number);
    } else {
      hang_up();
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  void hang_up() {
    if (out_ >= 0) close(out_);
    out_ = -1;
  }

  pid_t pid_ = -1;
  int in_ = -1, out_ = -1;
};

}  // namespace rocelab::tests
