// A signal's handler calls exit() while the thread that it interrupted is inside a verbs call, as libfabric's and MPI's
// handlers do. The test is that the process ends by itself, wherever the signal came: each of a few children is
// interrupted at another moment.
#include <infiniband/verbs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr int kHandled = 7;
constexpr int kChildren = 4;

void end_program(int) { std::exit(kHandled); }

/// Never returns: makes and destroys address handles, which takes the engine's lock again and again.
int run(int microseconds) {
  int count = 0;
  ibv_device** list = ibv_get_device_list(&count);
  if (list == nullptr || count == 0) return 1;
  ibv_context* context = ibv_open_device(list[0]);
  ibv_free_device_list(list);
  if (context == nullptr) return 2;
  ibv_pd* pd = ibv_alloc_pd(context);
  ibv_ah_attr attr{};
  attr.is_global = 1;
  attr.port_num = 1;
  attr.grh.sgid_index = 3;
  if (pd == nullptr || ibv_query_gid(context, 1, 3, &attr.grh.dgid) != 0) return 3;
  struct sigaction action {};
  action.sa_handler = end_program;
  sigaction(SIGALRM, &action, nullptr);
  const itimerval alarm{{0, 0}, {0, microseconds}};
  setitimer(ITIMER_REAL, &alarm, nullptr);
  for (;;) {
    ibv_ah* ah = ibv_create_ah(pd, &attr);
    if (ah == nullptr) return 4;
    ibv_destroy_ah(ah);
  }
}

}  // namespace

int main() {
  for (int child = 0; child < kChildren; ++child) {
    const pid_t pid = fork();
    if (pid == 0) return run(20'000 + 1'111 * child);
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != kHandled) {
      std::printf("child %d ended with status %#x, expected exit status %d\n", child, status, kHandled);
      return 1;
    }
  }
  return 0;
}
