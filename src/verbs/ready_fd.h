// A real file descriptor that is readable exactly while a queue behind it holds something: what applications poll,
// epoll or block on for completion channels and asynchronous events. They may set O_NONBLOCK with fcntl. Owned by the
// queue, whose lock covers raise() and lower(); wait() is called without the lock, because it may block.
#pragma once

namespace rocelab::verbs {

class ReadyFd {
 public:
  ReadyFd();  ///< close-on-exec; fd() is -1 when the process has no descriptors left
  ~ReadyFd();
  ReadyFd(const ReadyFd&) = delete;
  ReadyFd& operator=(const ReadyFd&) = delete;

  int fd() const { return fd_; }
  /// The queue has become non-empty. Never blocks.
  void raise();
  /// The queue has become empty without a wait(). Never blocks.
  void lower();
  /// Takes the readiness: blocks until there is some unless the descriptor is non-blocking. False: errno says why
  /// (EAGAIN, EINTR). The caller must raise() again if the queue still holds something afterwards.
  bool wait();
  bool blocking() const;  ///< O_NONBLOCK is not set

 private:
  int fd_;
};

}  // namespace rocelab::verbs
